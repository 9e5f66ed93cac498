"""The agent that reads `order-commands`, over a real store, in virtual time."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from projections.deaths import Deaths
from projections.order_book import OrderBook
from projections.store import Store
from projections.vault import Vault
from projections.writing import Record as Stored
from schemas.codec import Memo, decode, encode
from schemas.events import CommandReceived
from streams.agents import commands
from streams.agents.commands import UNKNOWN_AFTER_S, CommandAgent, CommandDesk
from streams.agents.fate import StoreCalls
from streams.agents.in_hand import InHand, Slot
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.projector import Projector
from streams.agents.rejections import Rejections
from streams.core.commanding import Commanding
from streams.core.intake import acceptance
from tests.unit.core.taking import INTAKE, KEYS, prepared
from tests.unit.virtual import clock, virtually
from waybill.clock import random_bytes

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
PARTITION = 2


@dataclass
class Paper:
    """Stands where Kafka does; does not take the first `refusals` records."""

    refusals: int = 0
    written: list[tuple[str, bytes | None, bytes, dict[str, bytes]]] = field(default_factory=list)

    def append(self, topic: str, key: bytes | None, value: bytes, headers: Any = ()) -> Any:
        done = asyncio.get_running_loop().create_future()
        if self.refusals:
            self.refusals -= 1
            done.set_exception(ConnectionError("no broker"))
        else:
            self.written.append((topic, key, value, dict(headers)))
            done.set_result((0, len(self.written)))
        return done

    def facts(self) -> list[CommandReceived]:
        return [
            fact
            for topic, _, value, _ in self.written
            if topic == "events" and isinstance(fact := decode(value).fact, CommandReceived)
        ]

    def codes(self) -> list[str]:
        return [h["code"].decode() for topic, _, _, h in self.written if topic == "rejected"]


@dataclass(frozen=True)
class Sent:
    """A record of `order-commands`."""

    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = (("waybill-actor", b"ada"),)
    key: bytes | None = b"k"
    timestamp: int = 1_772_359_200_000


class World:
    """A store with orders in it, and the agent."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(f"sqlite:///{folder / 'waybill.sqlite'}")
        self.vault = Vault(self.store, {"default": KEYS}, random_bytes, lambda: NOW)
        self.paper = Paper()
        self._projector = Projector(self.store)
        self._projector.assign([PARTITION])
        self._offset = -1
        self._folder = folder
        self.failed: list[BaseException] = []

    def accept(self, external_id: str, **members: Any) -> str:
        """An order that the store has from now on; its id."""
        found = prepared(external_id=external_id, **members)
        key = self.vault.made("default", [found.subject])[found.subject]
        self._offset += 1
        event = acceptance(found, key, random_bytes(12), NOW)
        self._projector.apply(PARTITION, [Stored(self._offset, encode(event))])
        return found.order_id

    def agent(self) -> CommandAgent:
        calls = StoreCalls(local=True)
        ring = KeyRing(self.vault, calls)
        writer: Any = self.paper
        hand = InHand(
            Slot(self._folder, "me"), self._folder, Deaths(self.store), calls, lambda: NOW
        )
        return CommandAgent(
            CommandDesk(
                topic="order-commands",
                controls_topic="controls",
                commanding=Commanding(INTAKE, lambda _: ()),
                pinned=lambda *_: None,
                book=OrderBook(self.store),
                calls=calls,
                journal=Journal(
                    worker="w", topic="events", writer=writer, memo=Memo(), now=lambda: NOW
                ),
                rejections=Rejections(
                    topic="rejected",
                    writer=writer,
                    keys={"default": KEYS},
                    ring=ring,
                    random_bytes=random_bytes,
                ),
                ring=ring,
                in_hand=hand,
                now=lambda: NOW,
                random_bytes=random_bytes,
                monotonic=clock,
                behind=lambda: 0,
                fatal=self.failed.append,
            )
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def sent(offset: int, **members: Any) -> Sent:
    return Sent(offset, orjson.dumps({"command": "retry", "reason": "r", **members}))


async def reading(world: World, *records: Sent) -> CommandAgent:
    agent = world.agent()
    agent.start()
    await agent.assigned({3: 10}, {3: 99})
    agent.take(3, records)
    await asyncio.sleep(0.1)
    return agent


def test_commands_are_taken_in_order_by_whatever_name_their_order_has(world: World) -> None:
    order_id = world.accept("E-1")

    async def scenario() -> None:
        agent = await reading(
            world,
            sent(10, order=order_id, id="a"),
            sent(11, order="E-1", id="b", command="pause"),
            sent(12, order=prepared(external_id="E-1").order_id, id="c", lane="default/nobody's"),
        )
        assert [(fact.command, fact.kind.value) for fact in world.paper.facts()] == [
            ("a", "retry"),
            ("b", "pause"),
        ]
        assert world.paper.codes() == ["wrong_lane"]
        assert agent.committable(3) == 13
        await agent.stop()

    virtually(scenario())
    [topic, key, value, _] = world.paper.written[0]
    event = decode(value)
    assert (topic, key) == ("events", event.envelope.lane.encode())
    assert (event.envelope.actor, event.envelope.causation) == ("ada", "order-commands/3/10")


def test_an_order_that_is_not_there_yet_is_waited_for_and_holds_up_no_other(world: World) -> None:
    world.accept("E-1")

    async def scenario() -> None:
        agent = await reading(world, sent(10, order="late"), sent(11, order="E-1"))
        agent.take(3, [sent(12, order="E-1", id="next")])
        await asyncio.sleep(0.1)
        assert [fact.command for fact in world.paper.facts()][-1] == "next"
        assert agent.committable(3) == 10, "nothing behind an open one is committed"
        world.accept("late")
        await asyncio.sleep(commands.LOOK_AGAIN_S * 2)
        assert len(world.paper.facts()) == 3
        assert agent.committable(3) == 13
        await agent.stop()

    virtually(scenario())


def test_an_order_that_nobody_knows_is_rejected_after_a_while(world: World) -> None:
    async def scenario() -> None:
        agent = await reading(world, sent(10, order="nobody's"))
        await asyncio.sleep(UNKNOWN_AFTER_S - 1)
        assert world.paper.codes() == []
        await asyncio.sleep(2)
        assert world.paper.codes() == ["unknown_order"]
        assert agent.committable(3) == 11
        await agent.stop()

    virtually(scenario())


def test_what_cannot_be_taken_is_rejected_with_its_reason(world: World) -> None:
    world.accept("E-1", country="GB")
    world.accept("twice", forSubscription="S-1", order_type="renew")
    world.accept("twice", forSubscription="S-2", order_type="renew")

    async def scenario() -> None:
        agent = await reading(
            world,
            Sent(10, b"{"),
            Sent(11, None),
            sent(12, order="twice"),
            sent(13, order="twice", lane="default/S-2", id="fine"),
            sent(14, order="E-1", command="amend", changes={"country": "GB"}),
            sent(15, order="E-1", command="amend", changes={"country": "IE"}, id="amended"),
        )
        codes = {"malformed", "empty", "ambiguous_order", "nothing_changed"}
        assert set(world.paper.codes()) == codes
        assert {fact.command for fact in world.paper.facts()} == {"fine", "amended"}
        assert agent.committable(3) == 16
        await agent.stop()

    virtually(scenario())


def test_nothing_is_committed_before_it_is_durable(world: World) -> None:
    world.accept("E-1")
    world.paper.refusals = 1

    async def scenario() -> None:
        agent = await reading(world, sent(10, order="E-1"))
        assert agent.committable(3) == 10
        await asyncio.sleep(1)
        assert agent.committable(3) == 11
        assert len(world.paper.facts()) == 1
        await agent.stop()

    virtually(scenario())


def test_a_stage_is_held_by_a_record_that_workers_obey(world: World) -> None:
    record = sent(10, command="hold_stage", stage="zuora@h", id="h")

    async def scenario() -> None:
        agent = await reading(world, record)
        assert agent.committable(3) == 11
        await agent.stop()

    virtually(scenario())
    [(topic, key, value, _)] = world.paper.written
    assert (topic, key) == ("controls", b"default/zuora@h")
    assert orjson.loads(value)["held"] is True


def test_what_three_processes_died_of_is_quarantined(world: World) -> None:
    world.accept("E-1")
    deaths = Deaths(world.store)
    for worker in ("a", "b", "c"):
        deaths.count(worker, "order-commands/3/10", NOW)

    async def scenario() -> None:
        agent = await reading(world, sent(10, order="E-1"), sent(11, order="E-1", id="well"))
        assert world.paper.codes() == ["poison"]
        assert [fact.command for fact in world.paper.facts()] == ["well"]
        await agent.stop()

    virtually(scenario())
