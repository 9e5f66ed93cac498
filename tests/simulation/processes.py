"""The processes of a run, put together as `waybill/worker.py` and the projector's process do it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from plugins.perform import Performer
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.codec import Memo
from streams.agents.commands import CommandAgent, CommandDesk
from streams.agents.fate import StoreCalls
from streams.agents.in_hand import InHand
from streams.agents.intake import Desk, IntakeAgent
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.means import Means
from streams.agents.orchestrator import Orchestrator
from streams.agents.projecting import ProjectingReader
from streams.agents.rejections import Rejections
from streams.agents.stage_controls import StageControls
from streams.agents.stages import Equipment, Stages
from streams.core.commanding import Belonging, Commanding
from streams.core.order import Order
from tests.simulation.chance import Chance
from tests.simulation.group import Member
from tests.simulation.log import Entry, SimLog, SimWriter
from tests.simulation.loop import Host, SimLoop
from tests.simulation.partners import Partners, SimWire
from tests.simulation.scene import KEYS, Scene
from tests.simulation.store import SimProjector, SimSnapshots, SimStore, SimVault
from waybill.clock import SteadyClock

EVENTS, ORDERS, COMMANDS = "order-events", "orders", "order-commands"
REJECTED, CONTROLS = "orders-rejected", "stage-controls"
NOWHERE = Path("/nonexistent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all processes share."""

    loop: SimLoop
    log: SimLog
    chance: Chance
    store: SimStore
    partners: Partners
    scene: Scene


class SimBook:
    """The store as commands ask it."""

    def __init__(self, store: SimStore) -> None:
        self._store = store

    def whereabouts(self, tenant: str, names: Collection[str]) -> Mapping[str, Sequence[Belonging]]:
        del tenant
        self._store.check()
        found = {name: self._store.rows.get(name) for name in names}
        return {
            name: [Belonging(name, row.found_by.lane, row.order(self._store.codec).run)]
            for name, row in found.items()
            if row is not None
        }

    def folded(self, tenant: str, order_id: str) -> Order | None:
        del tenant
        self._store.check()
        row = self._store.rows.get(order_id)
        return None if row is None else row.order(self._store.codec)


class EmptySlot:
    """No process dies of what it handles here: what it had in hand says nothing."""

    def taking(self, what: bytes) -> None:
        del what

    def done(self) -> None:
        return


class NoDeaths:
    """Nobody counts them."""

    def count(self, recorder: str, what: str, at: datetime) -> None:
        del recorder, what, at

    def known(self) -> Mapping[str, int]:
        return {}

    def forget(self, what: str) -> None:
        del what


class Worker:
    """One worker: the product's own agents, on the simulated world."""

    def __init__(
        self, around: Surroundings, host: Host, wall: Callable[[], datetime], version: int
    ) -> None:
        loop, scene, chance = around.loop, around.scene, around.chance
        self.host = host
        self.problems: list[BaseException] = []
        self.random = chance.stream(host.name)
        now = SteadyClock(wall, loop.time)
        calls = StoreCalls(local=scene.local_store)
        hand = InHand(EmptySlot(), NOWHERE, NoDeaths(), calls, wall)
        self._writer = SimWriter(loop, around.log, chance, host)
        ring = KeyRing(SimVault(around.store), calls)
        journal = Journal(worker=host.name, topic=EVENTS, writer=self._writer, memo=Memo(), now=now)
        rejections = Rejections(
            topic=REJECTED,
            writer=self._writer,
            keys=KEYS,
            ring=ring,
            random_bytes=self.random.randbytes,
        )
        performer = Performer(
            Transport(SimWire(host, around.partners)), SecretValues({}), wall, loop.time
        )
        self._around = around
        self._controls = StageControls(performer.stages)
        self._controlled = 0
        stages = Stages(
            Equipment(
                addressing=scene.addressing,
                performer=performer,
                keys=ring,
                now=now,
                monotonic=loop.time,
                random_bytes=self.random.randbytes,
                jitter=self.random.random,
            )
        )
        self.orchestrator = Orchestrator(
            _means(around, journal, calls, stages, rejections, self.fatal)
        )
        common: dict[str, Any] = {
            "journal": journal,
            "rejections": rejections,
            "ring": ring,
            "in_hand": hand,
            "now": wall,
            "random_bytes": self.random.randbytes,
            "monotonic": loop.time,
            "behind": lambda: self.orchestrator.behind,
            "fatal": self.fatal,
        }
        intake = scene.intake(version)
        self.intake = IntakeAgent(
            Desk(
                **_fitting(Desk, common),
                topic=ORDERS,
                intake=intake,
                held=lambda: self.orchestrator.held,
            )
        )
        self.commands = CommandAgent(
            CommandDesk(
                **_fitting(CommandDesk, common),
                topic=COMMANDS,
                controls_topic=CONTROLS,
                commanding=Commanding(intake, lambda _: ()),
                pinned=scene.pinned,
                book=SimBook(around.store),
                calls=calls,
            )
        )
        self.member = Member(
            host,
            self._writer.link,
            {EVENTS: self.orchestrator, ORDERS: self.intake, COMMANDS: self.commands},
        )

    def start(self) -> None:
        self.orchestrator.start()
        self.intake.start()
        self.commands.start()
        self._around.log.landed.append(self._told)
        self._obey()

    def _told(self, topic: str, partition: int, entries: list[Entry]) -> None:
        del partition, entries
        if topic == CONTROLS and self.host.alive:
            loop, later = self._around.loop, self._around.chance.between(0.005, 0.2)
            loop.within(self.host, lambda: loop.call_later(later, self._obey))

    def _obey(self) -> None:
        records = self._around.log.topics[CONTROLS][0]
        for record in records[self._controlled :]:
            self._controls.take(record.value)
        self._controlled = len(records)

    def fatal(self, problem: BaseException) -> None:
        """A process that cannot go on ends."""
        self.problems.append(problem)
        self.host.die()


def _fitting(kind: Any, given: dict[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(kind)}
    return {name: value for name, value in given.items() if name in known}


def _means(  # noqa: PLR0917 (what an orchestrator works with)
    around: Surroundings,
    journal: Journal,
    calls: StoreCalls,
    stages: Stages,
    rejections: Rejections,
    fatal: Callable[[BaseException], None],
) -> Means:
    return Means(
        journal=journal,
        snapshots=SimSnapshots(around.store, around.chance),
        calls=calls,
        stages=stages,
        reject=rejections.contradiction,
        now=journal.now,
        monotonic=around.loop.time,
        fatal=fatal,
        partitions=around.scene.partitions,
    )


class Projecting:
    """One projecting process."""

    def __init__(self, around: Surroundings, host: Host) -> None:
        self.host = host
        self.problems: list[BaseException] = []
        self._writer = SimWriter(around.loop, around.log, around.chance, host)
        self.reader = ProjectingReader(SimProjector(around.store, around.chance), self.fatal)
        self.member = Member(host, self._writer.link, {EVENTS: self.reader})

    def start(self) -> None:
        self.reader.start()

    def fatal(self, problem: BaseException) -> None:
        self.problems.append(problem)
        self.host.die()
