"""Commands to orders on a running Waybill: by REST, by Kafka and by the command line."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from schemas.order_commands import OrderCommand, encoded_command
from streams.topics import Topics
from tests.e2e.commanding import command, failed_order, hasty_stack, types
from tests.e2e.stack import Stack, an_order


@pytest.fixture(scope="module")
def stack(
    kafka: str, module_topics: Topics, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Steps that fail at once: waiting is another test's matter."""
    with hasty_stack(kafka, module_topics, tmp_path_factory.mktemp("stack")) as running:
        yield running


def test_a_failed_order_is_retried_and_completes(stack: Stack) -> None:
    order_id = failed_order(stack)
    answer = command(stack, order_id, "retry")
    assert (answer["status"], answer["actor"], answer["reason"]) == ("applied", "local", "a test")
    order = stack.until(
        lambda: found if (found := stack.order(order_id))["status"] == "complete" else None
    )
    assert order["run"] == 2
    told = types(stack, order_id)
    assert told.index("OrderFailed") < told.index("CommandReceived") < told.index("OrderReopened")
    again = command(stack, order_id, "retry")
    assert again["status"] == "rejected"
    assert again["code"]
    assert again["answer"]


def test_the_same_command_twice_has_one_effect(stack: Stack) -> None:
    order_id = failed_order(stack)
    named = {"id": f"c-{order_id}"}
    assert command(stack, order_id, "retry", **named)["status"] == "applied"
    stack.until(lambda: stack.order(order_id)["status"] == "complete")
    assert command(stack, order_id, "retry", **named)["status"] == "applied"
    assert types(stack, order_id).count("CommandReceived") == 1
    listed = httpx.get(f"{stack.url}/api/orders/{order_id}/commands").json()["items"]
    assert [one["id"] for one in listed] == [named["id"]]
    other = httpx.post(
        f"{stack.url}/api/orders/{order_id}/commands",
        json={"command": "cancel", "reason": "r", **named},
    )
    assert (other.status_code, other.json()["code"]) == (409, "command_id_conflict")


def test_a_step_in_doubt_is_resolved_by_hand(stack: Stack) -> None:
    stack.fault("callout", path="/l", mode="cut_after")
    order_id = str(stack.submit(an_order(order_type="external", forSubscription="A-S1"))["id"])
    stack.until(lambda: stack.order(order_id).get("status") == "in_doubt", 60)
    stack.mend()
    answer = command(stack, order_id, "resolve", output={"id": "L-1"})
    assert answer["status"] == "applied"
    assert stack.ended(order_id)["status"] == "complete"


def test_what_a_complete_order_left_to_do_is_listed_until_its_result_is_there(
    stack: Stack,
) -> None:
    order_id = str(stack.submit(an_order(order_type="refund", forSubscription="A-S1"))["id"])
    order = stack.ended(order_id)
    assert order["status"] == "complete"
    assert "step bank left something to do (by_hand)" in order["next_action"]
    assert left_over(stack) == {("calloutPlugin", "by_hand")}
    told = httpx.get(f"{stack.url}/api/orders/{order_id}/process-events").json()["items"]
    warnings = [line["message"] for line in told[0]["logs"] if line["level"] == "warning"]
    assert warnings == [
        "step bank: the bank closes at noon",
        "step bank left something to do: pay it back by hand (by_hand)",
    ]
    answer = command(stack, order_id, "resolve", step="bank", output={"paid": "BANK-77"})
    assert answer["status"] == "applied"
    order = stack.order(order_id)
    assert (order["status"], order["run"], order["next_action"]) == ("complete", 1, "none")
    assert left_over(stack) == set()
    again = command(stack, order_id, "resolve", step="bank", output={})
    assert (again["status"], again["code"]) == ("rejected", "already_done")


def left_over(stack: Stack) -> set[tuple[str, str]]:
    """Plugin and code of each follow-up that the attention view lists."""
    causes = httpx.get(f"{stack.url}/api/attention").json()["items"]
    return {(one["plugin"], one["code"]) for one in causes if one["kind"] == "follow_up"}


def test_a_failed_step_is_skipped(stack: Stack) -> None:
    order_id = failed_order(stack)
    assert command(stack, order_id, "skip", step="zuora")["status"] == "applied"
    order = stack.until(
        lambda: found if (found := stack.order(order_id))["status"] == "complete" else None
    )
    assert {step["id"]: step["status"] for step in order["steps"]}["zuora"] == "skipped"


def test_an_order_is_paused_between_its_steps_and_resumed(stack: Stack) -> None:
    stack.fault("salesforce", mode="delay", delay_ms=1500)
    order_id = str(stack.submit(an_order())["id"])
    stack.until(lambda: stack.order(order_id))
    assert command(stack, order_id, "pause")["status"] == "applied"
    stack.mend()
    order = stack.order(order_id)
    assert order["status"] == "paused"
    assert "local" in order["next_action"]
    assert command(stack, order_id, "resume")["status"] == "applied"
    assert stack.ended(order_id)["status"] == "complete"


