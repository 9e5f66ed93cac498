"""Pages of stages, the audit and subscriptions: what they show, and what their forms do."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from projections.audit import INSTALLATION, Audit, AuditEntry, AuditKind
from projections.stage_states import StageStates
from schemas.order_commands import read_command
from tests.unit.api.conftest import NOW
from tests.unit.api.test_api_commands import failed_order, received
from waybill.api import build_api
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes
from waybill.console import add_console

SCRIPT = "<script>alert(1)</script>"
STAGE = "zuora@rest.zuora.example"


@pytest.fixture
async def console(world: Any) -> AsyncIterator[TestClient[Any, Any]]:
    client = TestClient(TestServer(build_api(world.services(), add_console)))
    await client.start_server()
    yield client
    await client.close()


async def page(client: Any, path: str, status: int = 200) -> str:
    response = await client.get(path)
    text: str = await response.text()
    assert response.status == status, text
    assert "style-src 'self'" in response.headers["Content-Security-Policy"]
    assert SCRIPT not in text
    assert not re.search(r"<script(?! type=\"module\" src=)|\sstyle=|\son\w+=", text)
    return text


async def sent(client: Any, path: str, **fields: str) -> Any:
    found = re.search(r'name="csrf" value="([^"]+)"', await page(client, path))
    assert found is not None
    return await client.post(
        path,
        data={"csrf": found[1], **fields},
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    )


def works(world: Any, **state: Any) -> None:
    """A worker tells how the stage does."""
    told = {
        "tenant": "default",
        "stage": STAGE,
        "breaker": "closed",
        "open_s": 0.0,
        "opened": 0,
        "in_flight": 3,
        "waiting": 0,
        "slots": 20,
        "per_second": 12.5,
    }
    StageStates(world.store).tell("w1", [{**told, **state}], NOW)


async def test_stages_show_limits_conditions_and_who_holds_them(world: Any, console: Any) -> None:
    assert "No stage was used yet" in await page(console, "/stages")
    works(world, breaker="open", open_s=12.0)
    failed_order(world)
    text = await page(console, "/stages")
    assert "breaker open" in text
    assert "3 of 20" in text
    assert "12.5" in text
    works(world, recent={"attempts": 20, "failed": 13, "median_ms": 31.0})
    for path in ("/", "/stages"):
        text = await page(console, path)
        assert "failing" in text
        assert "13 of 20 in 5 min" in text
    world.controls.held["default"] = {
        STAGE: {"actor": "key:a", "reason": SCRIPT, "at": NOW.isoformat()}
    }
    text = await page(console, "/stages")
    assert "key:a" in text
    assert f"/stages/{STAGE.replace('@', '%40')}/release" in text
    assert "&lt;script&gt;" in text
    world.controls.held["default"] = {
        "zuora": {"actor": "key:a", "reason": "all of it", "at": NOW.isoformat()}
    }
    text = await page(console, "/stages")
    assert "All its stages are held" in text
    assert "/stages/zuora/release" in text
    world.controls.known = False
    assert "Kafka was not read to its end" in await page(console, "/stages")


async def test_a_stage_is_held_with_a_reason_after_it_was_said_what_happens(
    world: Any, console: Any
) -> None:
    works(world)
    path = f"/stages/{STAGE}/hold"
    text = await page(console, path)
    assert f"no worker calls {STAGE}" in text
    assert "3 calls that are under way" in text
    assert (await sent(console, path, reason=" ")).status == 422
    assert world.orders.records == []
    answer = await sent(console, path, reason="they asked")
    assert (answer.status, answer.headers["Location"]) == (303, "/stages")
    [record] = world.orders.records
    command = read_command(record.value)
    assert (command.stage, command.command.value) == (STAGE, "hold_stage")
    assert (command.reason, dict(record.headers)["waybill-actor"]) == ("they asked", b"local")
    assert "is being held" in await page(console, "/stages")
    await page(console, "/stages/nobody/hold", 404)
    assert (await sent(console, "/stages/zuora/release", reason="over")).status == 303


async def test_no_other_site_and_no_reader_holds_a_stage(world: Any) -> None:
    key, entry = new_api_key("default", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    services = world.services()
    async with TestClient(TestServer(build_api(services, add_console))) as client:
        path = f"/stages/{STAGE}/hold"
        forged = await client.post(
            path, data={"reason": "x"}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert forged.status == 403
        bare = await client.post(
            path,
            data={"reason": "x"},
            headers={"Sec-Fetch-Site": "same-origin", "Authorization": f"Bearer {key}"},
        )
        assert bare.status in {401, 403}
    assert world.orders.records == []


def of_each_kind(world: Any) -> None:
    """An entry of every kind but those that the log tells of."""
    audit = Audit(world.store)
    kinds = (
        (AuditKind.STAGE, STAGE, {}),
        (AuditKind.WEBHOOK_ENDPOINT, "whe_1", {"members": ["rate_limit"]}),
        (AuditKind.WEBHOOK_DELIVERY, "del_1", {}),
        (AuditKind.REJECTED, "0-17", {"edited": True}),
        (AuditKind.API_KEY, "9c1d02ab", {"scopes": ["operate", "read"]}),
        (AuditKind.VIEWS, "views", {}),
    )
    for n, (kind, subject, details) in enumerate(kinds):
        audit.record(
            AuditEntry(
                id=f"act_{n}",
                tenant=INSTALLATION if kind is AuditKind.VIEWS else "default",
                at=NOW + timedelta(minutes=n),
                kind=kind,
                action="hold",
                subject=subject,
                actor="key:a",
                details=details,
            )
        )


async def test_the_audit_shows_who_did_what_and_leads_to_it(world: Any, console: Any) -> None:
    assert "Nobody did anything" in await page(console, "/audit")
    orders = [failed_order(world, f"E-{n}") for n in range(3)]
    for order in orders:
        world.go_on(order, received(f"b-1/{order.order_id}", reason=SCRIPT))
    world.go_on(orders[0], received("alone"))
    of_each_kind(world)
    text = await page(console, "/audit")
    for place in (
        f"/orders/{orders[0].order_id}",
        "/audit?bulk=b-1",
        "/rejected/0-17",
        "/webhooks/whe_1",
        "/webhooks/deliveries/del_1",
    ):
        assert f'href="{place}"' in text, place
    for said in ("3 orders", "operate, read", "<code>9c1d02ab</code>", "<code>views</code>"):
        assert said in text, said
    assert (await page(console, "/audit?bulk=b-1")).count("data-item") == 3
    assert (await page(console, "/audit?actor=key:a&limit=2")).count("data-item") == 2
    await page(console, "/audit?from=2026-03-01&to=2026-03-01&kind=stage&subject=")
    await page(console, "/audit?from=2026-13-01", 400)


async def test_subscriptions_lead_to_their_orders_and_events(world: Any, console: Any) -> None:
    assert "No subscriptions yet" in await page(console, "/subscriptions")
    order = failed_order(
        world, "E-1", order_items=[{"offer": {"name": SCRIPT, "path": "/offers/a"}}]
    )
    reference = order.subscription_reference
    listed = await page(console, "/subscriptions")
    assert f"/subscriptions/{reference}" in listed
    one = await page(console, f"/subscriptions/{reference}")
    assert f"/orders/{order.order_id}" in one
    assert "Run failed" in one
    assert SCRIPT not in listed + one
    assert "No subscription fits" in await page(console, "/subscriptions?status=suspended&from=")
    await page(console, "/subscriptions/unknown", 404)
