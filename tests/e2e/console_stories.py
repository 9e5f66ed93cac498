"""What has to be there before somebody looks at every page of the console."""

import asyncio
import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.e2e.commanding import command, failed_orders
from tests.e2e.stack import Stack, an_order
from waybill.ports import free_port

EVIL = """"'><img src=x onerror="pwned=1"><script>pwned=2</script>{{7*7}}javascript:pwned=3"""
"""Should any page take it for more than text, `window.pwned` is there."""


@dataclass(frozen=True, slots=True)
class Told:
    """A failed order, and what was asked of several at once."""

    failed: str
    bulk: str

    @property
    def pages(self) -> tuple[str, ...]:
        """To start from, beside the overview."""
        return (f"/orders/bulk/{self.bulk}", f"/orders/{self.failed}/document")


def told(stack: Stack) -> Told:
    """Orders at their end and on their way, webhooks, rejected records, what people did."""
    stack.start("webhooks")
    stack.ready("webhooks")
    _endpoints(stack)
    evil = str(stack.submit(evil_order())["id"])
    complete = str(stack.submit(an_order())["id"])
    stack.submit(an_order(order_type="refund", forSubscription="A-S2", mode="test"))
    stack.ended(complete)
    [failed, other] = failed_orders(stack, 2)
    command(stack, other, "amend", changes={"country": "IE"}, reason=EVIL)
    stack.fault("callout", path="/l", mode="cut_after")
    in_doubt = str(stack.submit(an_order(order_type="external", forSubscription="A-S1"))["id"])
    stack.until(lambda: stack.order(in_doubt).get("status") == "in_doubt", 60)
    stack.mend()
    records = (b"1", EVIL.encode(), {}), (b"2", _unknown(), {})
    with ThreadPoolExecutor(1) as pool:  # a browser has a loop in this one
        pool.submit(asyncio.run, stack.produce(*records)).result()
    _configured(stack)
    held = stack.cli("stage", "hold", "platformEvents", "--reason", EVIL)
    assert held.returncode == 0, held.stderr
    stack.until(lambda: stack.order(evil).get("status") in {"complete", "failed"})
    return Told(failed, _bulk(stack, other))


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, and the file that has its hash."""

    text: str
    file: str


def new_key(stack: Stack, *scopes: str, tenant: str = "default") -> Key:
    """One more."""
    asked = [word for scope in scopes for word in ("--scope", scope)]
    made = stack.cli("keys", "new", "--tenant", tenant, *asked, "--json")
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    return Key(said["key"], said["file"])


@contextmanager
def guarded(stack: Stack, keys: str) -> Iterator[Stack]:
    """The API once more, for those who have one of the keys of the file."""
    environment = {
        **stack.environment,
        "WAYBILL_HTTP": f"127.0.0.1:{free_port()}",
        "WAYBILL_API_KEYS": keys,
    }
    beside = replace(stack, environment=environment, processes={}, probes={})
    beside.start("api-with-keys", "api")
    beside.probes["api-with-keys"] = f"{beside.url}/readyz"
    try:
        beside.ready("api-with-keys")
        yield beside
    finally:
        beside.stop()


def evil_order() -> dict[str, Any]:
    """Markup in every text that the shape leaves free."""
    order = an_order()
    kept = {"order_type", "mode", "__spec_version", "external_id", "payment", "process_immediately"}
    return {name: one if name in kept else _evil(copy.deepcopy(one)) for name, one in order.items()}


def _evil(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: _left(name, one) for name, one in given.items()} | {EVIL: EVIL}
    if isinstance(given, list):
        return [_evil(one) for one in given]
    return EVIL if isinstance(given, str) else given


def _left(name: str, given: Any) -> Any:
    """Texts with a form of their own stay; and those by which a partner knows its things."""
    plain = isinstance(given, str)
    own = ("id", "type", "currency", "currencyCode", "country", "email", "path", "trigger")
    return given if plain and (name in own or name.endswith(("zuora", "_type"))) else _evil(given)


def _unknown() -> bytes:
    return b'{"order_type": "<b>unheard of</b>", "external_id": "X-1", "__spec_version": "2"}'


def _bulk(stack: Stack, order_id: str) -> str:
    body = {"command": "pause", "reason": EVIL, "filter": {"ids": [order_id]}, "id": "bulk-1"}
    answer = httpx.post(f"{stack.url}/api/commands", json=body, timeout=20)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


def _endpoints(stack: Stack) -> None:
    for path, more in (
        ("/webhooks/ledger", {"description": EVIL}),
        ("/nobody", {}),
        ("/webhooks/archive", {"enabled": False}),
    ):
        body = {"url": stack.sandbox + path, "events": ["order.*"], **more}
        answer = httpx.post(f"{stack.url}/api/webhook-endpoints", json=body)
        assert answer.status_code == 201, answer.text


def _configured(stack: Stack) -> None:
    """Two versions, so that there is something to compare and to go back to."""
    at = f"{stack.url}/api/processing-config"
    for reason in ("a post step less", EVIL):
        found = httpx.get(at)
        document = found.json()
        document["post"] = [] if document.get("post") else [{"name": "entitlements"}]
        answer = httpx.put(
            at,
            json=document,
            params={"reason": reason},
            headers={"If-Match": found.headers["ETag"]},
            timeout=20,
        )
        assert answer.is_success, answer.text