def test_a_failed_order_is_cancelled_for_good(stack: Stack) -> None:
    order_id = failed_order(stack)
    assert command(stack, order_id, "cancel")["status"] == "applied"
    assert stack.order(order_id)["status"] == "cancelled"
    assert command(stack, order_id, "retry")["status"] == "rejected"


def test_an_order_is_amended_before_it_is_tried_again(stack: Stack) -> None:
    stack.fault("salesforce", status=400)
    order_id = str(stack.submit(an_order())["id"])
    assert stack.ended(order_id)["status"] == "failed"
    stack.mend()
    changes = {"customerDetails": {"firstName": "Mina"}, "country": "IE"}
    answer = command(stack, order_id, "amend", changes=changes)
    assert answer["status"] == "applied", answer
    assert "OrderAmended" in types(stack, order_id)
    timeline = httpx.get(f"{stack.url}/api/orders/{order_id}/timeline").text
    assert "Mina" not in timeline
    stack.order(order_id)["status"] == "failed" and command(stack, order_id, "retry")
    stack.until(lambda: stack.order(order_id)["status"] == "complete")
    journal = httpx.get(f"{stack.sandbox}/_journal", params={"order": order_id}).text
    assert "Mina" in journal
    refused = httpx.post(
        f"{stack.url}/api/orders/{order_id}/commands",
        json={"command": "amend", "reason": "r", "changes": {"mode": "test"}},
    )
    assert refused.status_code == 422, refused.text


def halfway(stack: Stack) -> str:
    """An order whose first step is done and whose second one failed."""
    stack.fault("callout", path="/pay", status=400)
    order_id = str(stack.submit(an_order(order_type="credit", forSubscription="A-S1"))["id"])
    assert stack.ended(order_id)["status"] == "failed"
    stack.mend()
    return order_id


def statuses(stack: Stack, order_id: str) -> dict[str, str]:
    return {step["id"]: step["status"] for step in stack.order(order_id)["steps"]}


def paths(stack: Stack, order_id: str) -> list[str]:
    """Whose doors the order knocked at."""
    journal = httpx.get(f"{stack.sandbox}/_journal", params={"order": order_id}).json()["items"]
    return [entry["path"].rsplit("/", 1)[-1] for entry in journal]


def test_what_a_cancelled_order_has_done_is_undone(stack: Stack) -> None:
    order_id = halfway(stack)
    assert command(stack, order_id, "cancel")["status"] == "applied"
    assert stack.order(order_id)["status"] == "cancelled"
    assert statuses(stack, order_id)["stock"] == "compensated"
    assert paths(stack, order_id) == ["stock", "pay", "stock-undo"]
    told = types(stack, order_id)
    assert told.index("CompensationSucceeded") < told.index("OrderCancelled")


def test_what_an_amendment_touches_is_undone_and_done_again(stack: Stack) -> None:
    order_id = halfway(stack)
    answer = command(stack, order_id, "amend", changes={"country": "IE"})
    assert answer["status"] == "applied", answer
    if stack.order(order_id)["status"] == "failed":
        assert command(stack, order_id, "retry")["status"] == "applied"
    stack.until(lambda: stack.order(order_id)["status"] == "complete")
    assert paths(stack, order_id) == ["stock", "pay", "stock-undo", "stock", "pay"]


async def test_an_unknown_order_is_rejected_and_a_command_by_kafka_is_taken(stack: Stack) -> None:
    order_id = failed_order(stack)
    known = OrderCommand(id="by-kafka", order=order_id, command="retry", reason="r")
    unknown = OrderCommand(id="nobody", order="nobody's", command="retry", reason="r")
    as_json = json.dumps({"order": order_id, "command": "retry", "reason": ""}).encode()
    headers = {"waybill-actor": "batch"}
    await stack.produce(
        (b"k", encoded_command(unknown), headers),
        (b"k", as_json, headers),
        (b"k", encoded_command(known), headers),
        topic=stack.topics.order_commands,
    )
    stack.until(lambda: stack.order(order_id)["status"] == "complete")
    found = json.loads(stack.cli("command", "by-kafka", "--json").stdout)
    assert (found["status"], found["actor"]) == ("applied", "batch")

    def codes(records: Any) -> list[str]:
        return [dict(record.headers)["code"].decode() for record in records]

    rejected = await stack.read(stack.topics.orders_rejected, lambda found: len(found) >= 2)
    assert sorted(codes(rejected)) == ["malformed", "unknown_order"]
    for record in rejected:
        headers = dict(record.headers)
        assert headers["reason"]
        assert headers["remedy"]
        assert headers["field"]
