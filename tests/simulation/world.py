"""One run from its seed: build, disturb, heal, settle, and let the auditor judge."""

import asyncio
import gc
import hashlib
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.simulation.auditor import Auditor
from tests.simulation.chance import Chance
from tests.simulation.complaints import Complaints
from tests.simulation.group import Group, Member
from tests.simulation.log import SimLog, SimWriter
from tests.simulation.loop import Host, SimLoop
from tests.simulation.nemesis import TICK_S, Nemesis
from tests.simulation.partners import Partners
from tests.simulation.processes import (
    COMMANDS,
    CONTROLS,
    EVENTS,
    ORDERS,
    REJECTED,
    Projecting,
    Surroundings,
    Worker,
)
from tests.simulation.scene import SILENT, scene
from tests.simulation.store import Codec, SimStore
from tests.simulation.trace import Trace
from tests.simulation.traffic import Operators, Shop

log = logging.getLogger("simulation")

START = datetime(2026, 3, 1, tzinfo=UTC)
QUIET_S = 1.0
POWER_CUT_S = 1.0
SETTLED_S = 240.0
LEAP_FROM_S = 5.0
ROUNDS = 30


@dataclass(slots=True)
class Outcome:
    """What a run came to. `digest` is of every topic's records: equal where runs are."""

    seed: int
    problems: list[str]
    met: Counter[str]
    virtual_s: float
    digest: str
    events: int
    orders: int
    states: Counter[str] = field(default_factory=Counter)


class World:
    """Everything there is in one run."""

    def __init__(self, seed: int) -> None:
        self.met: Counter[str] = Counter()
        chance = Chance(seed, self.met)
        self.loop = SimLoop(chance.stream("loop"))
        made = scene(seed, chance)
        codec = Codec()
        partitions = {EVENTS: made.partitions, ORDERS: 2, COMMANDS: 1, REJECTED: 1, CONTROLS: 1}
        log = SimLog(partitions, lambda: self.now().timestamp())
        store = SimStore(codec, made.partitions)
        self.around = Surroundings(
            loop=self.loop,
            log=log,
            chance=chance,
            store=store,
            partners=Partners(self.loop, chance),
            scene=made,
        )
        self.auditor = Auditor(self.loop, log, store, self.around.partners)
        self.group = Group(self.loop, log, chance, [EVENTS, ORDERS, COMMANDS])
        self.group.commits.append(self.auditor.committed)
        self.projectors = Group(self.loop, log, chance, [EVENTS])
        self.members: list[Member] = []
        self.projecting: list[Member] = []
        self.workers: list[Worker] = []
        self.offsets: dict[str, float] = {}
        self.leaving: list[Host] = []
        self.version = 0
        self.outside: list[asyncio.Task[None]] = []
        self._number = 0
        self._writer = SimWriter(self.loop, log, chance, None)
        self.shop = Shop(self)
        self.operators = Operators(self)
        self.nemesis = Nemesis(self)

    def now(self, host: str = "") -> datetime:
        """The wall clock of a process."""
        return START + timedelta(seconds=self.loop.time() + self.offsets.get(host, 0.0))

    async def write(self, topic: str, key: bytes, value: bytes) -> tuple[int, int]:
        """Appends again and again until it is acknowledged."""
        while True:
            try:
                return await self._writer.append(topic, key, value)
            except Exception:  # noqa: BLE001 (nobody knows: it is sent again)
                await asyncio.sleep(0.3)

    def add_worker(self) -> None:
        """A worker starts; when it dies, another one takes its place after a while."""
        self._number += 1
        host = Host(f"worker-{self._number}")
        worker = self.loop.within(
            host, lambda: Worker(self.around, host, self._wall(host), self.version)
        )
        self.workers.append(worker)
        self.auditor.born(host.name)
        self.members.append(worker.member)
        host.on_death = lambda: self._dead(worker.problems, self.add_worker)
        self.loop.within(host, worker.start)
        self.group.join(worker.member)

    def add_projector(self) -> None:
        """As for workers."""
        self._number += 1
        host = Host(f"projector-{self._number}")
        projecting = self.loop.within(host, lambda: Projecting(self.around, host))
        self.projecting.append(projecting.member)
        host.on_death = lambda: self._dead(projecting.problems, self.add_projector)
        self.loop.within(host, projecting.start)
        self.projectors.join(projecting.member)

    def retire(self, host: Host) -> None:
        """A worker drains and leaves, as on SIGTERM."""
        worker = next(worker for worker in self.workers if worker.host is host)
        self.leaving.append(host)

        async def leave() -> None:
            await worker.orchestrator.drain(1.0)
            self.group.leave(worker.member)
            host.on_death = lambda: None
            host.die()

        self.loop.spawn(host, leave())

    def _wall(self, host: Host) -> Callable[[], datetime]:
        return lambda: self.now(host.name)

    def _dead(self, problems: list[BaseException], successor: Callable[[], None]) -> None:
        log.info("%9.3f a process dies %s", self.loop.time(), problems)
        self.auditor.died(problems)
        pause = self.around.chance.between(0.1, 3)
        self.loop.within(None, lambda: self.loop.call_later(pause, successor))

    async def run(self) -> None:
        """The whole of it; whatever is wrong is with the auditor."""
        scene_, loop = self.around.scene, self.loop
        self.group.start()
        self.projectors.start()
        self.around.partners.by_name[SILENT].silent = scene_.isolates
        for _ in range(scene_.workers):
            self.add_worker()
        for _ in range(scene_.projectors):
            self.add_projector()
        self.outside += [loop.create_task(self.shop.run()), loop.create_task(self.operators.run())]
        while loop.time() < scene_.seconds and not self.auditor.problems:
            await asyncio.sleep(TICK_S * self.around.chance.between(0.2, 1.8))
            self.nemesis.tick()
        self._heal()
        if scene_.power_cut:
            await self._power_cut()
        await asyncio.gather(*self.outside)
        await self._settle()
        if scene_.isolates:
            self.auditor.effects.judge_isolation(SILENT)
        self.auditor.judge(self.shop.acknowledged, self.operators.asked)

    def _heal(self) -> None:
        log.info("%9.3f healed", self.loop.time())
        self.around.chance.healed = True
        self.auditor.healed_at = self.loop.time()
        self.around.store.down = False
        self.offsets.clear()
        for partner in self.around.partners.by_name.values():
            partner.down = partner.silent = False
        for member in (*self.members, *self.projecting):
            member.link.cut = member.link.cut_from_group = False
            if member.host.alive and member.host.stopped:
                self.loop.thaw(member.host)

    async def _power_cut(self) -> None:
        """All processes die at once, when what rests has been stored and committed."""
        await asyncio.sleep(POWER_CUT_S)
        self.met["power_cut"] += 1
        for member in (*self.members, *self.projecting):
            member.host.die()

    async def _settle(self) -> None:
        """Until everything is at rest and seen; then operators answer what rests for them."""
        for _ in range(ROUNDS):
            if self.auditor.problems or not await self._quiet():
                return
            answered = [
                await self.operators.settle(order) for order in list(self.auditor.orders.values())
            ]
            if not any(answered):
                return
        self.auditor.problem("operators answered again and again, and it did not end")

    async def _quiet(self) -> bool:
        """Waits until nothing moves; false, and a problem, where that takes too long."""
        until = self.loop.time() + SETTLED_S
        while self.loop.time() < until and not self.auditor.problems:
            await asyncio.sleep(QUIET_S)
            if self._is_at_rest():
                if not self.auditor.waits():
                    return True
                due = self.auditor.next_due()
                if due is None:
                    await self.operators.release_held()
                    continue
                ahead = (due - self.now()).total_seconds()
                if ahead > LEAP_FROM_S:
                    self.loop.leap(ahead - 1)
                    until += ahead
        if not self.auditor.problems:
            self.auditor.stuck()
        return False

    def _is_at_rest(self) -> bool:
        store, log = self.around.store, self.around.log
        seen = all(
            applied + 1 >= log.end(EVENTS, number) for number, applied in store.applied.items()
        )
        taken = all(
            self.group.committed.get((topic, number), 0) == len(records)
            for topic in (ORDERS, COMMANDS, EVENTS)
            for number, records in enumerate(log.topics[topic])
        )
        return seen and taken and not self.around.partners.in_flight and self.auditor.is_at_rest()


