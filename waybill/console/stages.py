"""`/stages`: how every stage does, and holding and releasing them."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from aiohttp import web

from waybill.api import stages as rest
from waybill.api import statistics
from waybill.api.bodies import fitting
from waybill.api.operating_shapes import StageCommandBody
from waybill.api.principal import Scope
from waybill.api.problems import ApiProblem, not_found
from waybill.api.statistics_shapes import StatisticsQuery
from waybill.console.conditions import condition
from waybill.console.pages import Page, Visit

_REFRESH_S = 5
_HOUR = timedelta(hours=1)
_DONE = {"hold": "is being held", "release": "is being released"}


async def stages(visit: Visit) -> web.StreamResponse:
    """Every stage by plugin, with limits, waiting orders and what the last day brought."""
    return visit.page("stages.html", refresh=_REFRESH_S, **await _standing(visit))


async def ask(visit: Visit) -> web.StreamResponse:
    """What will happen when the stage is held or released, and the form."""
    return await _asked(visit, _wanted(visit), "", None)


async def act(visit: Visit) -> web.StreamResponse:
    """Sends the command; back to the stages."""
    wanted, stage = _wanted(visit), visit.part("stage")
    reason = (await visit.form()).get("reason", "")
    try:
        body = fitting(StageCommandBody, {"command": wanted, "reason": reason})
        await rest.stage_commanded(visit.call(), stage, body)
    except ApiProblem as problem:
        return await _asked(visit, wanted, reason, problem)
    return visit.see("/stages", f"{stage} {_DONE[wanted]}: workers obey within a second.")


async def _asked(
    visit: Visit, wanted: str, reason: str, problem: ApiProblem | None
) -> web.StreamResponse:
    stage, standing = visit.part("stage"), await _standing(visit)
    plugin = stage.partition("@")[0]
    concerned = [
        {**one, "plugin": found["name"]}
        for found in standing["plugins"]
        for one in found["stages"]
        if stage in {one["id"], found["name"]}
    ]
    if not concerned and plugin not in visit.services.plugins:
        raise not_found("the stage")
    live = [one["live"] for one in concerned if one["live"]]
    return visit.page(
        "stage_act.html",
        wanted=wanted,
        stage=stage,
        reason=reason,
        problem=problem,
        held=standing["holds"].get(stage),
        held_whole=standing["holds"].get(plugin) if plugin != stage else None,
        plugin=plugin,
        waiting=sum(one["waiting"] for one in concerned),
        in_flight=sum(one["in_flight"] for one in live),
        per_second=[one["per_second"] for one in live if one["per_second"] is not None],
    )


async def _standing(visit: Visit) -> dict[str, Any]:
    found, day, hour = await asyncio.gather(
        visit.answer(rest.stages),
        visit.answer(statistics.statistics, StatisticsQuery()),
        visit.answer(
            statistics.statistics, StatisticsQuery.model_validate({"from": visit.now - _HOUR})
        ),
    )
    recent = {one["name"]: one for one in day["items"]}
    counts = {one["name"]: one["counts"] for one in hour["items"]}
    plugins = [
        _with_conditions(one, recent.get(one["name"]), counts.get(one["name"]))
        for one in found["items"]
    ]
    return {
        "plugins": plugins,
        "holds": visit.services.controls.holds(visit.tenant),
        "controls_known": found["controls_known"],
    }


def _with_conditions(
    plugin: Mapping[str, Any], recent: Mapping[str, Any] | None, counts: Mapping[str, Any] | None
) -> dict[str, Any]:
    """`recent` is its last day, `counts` are those of this hour and the last."""
    usual_ms = None if recent is None else recent["duration_ms"]["p50"]
    stages = [{**one, "condition": condition([one], usual_ms=usual_ms)} for one in plugin["stages"]]
    whole = condition(stages, counts, usual_ms)
    return {**plugin, "stages": stages, "recent": recent, "condition": whole}


def _wanted(visit: Visit) -> Literal["hold", "release"]:
    return "hold" if visit.part("command") == "hold" else "release"


PAGES = (
    Page("GET", "/stages", stages, Scope.OPERATE),
    Page("GET", "/stages/{stage}/{command:hold|release}", ask, Scope.OPERATE),
    Page("POST", "/stages/{stage}/{command:hold|release}", act, Scope.OPERATE),
)
