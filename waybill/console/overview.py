"""`/`: how the whole installation stands, at a glance."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web

from projections.pulse import MINUTE
from waybill.api import health, lag, stages, statistics
from waybill.api.principal import Scope
from waybill.api.problems import ApiProblem
from waybill.api.statistics_shapes import StatisticsQuery
from waybill.console.health_shown import needs, processes, unwell
from waybill.console.looking import LOOKS
from waybill.console.overview_shown import Figures, boxes, grouped, pace, spark, states_shown
from waybill.console.pages import Page, Visit

_MINUTES = 60
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_KEEP_S, _PATIENCE_S = 1.0, 5.0
_LAG_KEEP_S, _LAG_PATIENCE_S = 2.0, 0.6
_USUAL_KEEP_S = 60.0
_REFRESH_S = 3
_URGENT = "type=OrderFailed,StepInDoubt,OrderCancelled"


async def overview(visit: Visit) -> web.StreamResponse:
    """Throughput, orders by state, the pipeline, what needs attention, lag and health."""
    operates = visit.may(Scope.OPERATE)
    looks = visit.request.app[LOOKS]
    name = ("overview", visit.tenant, operates)
    shown, standing = await asyncio.gather(
        looks.at(name, lambda: _shown(visit), keep_s=_KEEP_S, patience_s=_PATIENCE_S),
        looks.at(
            ("standing", visit.tenant),
            lambda: _standing(visit),
            keep_s=_LAG_KEEP_S,
            patience_s=_LAG_PATIENCE_S,
        ),
    )
    values = {**(shown or await _shown(visit)), **(standing or _UNKNOWN)}
    return visit.page(
        "overview.html",
        live=_URGENT,
        refresh=_REFRESH_S,
        operates=operates,
        troubles=values["needs"] + unwell(values["pipeline"], values["processes"]),
        **values,
    )


async def _shown(visit: Visit) -> dict[str, Any]:
    tenant, now = visit.tenant, visit.now
    until = now.replace(second=0, microsecond=0) + MINUTE
    since = until - _MINUTES * MINUTE
    standing, minutes = await visit.reader.ask(
        lambda reading: (
            reading.status_counts(tenant),
            reading.accepted_by_minute(tenant, since, until),
        )
    )
    by_stage, by_type = await asyncio.gather(
        visit.answer(statistics.statistics, StatisticsQuery.model_validate({"from": now - _HOUR})),
        visit.answer(
            statistics.statistics,
            StatisticsQuery.model_validate({"by": "order_type", "from": now - _DAY}),
        ),
    )
    live, causes = await _operated(visit)
    figures = Figures(
        counted={one["name"]: one for one in by_stage["items"]},
        plugins={one["name"]: one for one in live},
        usual_ms=await _usual(visit),
    )
    counts = [minutes.get(since + n * MINUTE, 0) for n in range(_MINUTES)]
    groups, per_minute = grouped(causes), pace(counts, now)
    return {
        "states": states_shown(standing, by_type["items"]),
        "pace": per_minute,
        "spark": spark(counts, per_minute),
        "since": by_stage["from"],
        "pipeline": boxes(_document(visit), figures),
        "causes": groups,
        "needs": needs(groups if visit.may(Scope.OPERATE) else None, standing),
    }


async def _usual(visit: Visit) -> Mapping[str, float | None]:
    """Milliseconds within which half of the steps of each plugin were done in a day."""

    async def ask() -> dict[str, float | None]:
        page = await visit.answer(statistics.statistics, StatisticsQuery())
        return {one["name"]: one["duration_ms"]["p50"] for one in page["items"]}

    looks, name = visit.request.app[LOOKS], ("usual", visit.tenant)
    return await looks.at(name, ask, keep_s=_USUAL_KEEP_S, patience_s=_PATIENCE_S) or {}


async def _operated(visit: Visit) -> tuple[Sequence[Any], Sequence[Any]]:
    """What the stages are at and what needs a person: operators see it."""
    if not visit.may(Scope.OPERATE):
        return (), ()
    live, causes = await asyncio.gather(visit.answer(stages.stages), visit.answer(stages.attention))
    return live["items"], causes["items"]


def _document(visit: Visit) -> Mapping[str, Any]:
    found = visit.services.configurations.current(visit.tenant)
    return {} if found is None else found.document


_UNKNOWN: Mapping[str, Any] = {"processes": (), "trouble": None}


async def _standing(visit: Visit) -> dict[str, Any]:
    """How far everybody is, and what does not answer."""
    checks, trouble = (await visit.answer(health.readyz))["checks"], None
    readers: Sequence[Any] = ()
    try:
        readers = (await visit.answer(lag.lag))["items"]
    except ApiProblem as problem:
        trouble = problem
    states = await visit.reader.ask(lambda reading: reading.stage_states(visit.tenant, visit.now))
    workers = len({state["worker"] for state in states})
    return {"processes": processes(readers, checks, workers), "trouble": trouble}


PAGES = (Page("GET", "/", overview, Scope.READ),)
