"""The outlet publishes every applied change in log order, and again rather than not."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any
from unittest.mock import ANY

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from projections.outgoing import AnotherOutletError, OutgoingEvents
from projections.store import Store
from projections.testing import History
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    Event,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderReopened,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResolved,
    StepResult,
    StepSkipped,
    StepSucceeded,
)
from streams.agents.outlet import Outlet
from streams.agents.projector import Projector
from streams.agents.publication import Published
from streams.core.order import Order, State
from streams.topics import Topics
from tests.full_histories import applied, full_history

TOPICS = Topics("t.")
STEPS = {
    StepSucceeded: "step_succeeded",
    StepFailed: "step_failed",
    StepInDoubt: "step_in_doubt",
    StepSkipped: "step_skipped",
    StepDeferred: "step_deferred",
    CompensationSucceeded: "step_compensated",
    CompensationFailed: "step_compensation_failed",
}


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

    def lanes(self, topic: str) -> dict[str, list[str]]:
        """The ids by key: only records of one key have an order."""
        return by_lane((key.decode(), h["ce_id"]) for to, key, _, h in self.records if to == topic)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return full_history()


def project(store: Store, history: History) -> None:
    projector = Projector(store)
    projector.assign(history.log)
    projector.apply_all(history.log)


def updates(history: History) -> dict[str, list[str]]:
    """Ids of the events that subscribers hear of, by lane in log order."""
    return by_lane(
        (event.envelope.lane, event.envelope.event_id)
        for event, before, after in applied(history)
        if news(event, before, after)
    )


def by_lane(ids: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for lane, event_id in ids:
        found.setdefault(lane, []).append(event_id)
    return found


def news(event: Event, before: Order | None, after: Order) -> str | None:
    """What they hear: changes of state, an amendment, another run."""
    if isinstance(event.fact, OrderAmended | OrderReopened):
        return type(event.fact).__name__.removeprefix("Order").lower()
    return after.state.value if before is None or before.state is not after.state else None


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
    assert wire.lanes("t.order-updates") == updates(history)
    states = {headers["ce_type"].split(".")[2] for _, _, _, headers in wire.records}
    assert states == {*(state.value for state in State), "amended", "reopened"}
    for topic, kind in (("completed", OrderCompleted), ("failed", OrderFailed | OrderCancelled)):
        ends = [e.envelope for e, _, _ in applied(history) if isinstance(e.fact, kind)]
        assert ends != []
        assert wire.lanes(f"t.order-{topic}") == by_lane((e.lane, e.event_id) for e in ends)
    assert outlet.lag() == 0


async def test_an_end_is_published_once_for_each_run(store: Store, history: History) -> None:
    project(store, history)
    wire = Wire()
    await everything(Outlet(store, TOPICS, wire.send))
    ends = [
        (headers["ce_subject"], orjson.loads(value)["run"], headers["ce_type"])
        for topic, _, value, headers in wire.records
        if topic in {"t.order-completed", "t.order-failed"}
    ]
    assert len(ends) == len(set(ends))
    final = {"waybill.order.completed.v1", "waybill.order.cancelled.v1"}
    for order in {order for order, _, _ in ends}:
        kinds = [kind for one, _, kind in ends if one == order]
        assert not final & set(kinds[:-1]), "nothing comes after a final end"


def as_it_was_then(shown: dict[str, Any], order: Order) -> None:
    words = {State.ACCEPTED: "submitted", State.COMPLETED: "complete"}
    assert shown["status"] == words.get(order.state, order.state.value)
    assert shown["updated"] == order.updated.isoformat()
    assert shown["sequence"] == order.sequence
    known = {step.id for step in order.accepted.waybill}
    assert shown["context"] == {s: o for s, o in order.context.items() if s in known}
    document = orjson.loads(order.accepted.document)
    assert shown["items"] == document.pop("orderItems")
    assert shown.get("document", document) == document


async def test_an_update_shows_the_order_as_it_was_then(store: Store, history: History) -> None:
    project(store, history)
    wire = Wire()
    await everything(Outlet(store, TOPICS, wire.send, Published(step_results=lambda _: True)))
    sent = {
        h["ce_id"]: (h, orjson.loads(v)) for t, _, v, h in wire.records if t == TOPICS.order_updates
    }
    changes = {event_id for ids in updates(history).values() for event_id in ids}
    steps = 0
    for event, before, order in applied(history):
        event_id = event.envelope.event_id
        expected = {event_id: news(event, before, order)} if event_id in changes else {}
        if isinstance(event.fact, StepResult | StepResolved):
            stands = order.progress[order.index_of(event.fact.step)].status
            expected[f"{event_id}-step"] = STEPS.get(type(event.fact), f"step_{stands}")
            steps += 1
        for ce_id, kind in expected.items():
            headers, shown = sent[ce_id]
            assert headers["ce_type"] == f"waybill.order.{kind}.v1"
            as_it_was_then(shown, order)
            if ce_id.endswith("-step"):
                stands = order.progress[order.index_of(event.fact.step)].status
                attempt = getattr(event.fact, "attempt", ANY)
                told = (event.fact.step, stands, attempt)
                assert tuple(shown["step"][n] for n in ("id", "status", "attempt")) == told
    assert len(sent) == len(changes) + steps


async def test_what_an_update_leaves_out_shows_in_its_sequence(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire()
    for _ in range(3):  # each outlet folds anew what it has not seen itself
        await Outlet(store, TOPICS, wire.send, Published(step_results=lambda _: True)).publish()
    await everything(Outlet(store, TOPICS, wire.send, Published(step_results=lambda _: True)))
    told: dict[str, int] = {}
    for topic, _, value, headers in wire.records:
        shown, order = orjson.loads(value), headers["ce_subject"]
        if topic == TOPICS.order_updates:
            assert shown["previous_sequence"] == told.get(order)
            if "step_" not in headers["ce_type"]:
                told[order] = shown["sequence"]
    assert told.keys() == history.orders.keys()


async def test_step_results_go_out_for_the_tenants_that_want_them(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire()
    await everything(
        Outlet(store, TOPICS, wire.send, Published(step_results=lambda t: t == "tenant-1"))
    )
    told = {h["ce_source"] for _, _, _, h in wire.records if "step_" in h["ce_type"]}
    assert told == {"/tenants/tenant-1"}


async def test_what_the_order_asks_for_goes_along_when_it_is_new_and_when_it_is_looked_at(
    store: Store, history: History
) -> None:
    project(store, history)
    wire = Wire()
    await everything(Outlet(store, TOPICS, wire.send))
    kinds = {headers["ce_type"].split(".")[2] for _, _, _, headers in wire.records}
    with_it = {h["ce_type"].split(".")[2] for _, _, v, h in wire.records if b'"document":' in v}
    expected = {"accepted", "amended", "in_doubt", "completed", "failed", "cancelled"}
    assert with_it == expected & kinds == expected


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
    assert again.lanes("t.order-updates") == updates(history)


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
    assert wire.lanes("t.order-updates") == updates(history)


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
    assert wire.lanes("t.order-updates") == updates(history)


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
    expected = sum(map(len, updates(history).values()))
    async with asyncio.timeout(10):
        await wire.reached(expected)
        stop.set()
        await running
