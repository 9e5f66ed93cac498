"""Deliveries from the update to the receiver's answer: order, retries, limits, disabling."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from projections.testing import History, acceptance
from projections.webhooks.upkeep import Upkeep
from streams.agents.projector import Projector
from streams.agents.webhooks.housekeeping import Housekeeping
from streams.core.sealing import SECTIONS, seal_document
from streams.core.webhooks.endpoint import Deleted
from streams.core.webhooks.schedule import DELAYS
from tests.delivering import EXAMPLES, Delivering, delivering
from waybill.clock import random_bytes

STATES = ("accepted", "processing", "completed")
EXAMPLE = EXAMPLES["order.accepted"]["full"]["data"]


@pytest.fixture
async def at_work(tmp_path: Path) -> AsyncIterator[Delivering]:
    async with delivering(tmp_path) as made:
        yield made


def status(code: int, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=code, headers=named)


async def test_what_an_endpoint_wants_arrives_in_order_signed_with_its_headers(
    at_work: Delivering,
) -> None:
    at_work.endpoint("some", events=("order.completed", "accepted.*"), headers={"x-key": "k1"})
    at_work.endpoint("all", events=("order.*",), payload="thin")
    at_work.publish("order-1", *STATES)
    found = await at_work.subscriber.has("all", 3)
    assert [one.type for one in found] == [f"order.{state}" for state in STATES]
    found = await at_work.subscriber.has("some", 2)
    assert [one.type for one in found] == ["accepted.new", "order.completed"]
    assert found[0].headers["x-key"] == "k1"
    assert found[1].body["data"]["context"]
    assert "context" not in at_work.subscriber.taken["all"][2].body["data"]
    await at_work.until(lambda: len(at_work.deliveries(status="delivered")) == 5)


async def test_a_failing_lane_blocks_only_itself_and_keeps_its_order(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",))
    at_work.subscriber.answers["one"] = lambda number: status(500 if number == 1 else 204)
    at_work.publish("order-1", *STATES)
    await at_work.subscriber.has("one", 1)
    at_work.publish("order-2", *STATES)
    await at_work.subscriber.has("one", 4)
    await at_work.until(lambda: len(at_work.deliveries(order="order-2", status="delivered")) == 3)
    head, *behind = at_work.deliveries(order="order-1")
    assert (head["status"], head["last_error"], head["attempts"]) == ("pending", "status_500", 1)
    assert head["next_attempt"] is not None
    assert {one["next_attempt"] for one in behind} == {None}
    at_work.clock.ahead += timedelta(seconds=6)
    found = await at_work.subscriber.has("one", 7)
    assert [one.type for one in found[4:]] == [f"order.{state}" for state in STATES]
    assert (found[4].message, found[4].body) == (found[0].message, found[0].body)


async def test_an_exhausted_delivery_is_failed_and_its_lane_goes_on(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",))
    at_work.subscriber.answers["one"] = lambda number: status(503 if number <= 10 else 200)
    at_work.publish("order-1", "accepted", "completed")
    for attempts in range(1, 10):
        await at_work.subscriber.has("one", attempts)
        await at_work.until(lambda n=attempts: at_work.deliveries()[0]["attempts"] == n)
        at_work.clock.ahead += DELAYS[attempts] + timedelta(seconds=1)
    found = await at_work.subscriber.has("one", 11)
    assert [one.type for one in found[9:]] == ["order.accepted", "order.completed"]
    failed = await at_work.until(lambda: at_work.deliveries(status="failed"))
    assert failed[0]["attempts"] == 10
    assert await at_work.until(lambda: at_work.deliveries(status="delivered"))


async def test_410_disables_at_once_and_others_are_told(at_work: Delivering) -> None:
    gone = at_work.endpoint("gone", events=("order.*",))
    at_work.endpoint("other", events=("webhook.*",))
    at_work.subscriber.answers["gone"] = lambda number: status(410 if number == 1 else 200)
    at_work.publish("order-1", "accepted")
    [notice] = await at_work.subscriber.has("other", 1)
    assert notice.type == "webhook.endpoint_disabled"
    assert notice.body["data"]["endpoint"] == gone.id
    assert (notice.body["data"]["reason"], notice.body["data"]["url"]) == (
        "gone",
        at_work.subscriber.base,
    )
    at_work.publish("order-2", "accepted")
    await at_work.until(lambda: at_work.state(gone)["pending"] == 2)
    assert at_work.state(gone)["reason"] == "gone"
    assert at_work.state(gone)["disabled_at"] is not None
    assert len(at_work.subscriber.taken["gone"]) == 1
    at_work.change(gone, generation=2)
    await at_work.subscriber.has("gone", 3)
    await at_work.until(lambda: at_work.state(gone)["pending"] == 0)


async def test_five_days_of_nothing_but_failures_disable(at_work: Delivering) -> None:
    endpoint = at_work.endpoint("one", events=("order.*",))
    at_work.subscriber.answers["one"] = lambda _: status(500)
    at_work.publish("order-1", "accepted")
    await at_work.until(lambda: at_work.state(endpoint)["failing_since"])
    at_work.clock.ahead += timedelta(days=5)
    await at_work.until(lambda: at_work.state(endpoint)["reason"] == "failing")


async def test_a_success_in_between_begins_the_days_anew(at_work: Delivering) -> None:
    endpoint = at_work.endpoint("one", events=("order.*",))
    at_work.subscriber.answers["one"] = lambda number: status(200 if number == 2 else 500)
    at_work.publish("order-1", "accepted")
    await at_work.until(lambda: at_work.state(endpoint)["failing_since"])
    at_work.clock.ahead += timedelta(days=4)
    await at_work.until(lambda: at_work.state(endpoint)["last_success"])
    at_work.clock.ahead += timedelta(days=2)
    at_work.publish("order-2", "accepted")
    await at_work.until(lambda: at_work.state(endpoint)["failing_since"])
    assert at_work.state(endpoint)["disabled_at"] is None


async def test_retry_after_holds_the_whole_endpoint(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",), max_in_flight=1)
    at_work.subscriber.answers["one"] = lambda number: (
        status(429, Retry_After="1") if number == 1 else status(200)
    )
    at_work.publish("order-1", "accepted")
    await at_work.subscriber.has("one", 1)
    at_work.publish("order-2", "accepted")
    found = await at_work.subscriber.has("one", 2)
    assert 0.9 <= found[1].at - found[0].at <= 3


async def test_a_redirect_is_a_failure_and_nobody_follows_it(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",))
    at_work.endpoint("two", events=())
    elsewhere = f"{at_work.subscriber.base}/two"
    at_work.subscriber.answers["one"] = lambda _: status(307, Location=elsewhere)
    at_work.publish("order-1", "accepted")
    [found] = await at_work.until(
        lambda: [one for one in at_work.deliveries() if one["attempts"] == 1]
    )
    assert (found["last_status"], found["last_error"]) == (307, "redirected")
    assert not at_work.subscriber.taken["two"]


async def test_an_address_that_is_refused_is_never_called(at_work: Delivering) -> None:
    port = int(at_work.subscriber.base.rsplit(":", 1)[1])
    at_work.endpoint("one", events=("order.*",), url=f"http://[::1]:{port}/one")
    at_work.publish("order-1", "accepted")
    [found] = await at_work.until(
        lambda: [one for one in at_work.deliveries() if one["attempts"] == 1]
    )
    assert found["last_status"] is None
    assert found["last_error"].startswith("webhook_")


async def test_a_rate_limit_is_kept(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",), rate_limit=20)
    for number in range(16):
        at_work.publish(f"order-{number}", "accepted")
    found = await at_work.subscriber.has("one", 16)
    assert found[15].at - found[0].at >= 0.6


async def test_what_a_disabled_endpoint_missed_is_kept_for_it(at_work: Delivering) -> None:
    endpoint = at_work.endpoint("one", events=("order.*",), enabled=False)
    at_work.publish("order-1", *STATES)
    await at_work.until(lambda: len(at_work.deliveries(status="pending")) == 3)
    at_work.change(endpoint, enabled=True, generation=2)
    found = await at_work.subscriber.has("one", 3)
    assert [one.type for one in found] == [f"order.{state}" for state in STATES]


async def test_a_deleted_endpoints_deliveries_are_given_up(at_work: Delivering) -> None:
    endpoint = at_work.endpoint("one", events=("order.*",), enabled=False)
    at_work.publish("order-1", "accepted")
    await at_work.until(lambda: len(at_work.deliveries(status="pending")) == 1)
    at_work.put(Deleted(endpoint.id, "acme"))
    at_work.clock.ahead += timedelta(minutes=11)
    keeping = Housekeeping(
        upkeep=Upkeep(at_work.store),
        book=at_work.book,
        owned=lambda: at_work.dispatcher.owned,
        now=at_work.clock,
    )
    keeping.tidy()
    assert [one["status"] for one in at_work.deliveries()] == ["discarded"]


async def test_an_answer_is_kept_cut_and_without_our_secrets(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",), headers={"x-key": "canary-4711"})
    said = "you sent canary-4711 " + "x" * 9_000
    at_work.subscriber.answers["one"] = lambda _: web.Response(status=400, text=said)
    at_work.publish("order-1", "accepted")
    [found] = await at_work.until(
        lambda: [one for one in at_work.deliveries() if one["attempts"] == 1]
    )
    shown = at_work.api.one("acme", found["id"])
    assert shown is not None
    response = shown["attempts_log"][0]["response"]
    assert response.startswith("you sent [redacted] xxx")
    assert len(response) <= 4_096
    assert "canary" not in str(shown)


def sealed_order(at_work: Delivering) -> str:
    """An order in the store whose buyer is sealed."""
    event = acceptance(1, (), "acme")
    key = at_work.vault.made("acme", ["subject-1"])["subject-1"]
    document = {"customerDetails": {"email": "w.quillfeather@example.com"}, "orderItems": []}
    order_id = event.envelope.order_id
    text, sealed = seal_document(document, order_id, key, random_bytes(12))
    history = History()
    fact = replace(event.fact, document=text, sealed=sealed)
    history.append(0, replace(event, fact=fact))
    projector = Projector(at_work.store)
    projector.assign([0])
    projector.apply_all(history.log)
    return order_id


async def test_personal_data_goes_only_to_those_who_may_and_lies_sealed(
    at_work: Delivering,
) -> None:
    order = sealed_order(at_work)
    at_work.endpoint("may", events=("order.accepted",), personal_data=True)
    at_work.endpoint("may_not", events=("order.accepted",))
    data = {**EXAMPLE, "id": order, "document": {}}
    at_work.write("update-1", order, "accepted", data)
    [told] = await at_work.subscriber.has("may", 1)
    [not_told] = await at_work.subscriber.has("may_not", 1)
    assert told.body["data"]["customerDetails"]["email"] == "w.quillfeather@example.com"
    assert not set(SECTIONS) & set(not_told.body["data"])
    await at_work.until(lambda: len(at_work.deliveries(status="delivered")) == 2)
    [found] = at_work.deliveries(endpoint="whe_may")
    shown = at_work.api.one("acme", found["id"])
    assert shown is not None
    assert (shown["request"]["sealed"], shown["request"]["body"]) == (True, None)
    assert shown["attempts_log"][0]["response"] is None
    assert b"quillfeather" not in at_work.store_bytes()


async def test_a_message_of_an_erased_person_is_never_sent_again(at_work: Delivering) -> None:
    order = sealed_order(at_work)
    at_work.endpoint("may", events=("order.accepted",), personal_data=True)
    at_work.subscriber.answers["may"] = lambda _: status(500)
    data = {**EXAMPLE, "id": order, "document": {}}
    at_work.write("update-1", order, "accepted", data)
    await at_work.until(lambda: [one for one in at_work.deliveries() if one["attempts"] == 1])
    at_work.vault.destroy("acme", "subject-1")
    at_work.clock.ahead += timedelta(seconds=40)
    [found] = await at_work.until(lambda: at_work.deliveries(status="discarded"))
    assert found["last_error"] == "erased"
    assert len(at_work.subscriber.taken["may"]) == 1


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",))
    at_work.publish("order-1", "accepted", "processing")
    await at_work.subscriber.has("one", 2)
    at_work.reader.revoked()
    at_work.ends = dict.fromkeys(at_work.ends, 0)
    starts = await at_work.reader.assigned(at_work.ends, at_work.ends)
    assert set(starts.values()) == {0}
    at_work.publish("order-2", "accepted")
    assert len(await at_work.subscriber.has("one", 3)) == 3


async def test_an_update_that_is_published_again_is_delivered_once(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",))
    at_work.publish("order-1", "accepted")
    at_work.write("order-1-accepted", "order-1", "accepted", {**EXAMPLE, "id": "order-1"})
    at_work.publish("order-2", "accepted")
    await at_work.subscriber.has("one", 2)
    await at_work.until(lambda: len(at_work.deliveries(status="delivered")) == 2)
    assert len(at_work.subscriber.taken["one"]) == 2


async def test_a_slow_endpoint_gets_so_many_at_once_and_of_each_order_one(
    at_work: Delivering,
) -> None:
    at_work.subscriber.delay_s = 0.1
    at_work.endpoint("one", events=("order.*",), max_in_flight=3)
    for number in range(4):
        at_work.publish(f"order-{number}", *STATES)
    await at_work.subscriber.has("one", 12)
    await at_work.until(lambda: len(at_work.deliveries(status="delivered")) == 12)
    orders = {f"order-{number}": 1 for number in range(4)}
    assert at_work.subscriber.most == {"one": 3, **orders}


async def test_nobody_at_home_is_told_as_a_word(at_work: Delivering) -> None:
    at_work.endpoint("one", events=("order.*",), url="https://no-such-host.invalid/hooks")
    at_work.publish("order-1", "accepted")
    [found] = await at_work.until(
        lambda: [one for one in at_work.deliveries() if one["attempts"] == 1]
    )
    assert (found["status"], found["last_error"]) == ("pending", "not_reached")
