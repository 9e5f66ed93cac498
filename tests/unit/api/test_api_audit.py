"""Who did what and why, over REST: all sources in one list, the newest first, nothing twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from projections.audit import Audit, AuditEntry, AuditKind, AuditOutcome
from projections.config_versions import ConfigVersions
from schemas.commands import CommandKind
from schemas.envelope import Envelope
from schemas.events import CommandReceived, CommandRejected, Event, Fact
from streams.agents.stage_controls import StageControls
from streams.core import ids
from streams.core.config_versions import Version
from tests.unit.api.conftest import NOW
from waybill.api import build_api
from waybill.api.audit_shapes import AuditPage
from waybill.controls_keeping import ControlsKeeping


@pytest.fixture
async def api(world_on_each: Any) -> AsyncIterator[TestClient[Any, Any]]:
    client = TestClient(TestServer(build_api(world_on_each.services())))
    await client.start_server()
    yield client
    await client.close()


Listed = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def listed(api: TestClient[Any, Any]) -> Listed:
    """All entries that fit, page by page."""

    async def pages(limit: int = 200, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        given = dict(query)
        while True:
            response = await api.get("/api/audit", params={**given, "limit": str(limit)})
            assert response.status == 200, await response.text()
            page = AuditPage.model_validate(await response.json()).model_dump(mode="json")
            assert len(page["items"]) <= limit
            found += page["items"]
            assert len(found) < 100, "the pages never end"
            if page["next"] is None:
                return found
            given["cursor"] = page["next"]

    return pages


def said(world: Any, order: Any, minute: int, fact: Fact, actor: str = "key:a") -> None:
    envelope = Envelope(
        event_id=ids.event_id(order.order_id, 1, fact),
        tenant=order.submission.tenant,
        lane=order.lane,
        order_id=order.order_id,
        run=1,
        occurred_at=NOW + timedelta(minutes=minute),
        actor=actor,
    )
    world.apply(Event(envelope, fact))


def asked(command: str, reason: str = "it is back") -> CommandReceived:
    return CommandReceived(command=command, kind=CommandKind.RETRY, reason=reason)


def entry(n: int, minute: int, **more: Any) -> AuditEntry:
    given = {
        "id": f"act_{n:032x}",
        "tenant": "default",
        "at": NOW + timedelta(minutes=minute),
        "kind": AuditKind.WEBHOOK_ENDPOINT,
        "action": "changed",
        "subject": "whe_1",
        "actor": "key:b",
    }
    return AuditEntry(**{**given, **more})


def version(number: int, minute: int, tenant: str = "default") -> Version:
    return Version(
        tenant=tenant,
        version=number,
        base=number - 1,
        author="key:c",
        reason="another plugin",
        at=NOW + timedelta(minutes=minute),
        document={},
    )


async def test_all_sources_come_in_one_list_and_no_page_loses_or_repeats(
    world_on_each: Any, listed: Listed
) -> None:
    world, audit = world_on_each, Audit(world_on_each.store)
    order = world.accept({"external_id": "E-1"})
    foreign = world.accept({"external_id": "E-1"}, "acme")
    versions = ConfigVersions(world.store)
    # Several of each source at one moment: the order between them has to be a fixed one.
    for n in range(6):
        said(world, order, n // 2, asked(f"c-{n}"))
        audit.record(entry(n, n // 2, details={"members": ["url"]}))
        versions.record(version(20 + n, n // 2))
    said(world, foreign, 1, asked("theirs"))
    audit.record(entry(99, 1, tenant="acme"))
    versions.record(version(99, 1, "acme"))
    whole = await listed()
    assert len(whole) == 18
    moments = [one["at"] for one in whole]
    assert moments == sorted(moments, reverse=True)
    assert {one["kind"] for one in whole} == {"command", "configuration", "webhook_endpoint"}
    for limit in (1, 4, 5):
        assert await listed(limit) == whole
    assert await listed(2, kind="configuration") == [
        one for one in whole if one["kind"] == "configuration"
    ]
    assert len(await listed(subject=order.order_id)) == 6
    assert {one["id"] for one in await listed(actor="key:b")} == {f"act_{n:032x}" for n in range(6)}
    assert [one["subject"] for one in await listed(subject="23")] == ["23"]
    since = (NOW + timedelta(minutes=1)).isoformat()
    until = (NOW + timedelta(minutes=2)).isoformat()
    assert len(await listed(**{"from": since, "to": until})) == 6


async def test_a_bulk_is_one_entry_until_somebody_asks_for_each(
    world_on_each: Any, listed: Listed
) -> None:
    world = world_on_each
    orders = [world.accept({"external_id": f"E-{n}"}) for n in range(7)]
    for n, order in enumerate(orders):
        said(world, order, n, asked(f"b-1/{order.order_id}"))
    said(world, orders[0], 3, asked("alone"))
    refused = CommandRejected(
        expected=2, command=f"b-1/{orders[1].order_id}", code="not_failed", reason="it did not"
    )
    said(world, orders[1], 9, refused, "worker")
    bulk, alone = await listed(1)
    assert (bulk["kind"], bulk["id"], bulk["outcome"]) == ("bulk", "b-1", "pending")
    assert bulk["details"] == {"pending": 6, "rejected": 1, "orders": 7}
    assert (alone["kind"], alone["id"], alone["subject"]) == (
        "command",
        "alone",
        orders[0].order_id,
    )
    each = await listed(2, bulk="b-1")
    assert sorted(one["subject"] for one in each) == sorted(one.order_id for one in orders)
    [rejected] = [one for one in each if one["outcome"] == "rejected"]
    assert (rejected["code"], rejected["details"]) == ("not_failed", {"bulk": "b-1"})
    assert [one["id"] for one in await listed(kind="bulk")] == ["b-1"]
    assert [one["id"] for one in await listed(kind="command")] == ["alone"]
    assert len(await listed(subject=orders[0].order_id)) == 2
    early = await listed(to=(NOW + timedelta(minutes=3)).isoformat())
    assert [(one["id"], one["at"][:16]) for one in early] == [("b-1", "2026-03-01T10:02")]


async def test_what_is_refused_is_kept_with_its_code(client: Any) -> None:
    name = "0" * 32
    response = await client.post(f"/api/webhook-deliveries/del_{name}/replay?reason=because")
    assert response.status == 404
    [kept] = (await (await client.get("/api/audit")).json())["items"]
    assert (kept["kind"], kept["action"], kept["subject"]) == (
        "webhook_delivery",
        "replay",
        f"del_{name}",
    )
    assert (kept["outcome"], kept["code"], kept["reason"], kept["actor"]) == (
        "refused",
        "not_found",
        "because",
        "local",
    )


async def test_a_cursor_of_somebody_else_is_refused(client: Any) -> None:
    for cursor in ("eA", "MTox", "___", "MToyOng"):
        response = await client.get("/api/audit", params={"cursor": cursor})
        assert (response.status, (await response.json())["code"]) == (400, "bad_query")


class _Stages:
    def hold(self, tenant: str, stage: str, *, held: bool) -> None:
        """Nothing is sent here."""


async def test_a_control_of_a_stage_is_kept_once_however_often_it_is_read(
    world: Any, client: Any
) -> None:
    keeping = ControlsKeeping(Audit(world.store))
    keeping.start()
    controls = StageControls(_Stages(), heard=keeping.heard)
    text = (
        '{"tenant": "default", "stage": "zuora@z", "held": true, "actor": "key:a",'
        ' "reason": "they asked", "at": "2026-03-01T10:00:00Z", "command": "c"}'
    )
    for _ in range(2):
        controls.take(text.encode())
    try:
        for _ in range(500):
            kept = (await (await client.get("/api/audit?subject=zuora@z")).json())["items"]
            if kept:
                break
        controls.take(text.encode())
        controls.take(text.replace("zuora@z", "zuora@y").encode())
        for _ in range(500):
            if (await (await client.get("/api/audit?subject=zuora@y")).json())["items"]:
                break
    finally:
        await keeping.stop()
    [one] = (await (await client.get("/api/audit?subject=zuora@z")).json())["items"]
    assert (one["action"], one["reason"], one["actor"]) == ("hold", "they asked", "key:a")
    assert one["outcome"] == AuditOutcome.DONE.value
