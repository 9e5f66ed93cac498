"""Statistics over HTTP: what a log that is known comes to, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.events import (
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
    StepFailed,
    StepSkipped,
    StepSucceeded,
)
from schemas.steps import Callout, ErrorKind, Failure
from tests.unit.api.conftest import NOW, World
from waybill.api import build_api
from waybill.api.statistics_shapes import StageCounts, StatisticsPage, TypeCounts

DECLINED = Failure(
    kind=ErrorKind.DECLINED, code="card_declined", message="no", buyer_message="Sorry."
)
AROUND = {"from": "2026-03-01T09:00:00Z", "to": "2026-03-01T10:30:00Z"}


def callout(duration_ms: float) -> Callout:
    return Callout(
        call=None,
        attempt=1,
        method="POST",
        url="https://partner.example",
        status=200,
        started_at=NOW,
        duration_ms=duration_ms,
    )


def done(step: str, duration_ms: float) -> StepSucceeded:
    return StepSucceeded(step=step, attempt=1, output={}, callouts=(callout(duration_ms),))


def a_day(world: World) -> None:
    """Two orders are completed, one fails, one of a test mode skips a step."""
    for number in (1, 2):
        prepared = world.accept({"external_id": f"E-{number}"})
        world.go_on(
            prepared,
            *(done("salesforceV3", 10), done("zuora", 100 * number)),
            MainPhaseCompleted(expected=3),
            OrderCompleted(expected=4, completion="order complete"),
        )
    prepared = world.accept({"external_id": "E-3"})
    failed = StepFailed(step="salesforceV3", attempt=1, failure=DECLINED, callouts=(callout(7),))
    ended = OrderFailed(expected=2, step="salesforceV3", plugin="salesforceV3", failure=DECLINED)
    world.go_on(prepared, failed, ended)
    prepared = world.accept({"external_id": "E-4", "mode": "test"})
    world.go_on(prepared, StepSkipped(step="salesforceV3", attempt=1, reason="nothing to do"))
    world.accept({"external_id": "E-5"}, "other")


async def test_statistics_tell_what_stages_did_and_what_became_of_orders(
    world_on_each: World,
) -> None:
    a_day(world_on_each)
    async with TestClient(TestServer(build_api(world_on_each.services()))) as client:
        crm, zuora = await items(client, by="stage", **AROUND)
        [new] = await items(client, by="order_type", mode="production", **AROUND)
        for interval in ("hour", "day"):
            assert [
                {**one, "per_hour": crm["per_hour"], "from": crm["from"], "to": crm["to"]}
                for one in await items(client, interval=interval, name="salesforceV3", **AROUND)
            ] == [crm]
    assert (crm["name"], crm["from"][:19], crm["to"][:19]) == (
        *("salesforceV3", "2026-03-01T09:00:00", "2026-03-01T11:00:00"),
    )
    assert StageCounts.model_validate(crm["counts"]) == StageCounts.model_validate(
        dict.fromkeys(StageCounts.model_fields, 0)
        | {"attempts": 3, "succeeded": 2, "failed": 1, "skipped": 1, "callouts": 3}
    )
    assert (crm["per_hour"], crm["success"]) == (1.5, pytest.approx(2 / 3, abs=1e-6))
    assert crm["errors"] == [
        {"plugin": "salesforceV3", "kind": "declined", "code": "card_declined", "count": 1}
    ]
    assert (zuora["duration_ms"]["count"], zuora["duration_ms"]["mean"]) == (2, 150.0)
    assert 80 <= zuora["duration_ms"]["p50"] <= 120
    assert 160 <= zuora["duration_ms"]["p99"] <= 240
    assert (
        new["counts"]
        == TypeCounts(accepted=3, completed=2, failed=1, cancelled=0, reopened=0).model_dump()
    )
    assert new["success"] == pytest.approx(2 / 3, abs=1e-6)
    assert new["errors"] == crm["errors"]


async def items(client: Any, **query: str) -> list[dict[str, Any]]:
    response = await client.get("/api/statistics", params=query)
    assert response.status == 200, await response.text()
    return list(
        StatisticsPage.model_validate(await response.json()).model_dump(mode="json", by_alias=True)[
            "items"
        ]
    )


async def test_a_day_back_is_asked_where_nothing_is_said(world: World, client: Any) -> None:
    a_day(world)
    page = await (await client.get("/api/statistics")).json()
    assert (page["by"], page["interval"]) == ("stage", None)
    assert page["from"] == (NOW - timedelta(days=1)).isoformat()
    # What happens at this moment is in the hour that begins with it.
    assert (page["to"], page["items"]) == (NOW.isoformat(), [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"by": "plugin"}, "by"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to"),
        ({"from": "2026-01-01T00:00:00Z", "interval": "hour"}, "from"),
        ({"from": "1900-01-01T00:00:00Z"}, "from"),
        ({"to": "9999-12-31T23:59:59Z", "from": "9999-12-31T00:00:00Z"}, "from"),
        ({"to": "0001-01-01T00:00:00Z"}, "from"),
    ],
)
async def test_a_span_that_cannot_be_had_is_refused(
    client: Any, query: dict[str, str], field: str
) -> None:
    response = await client.get("/api/statistics", params=query)
    problem = await response.json()
    assert (response.status, problem["code"], problem["field"]) == (400, "bad_query", field)