def simulate(seed: int, *, traced: bool = False) -> Outcome:
    """One run. The same seed gives the same run."""
    gc.disable()
    gc.freeze()
    with _unraised():
        try:
            outcome = _simulated(seed, traced=traced)
        finally:
            asyncio.set_event_loop(None)
            gc.collect()
            gc.enable()
    return outcome


@contextmanager
def _unraised() -> Iterator[None]:
    """What is left of dead processes ends when it is collected; nobody is there to be told."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook


def _simulated(seed: int, *, traced: bool) -> Outcome:
    world = World(seed)
    if traced:
        Trace(world.auditor)
    asyncio.set_event_loop(world.loop)
    complaints = Complaints(world.auditor)
    complaints.listen()
    try:
        world.loop.run_until_complete(world.run())
    finally:
        complaints.leave()
    auditor = world.auditor
    for context in world.loop.problems:
        auditor.problem(f"the loop: {context.get('message')} {context.get('exception')!r}")
    digest = hashlib.sha256()
    for topic, parts in sorted(world.around.log.topics.items()):
        for number, records in enumerate(parts):
            digest.update(f"{topic}/{number}/{len(records)}".encode())
            for record in records:
                digest.update(record.value or b"-")
    return Outcome(
        seed=seed,
        problems=list(auditor.problems),
        met=world.met + auditor.met,
        virtual_s=world.loop.time(),
        digest=digest.hexdigest(),
        events=sum(len(part) for part in world.around.log.topics[EVENTS]),
        orders=len(auditor.orders),
        states=Counter(order.state.value for order in auditor.orders.values()),
    )
