"""A partner goes down and comes back: orders wait, others do not notice, nobody does anything."""

import json
from collections import Counter
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.stack import Stack, an_order

ORDERS = 60


def stage(stack: Stack) -> str:
    return f"zuora@{stack.environment['WAYBILL_SANDBOX']}"


def figure(stack: Stack, name: str, **labels: str) -> float:
    """The sum of a worker's samples with these labels."""
    families = text_string_to_metric_families(stack.metrics("worker").decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def status(stack: Stack, ids: list[str]) -> Counter[str]:
    return Counter(str(stack.order(order_id).get("status")) for order_id in ids)


def effects(stack: Stack) -> list[Any]:
    """The orders that Zuora booked, once for each time."""
    listed = httpx.get(f"{stack.sandbox}/_journal", params={"partner": "zuora"}).json()
    return [
        entry["order"]
        for entry in listed["items"]
        if entry["effect"] and entry["path"].startswith("/zuora/v1/orders")
    ]


def test_orders_wait_for_a_partner_that_is_down_and_follow_when_it_is_back(
    stack: Stack,
) -> None:
    stack.fault("zuora", status=503)
    ids = [str(stack.submit(an_order())["id"]) for _ in range(ORDERS)]
    named = {"stage": stage(stack)}
    stack.until(lambda: figure(stack, "waybill_stage_breaker", **named) == 2)
    stack.until(lambda: status(stack, ids)["waiting"] == ORDERS, 60)
    assert figure(stack, "waybill_steps_deferred_total", **named, reason="breaker") > 0
    order = stack.order(ids[-1])
    assert [step["attempts"] for step in order["steps"]][:2] == [1, 0]

    shown = httpx.get(f"{stack.url}/api/stages").json()
    assert stage(stack) in json.dumps(shown)

    stack.mend()
    stack.until(lambda: status(stack, ids)["complete"] == ORDERS, 90)
    assert Counter(effects(stack)) == Counter(ids)
    stack.until(lambda: figure(stack, "waybill_stage_breaker", **named) == 0)


def test_a_held_stage_lets_its_orders_wait_and_go_on(stack: Stack) -> None:
    hold = stack.cli("stage", "hold", stage(stack), "--reason", "their release")
    assert hold.returncode == 0, hold.stderr
    named = {"stage": stage(stack)}
    stack.until(lambda: figure(stack, "waybill_stage_held", **named) == 1)
    order_id = str(stack.submit(an_order())["id"])
    order = stack.until(
        lambda: found if (found := stack.order(order_id)).get("status") == "waiting" else None
    )
    assert {step["id"]: step["attempts"] for step in order["steps"]}["zuora"] == 0
    assert stack.cli("stage", "release", stage(stack), "--reason", "it is over").returncode == 0
    assert stack.ended(order_id)["status"] == "complete"
