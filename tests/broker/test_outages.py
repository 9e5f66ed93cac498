"""What a Waybill depends on goes away and comes back: nothing is lost, and nobody has to act."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from aiokafka import ConsumerRecord

from schemas.codec import decode
from streams.agents.in_hand import MOST_DEATHS
from streams.agents.rejections import Refused, opened
from streams.core.evolve import evolve
from streams.core.order import Order, State
from tests.broker.outages import Breakable, Load, breakable_stack
from tests.e2e.stack import Stack, an_order
from waybill.keys import load_keys
from waybill.running import FAILED

DOWN_S = 8.0
STOPPED_S = 12.0
"""Longer than a session of the consumer group."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    with breakable_stack(tmp_path_factory.mktemp("outages")) as running:
        yield running


def all_end(stack: Stack, order_ids: list[str], seconds: float = 90.0) -> None:
    """Every order comes to its end."""
    assert order_ids

    def ended() -> bool:
        shown = stack.orders()
        return set(order_ids) <= {one["id"] for one in shown if one["status"] == "complete"}

    stack.until(ended, seconds)


def test_a_kafka_that_is_killed_under_load_loses_nothing(place: Breakable) -> None:
    stack, before = place.stack, place.pids()
    with Load(stack) as load:
        stack.until(lambda: len(load.taken) >= 10, 60)
        assert place.broker.pid is not None
        os.kill(place.broker.pid, signal.SIGKILL)
        time.sleep(DOWN_S)
        answered = len(load.taken)
        assert load.refused, "nobody was refused while Kafka was away"
        command = {"command": "pause", "reason": "a test"}
        where = f"{stack.url}/api/orders/{load.taken[0]}/commands"
        load.refused.append(httpx.post(where, json=command, timeout=5.5))
        assert place.broker.revive() == -signal.SIGKILL
        stack.until(lambda: len(load.taken) >= answered + 10, 60)
    for refused in load.refused:
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["code"] == "kafka_unavailable"
    assert load.slowest_s < 5.5, "a sender has an answer within five seconds"
    all_end(stack, load.taken)
    assert place.pids() == before, "an outage of Kafka starts nobody anew"


def test_a_database_that_is_stopped_is_waited_for(place: Breakable) -> None:
    stack, before = place.stack, place.pids()
    all_end(stack, [stack.submit(an_order())["id"]])
    place.postgresql.stop()
    try:
        # Kafka is there: orders are taken all the same, and kept until the store is back.
        taken = [stack.submit(an_order())["id"] for _ in range(5)]
        asked = httpx.get(f"{stack.url}/api/orders/{taken[0]}", timeout=10)
        assert asked.status_code == 503
        assert asked.headers["Retry-After"]
        time.sleep(3)
    finally:
        place.postgresql.ensure_postgres_running()
    all_end(stack, taken)
    published(stack, taken)
    assert place.pids() == before, "an outage of the database starts nobody anew"


def test_a_stuck_loop_and_a_dead_consumer_end_their_processes(place: Breakable) -> None:
    stack = place.stack
    stack.processes["projector"].send_signal(signal.SIGUSR1)
    stack.processes["worker"].send_signal(signal.SIGUSR2)
    taken = [stack.submit(an_order())["id"] for _ in range(3)]
    assert place.until_dead("worker", 90) == FAILED
    assert "the fetcher of Kafka's client has ended" in said(stack, "worker")
    assert place.until_dead("projector", 90) == FAILED
    assert "has not answered for 15 s" in said(stack, "projector")
    all_end(stack, taken)


