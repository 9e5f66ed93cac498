"""The REST interface of a running Waybill, as a shop or a person with curl meets it."""

import json

import httpx
import pytest

from tests.e2e.stack import PERSONAL, Stack, an_order

pytestmark = pytest.mark.usefixtures("mended")


@pytest.fixture
def mended(stack: Stack) -> None:
    stack.mend()


def test_an_order_that_is_processed_immediately_answers_with_its_outcome(stack: Stack) -> None:
    answer = httpx.post(
        f"{stack.url}/api/order", json=an_order(process_immediately=True), timeout=40
    )
    assert answer.status_code == 200, answer.text
    order = answer.json()
    assert order["status"] in {"post_processing", "complete"}
    assert stack.ended(order["id"])["completion"] == "order complete"


def test_a_buyer_is_told_in_plain_words_why_a_critical_step_failed(stack: Stack) -> None:
    stack.fault("zuora", path="/v1/orders", status=400)
    answer = stack.submit(an_order(process_immediately=True))
    assert answer["status"] == "failed"
    assert answer["error"]["code"]
    words = answer["error"]["buyer_message"]
    assert words.endswith(".")
    assert "zuora" not in words.lower()
    assert not any(value in words for value in PERSONAL)
    order = stack.ended(answer["id"])
    status = {step["id"]: step["status"] for step in order["steps"]}
    assert status["salesforceV3"] == "succeeded"
    assert status["zuora"] == "failed"
    assert status["entitlements"] == "pending"


def test_a_step_that_is_not_critical_is_recorded_and_the_order_completes(stack: Stack) -> None:
    stack.fault("callout", status=400)
    answer = stack.submit(an_order())
    order = stack.ended(answer["id"])
    assert order["status"] == "complete"
    (failed,) = [step for step in order["steps"] if step["status"] == "failed"]
    assert (failed["id"], failed["critical"]) == ("calloutPlugin", False)
    recorded = httpx.get(f"{stack.url}/api/orders/{order['id']}/process-events").json()
    callouts = recorded["items"][0]["callouts"]
    assert {"plugin": "calloutPlugin", "status": 400}.items() <= next(
        callout for callout in callouts if callout["plugin"] == "calloutPlugin"
    ).items()


def test_who_holds_a_token_reads_what_was_written(stack: Stack) -> None:
    for _ in range(5):
        answer = stack.submit(an_order())
        read = httpx.get(
            f"{stack.url}/api/orders/{answer['id']}", params={"min_offset": answer["token"]}
        )
        assert read.status_code == 200, read.text
        assert read.json()["id"] == answer["id"]


def test_another_body_under_a_known_external_id_is_a_conflict(stack: Stack) -> None:
    order = an_order()
    first = stack.submit(order)
    stack.ended(first["id"])
    assert stack.submit(order)["id"] == first["id"]
    other = {**order, "total": {"currency": "GBP", "amount": 1}}
    refused = httpx.post(f"{stack.url}/api/order", json=other)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"]


def test_the_stream_tells_of_every_event_of_an_order_as_it_happens(stack: Stack) -> None:
    seen: list[str] = []
    with httpx.stream("GET", f"{stack.url}/api/events", timeout=20) as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line.startswith("id: "))
        order_id = stack.submit(an_order())["id"]
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "data" and (entry := json.loads(value))["order"] == order_id:
                seen.append(entry["type"])
                if entry["type"] == "OrderCompleted":
                    break
    timeline = httpx.get(f"{stack.url}/api/orders/{order_id}/timeline").json()
    assert seen == [entry["type"] for entry in timeline["items"]]
