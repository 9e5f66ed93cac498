"""A running Waybill whose steps fail at once, and commands to its orders."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from streams.topics import Topics
from tests.e2e.stack import CONFIGURATION, STEPS, Stack, an_order, running_stack

LEDGER = {
    "name": "calloutPlugin",
    "id": "ledger",
    "service": "ledger",
    "options": {"endpoint": "/l"},
    "retry": "none",
}
"""The only step of orders of the type `external`: nobody can tell what became of its call."""


STOCK = {
    **LEDGER,
    "id": "stock",
    "service": "stock",
    "options": {"endpoint": "/stock", "undo": "/stock-undo"},
    "compensate": True,
}
PAY = {**LEDGER, "id": "pay", "service": "pay", "options": {"endpoint": "/pay"}}
"""Steps of orders of the type `credit`: what the first one does can be undone."""

BANK = {
    **LEDGER,
    "id": "bank",
    "service": "bank",
    "options": {
        "endpoint": "/bank",
        "response": {
            "warnings": "['the bank closes at noon']",
            "follow_up": "{code: 'by_hand', message: 'pay it back by hand'}",
        },
    },
}
"""The only step of orders of the type `refund`: it leaves something for a person."""


@contextmanager
def hasty_stack(kafka: str, topics: Topics, folder: Path, **more: Any) -> Iterator[Stack]:
    """All processes; waiting for the next attempt is another test's matter."""
    default = {
        **CONFIGURATION["tenants"]["default"],
        "sequence": [{**step, "retry": "none"} for step in STEPS],
        "overrides": [
            {"order_type": "external", "sequence": [LEDGER]},
            {"order_type": "credit", "sequence": [STOCK, PAY], "post": []},
            {"order_type": "refund", "sequence": [BANK], "post": []},
        ],
    }
    configuration = {"tenants": {**CONFIGURATION["tenants"], "default": default}}
    with running_stack(kafka, topics, folder, configuration, **more) as running:
        yield running


def command(stack: Stack, order_id: str, name: str, **more: Any) -> dict[str, Any]:
    """The command as the order answered it."""
    body = {"command": name, "reason": "a test", **more}
    url = f"{stack.url}/api/orders/{order_id}/commands"
    answer = httpx.post(url, json=body, headers={"Prefer": "wait=20"}, timeout=40)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def failed_order(stack: Stack, **changes: Any) -> str:
    """Its id; Zuora said no, and behaves again."""
    [order_id] = failed_orders(stack, 1, **changes)
    return order_id


def failed_orders(stack: Stack, count: int, **changes: Any) -> list[str]:
    """Their ids."""
    stack.fault("zuora", path="/v1/orders", status=400)
    ids = [str(stack.submit(an_order(**changes))["id"]) for _ in range(count)]
    for order_id in ids:
        assert stack.ended(order_id)["status"] == "failed"
    stack.mend()
    return ids


def types(stack: Stack, order_id: str) -> list[str]:
    """The types of its events."""
    timeline = httpx.get(f"{stack.url}/api/orders/{order_id}/timeline").json()["items"]
    return [entry["type"] for entry in timeline]
