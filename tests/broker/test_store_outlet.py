"""The outlet publishes every applied change in log order, and again rather than not."""

import asyncio
import random
from collections.abc import Iterator

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from projections.outgoing import AnotherOutletError, OutgoingEvents
from projections.store import Store
from projections.testing import History, random_history
from schemas.codec import decode
from schemas.events import (
    Event,
    OrderCompleted,
    OrderFailed,
    StepResult,
)
from streams.agents.outlet import Outlet, Published
from streams.agents.projector import Projector
from streams.core.order import Order, State, evolve
from streams.topics import Topics

TOPICS = Topics("t.")


class Wire:
    """Keeps what was sent; can fail to acknowledge the record of a number."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.records: list[tuple[str, bytes, bytes, dict[str, str]]] = []
        self.fail_at = fail_at
        self.changed = asyncio.Condition()

    async def send(
        self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        acknowledged = asyncio.get_running_loop().create_future()
        if self.fail_at == len(self.records):
            acknowledged.set_exception(ConnectionError("broker gone"))
        else:
            acknowledged.set_result(None)
        named = {name: text.decode() for name, text in headers}
        self.records.append((topic, key, value, named))
        async with self.changed:
            self.changed.notify_all()
        return acknowledged

    async def reached(self, updates: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.ids("t.order-updates")) >= updates)

    def ids(self, topic: str) -> list[str]:
        return [headers["ce_id"] for to, _, _, headers in self.records if to == topic]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return random_history(random.Random(11).randrange, orders=30, partitions=3, most=500)


def project(store: Store, history: History) -> None:
    projector = Projector(store)
    projector.assign(history.log)
    projector.apply_all(history.log)


def applied(history: History) -> list[tuple[Event, Order | None, Order]]:
    """Every applied event with the order before and right behind it."""
    found = []
    for _, records in sorted(history.log.items()):
        orders: dict[str, Order] = {}
        for record in records:
            event = decode(record.value)
            before = orders.get(event.envelope.order_id)
            after = evolve(before, event, record.offset)
            if after is not None and after is not before:
                orders[event.envelope.order_id] = after
                found.append((event, before, after))
    return found


def updates(history: History) -> list[str]:
    """Ids of the events that changed the state of an order."""
    return [
        event.envelope.event_id
        for event, before, after in applied(history)
        if before is None or before.state is not after.state
    ]


async def everything(outlet: Outlet) -> None:
    while await outlet.publish():
        pass


async def test_every_change_of_state_goes_out_once_in_log_order(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire()
    outlet = Outlet(store, TOPICS, wire.send)
    assert outlet.lag() > 0
    await everything(outlet)
    assert wire.ids("t.order-updates") == updates(history)
    states = {headers["ce_type"].split(".")[2] for _, _, _, headers in wire.records}
    assert states == {state.value for state in State}
    for topic, kind in (("completed", OrderCompleted), ("failed", OrderFailed)):
        ends = [e.envelope.event_id for e, _, _ in applied(history) if isinstance(e.fact, kind)]
        assert ends != []
        assert wire.ids(f"t.order-{topic}") == ends
    assert outlet.lag() == 0


async def test_an_update_shows_the_order_as_it_was_then(store: Store, history: History) -> None:
    project(store, history)
    wire = Wire()
    await everything(Outlet(store, TOPICS, wire.send, Published(step_results=True)))
    sent = {
        h["ce_id"]: (h, orjson.loads(v)) for t, _, v, h in wire.records if t == TOPICS.order_updates
    }
    words = {State.ACCEPTED: "submitted", State.COMPLETED: "complete"}
    changes, steps = updates(history), 0
    for event, _, order in applied(history):
        event_id = event.envelope.event_id
        expected = {event_id: order.state.value} if event_id in changes else {}
        if isinstance(event.fact, StepResult):
            expected[f"{event_id}-step"] = f"step_{type(event.fact).__name__[4:].lower()}"
            steps += 1
        for ce_id, kind in expected.items():
            headers, shown = sent[ce_id]
            assert headers["ce_type"].replace("_", "") == f"waybill.order.{kind}.v1".replace(
                "_", ""
            )
            assert shown["status"] == words.get(order.state, order.state.value)
            assert shown["updated"] == order.updated.isoformat()
            assert shown["context"] == order.context
            assert shown["items"] == [{"name": "Quarterly", "quantity": 1}]
    assert len(sent) == len(changes) + steps


async def test_declared_secrets_and_sealed_sections_stay_inside(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire()
    secrets = {"zuora": ["secretToken"], "salesforceV3": ["secretToken"]}
    await everything(Outlet(store, TOPICS, wire.send, Published(secrets=secrets)))
    contexts = [orjson.loads(value)["context"] for _, _, value, _ in wire.records]
    assert any("zuora" in context for context in contexts)
    for context in contexts:
        assert "secretToken" not in context.get("zuora", {})
        assert "secretToken" not in context.get("salesforceV3", {})
    assert not any(b"ciphertext" in value or b"sealed" in value for _, _, value, _ in wire.records)


async def test_the_official_library_reads_what_goes_out(store: Store, history: History) -> None:
    project(store, history)
    wire = Wire()
    await everything(Outlet(store, TOPICS, wire.send))
    _, key, value, headers = wire.records[0]
    message = KafkaMessage(
        headers={name: text.encode() for name, text in headers.items()}, key=key, value=value
    )
    read = from_binary(message, JSONFormat())
    assert read.get_type() == "waybill.order.accepted.v1"
    assert read.get_specversion() == "1.0"
    order = history.orders[read.get_subject()]
    assert read.get_source() == f"/tenants/{order.tenant}"
    assert key == order.lane.encode()
    assert read.get_data()["id"] == order.id


async def test_without_all_acknowledgements_the_position_stays(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire(fail_at=3)
    with pytest.raises(ConnectionError):
        await Outlet(store, TOPICS, wire.send).publish()
    again = Wire()
    await everything(Outlet(store, TOPICS, again.send))
    assert again.ids("t.order-updates")[:1] == wire.ids("t.order-updates")[:1]
    assert again.ids("t.order-updates") == updates(history)


async def test_a_batch_that_failed_is_published_whole_by_the_same_outlet(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire(fail_at=20)
    outlet = Outlet(store, TOPICS, wire.send)
    with pytest.raises(ConnectionError):
        await outlet.publish()
    wire.records.clear()
    wire.fail_at = None
    await everything(outlet)
    assert wire.ids("t.order-updates") == updates(history)


async def test_a_restarted_outlet_goes_on_where_it_was(store: Store, history: History) -> None:
    projector = Projector(store)
    projector.assign(history.log)
    wire = Wire()
    half = {p: records[: len(records) // 2] for p, records in history.log.items()}
    projector.apply_all(half)
    await everything(Outlet(store, TOPICS, wire.send))
    projector.apply_all(history.log)
    await everything(Outlet(store, TOPICS, wire.send))
    ids = wire.ids("t.order-updates")
    assert len(ids) == len(set(ids))
    assert sorted(ids) == sorted(updates(history))


async def test_of_two_outlets_the_second_notices(store: Store, history: History) -> None:
    project(store, history)
    wire = Wire()
    slow = OutgoingEvents(store)
    assert slow.positions() == {}
    await everything(Outlet(store, TOPICS, wire.send))
    with pytest.raises(AnotherOutletError):
        slow.advance({0: (-1, 4)})


async def test_the_running_outlet_publishes_what_comes_and_stops_when_told(
    store: Store, history: History
) -> None:
    wire = Wire()
    stop = asyncio.Event()
    running = asyncio.create_task(Outlet(store, TOPICS, wire.send).run(stop))
    await asyncio.sleep(0.1)
    project(store, history)
    expected = len(updates(history))
    async with asyncio.timeout(10):
        await wire.reached(expected)
        stop.set()
        await running