def test_rebalances_under_load_and_a_zombie_change_nothing(place: Breakable) -> None:
    stack = place.stack
    # One that hangs must hold up no rebalance.
    stack.fault("zuora", mode="hang", count=1)
    with Load(stack) as load, another_worker(stack):
        first = stack.processes["worker"]
        first.send_signal(signal.SIGSTOP)
        taken = len(load.taken)
        time.sleep(STOPPED_S)
        first.send_signal(signal.SIGCONT)
        assert len(load.taken) > taken
        stack.until(lambda: len(load.taken) > taken + 20, 60)
    assert load.refused == []
    all_end(stack, load.taken)
    assert first.poll() is None, "who was stopped goes on"
    summary = httpx.get(f"{stack.sandbox}/_journal", params={"summary": "true"}).json()
    several = [one for one in summary["several_effects"] if one["partner"] != "salesforce"]
    assert several == [], "a partner that honours keys saw an effect twice"
    states = {order_id: order.state for order_id, order in folded(stack).items()}
    assert {states[order_id] for order_id in load.taken} == {State.COMPLETED}


@contextmanager
def another_worker(stack: Stack) -> Iterator[None]:
    """A second one joins, and leaves again."""
    stack.start("second", "worker")
    try:
        stack.until(lambda: stack._answers("second"), 90)
        yield
    finally:
        leaving = stack.processes.pop("second")
        leaving.terminate()
        leaving.wait(20)


def folded(stack: Stack) -> dict[str, Order]:
    """Every order as the log alone tells it; no offset may be missing in between."""
    orders: dict[str, Order] = {}
    position: dict[int, int] = {}
    for record in asyncio.run(stack.read(stack.topics.order_events)):
        assert record.offset == position.get(record.partition, 0)
        position[record.partition] = record.offset + 1
        event = decode(record.value)
        order_id = event.envelope.order_id
        after = evolve(orders.get(order_id), event, record.offset)
        assert after is not None
        orders[order_id] = after
    return orders


def published(stack: Stack, order_ids: list[str]) -> None:
    """Consumers of `order-completed` get to see all of them."""

    def all_there(found: list[ConsumerRecord]) -> bool:
        return set(order_ids) <= {json.loads(record.value)["id"] for record in found}

    asyncio.run(stack.read(stack.topics.order_completed, all_there))


def said(stack: Stack, name: str) -> str:
    return stack.log_file(name).read_text()


RECORD = "poisonous record"


def test_what_kills_three_workers_is_quarantined(place: Breakable) -> None:
    stack = place.stack
    good = [an_order() for _ in range(3)]
    values = [json.dumps(order).encode() for order in [an_order(RECORD), *good]]
    headers = {"waybill-tenant": "default", "x-shop": "Z\u00fcrich"}
    # All in one partition: what kills stands in front of what does not.
    asyncio.run(stack.produce(*[(b"k", value, headers) for value in values], partition=0))
    assert died_until(stack, {order["external_id"] for order in good}) == MOST_DEATHS
    rejected = quarantined(stack)
    assert (rejected.key, rejected.value) == (b"k", values[0])
    assert dict(rejected.headers) == {name: text.encode() for name, text in headers.items()}
    assert rejected.origin.startswith(f"{stack.topics.orders}/0/")
    assert "Fatal Python error: Segmentation fault" in said(stack, "worker")


def died_until(stack: Stack, wanted: set[str]) -> int:
    """How many workers died until these orders are complete."""
    deaths, deadline = 0, time.monotonic() + 120
    while time.monotonic() < deadline:
        if stack.processes["worker"].poll() is not None:
            deaths += 1
            stack.start("worker")
        shown = stack.orders()
        if wanted <= {one["external_id"] for one in shown if one["status"] == "complete"}:
            return deaths
        time.sleep(0.1)
    pytest.fail(f"{deaths} deaths, and the others have not ended")


def quarantined(stack: Stack) -> Refused:
    """What was set aside as poison, opened, as a replay would read it."""

    def is_there(found: list[ConsumerRecord]) -> bool:
        return any(dict(record.headers)["code"] == b"poison" for record in found)

    records = asyncio.run(stack.read(stack.topics.orders_rejected, is_there))
    poison = next(one for one in records if dict(one.headers)["code"] == b"poison")
    return opened(poison, load_keys(stack.folder / "keys.json", create=False)["default"])
