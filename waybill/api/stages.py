"""`/api/attention` and `/api/stages`: what needs a person, and who holds which stage."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from aiohttp import web

from schemas.order_commands import OrderCommand, StageCommandKind
from waybill.api.bodies import fitting, json_of
from waybill.api.call import Call, answered
from waybill.api.commanding import command_id, send_command
from waybill.api.operating_shapes import StageCommandBody
from waybill.api.problems import UNKNOWN_STAGE, ApiProblem
from waybill.api.webhook_states import disabled_causes

_KINDS = {"hold": StageCommandKind.HOLD_STAGE, "release": StageCommandKind.RELEASE_STAGE}
_BREAKERS = ("closed", "half_open", "open")
_SUMS = ("in_flight", "waiting", "slots", "opened")


async def attention(call: Call) -> web.Response:
    """What needs a person, by cause."""
    causes = await call.api.reader.ask(lambda reading: reading.attention(call.tenant))
    disabled = await disabled_causes(call)
    return answered({"items": [*disabled, *causes], "next": None})


async def stages(call: Call) -> web.Response:
    """Counts by plugin, with its stages as operators, orders and workers have them."""
    now = call.api.services.now()
    counts, causes, states = await call.api.reader.ask(
        lambda reading: (
            reading.stages(call.tenant),
            reading.attention(call.tenant),
            reading.stage_states(call.tenant, now),
        )
    )
    controls = call.api.services.controls
    by_plugin = _stages(controls.holds(call.tenant), causes, states)
    known = {one["name"]: one for one in counts}
    items = [
        {**_NOTHING, **known.get(name, {"name": name}), "stages": by_plugin[name]}
        for name in dict.fromkeys([*known, *by_plugin])
    ]
    return answered({"items": items, "controls_known": controls.known, "next": None})


async def stage_command(call: Call) -> web.Response:
    """Holds a stage or releases it, by way of `order-commands`."""
    body: StageCommandBody = fitting(StageCommandBody, await json_of(call.request))
    return answered(await stage_commanded(call, call.part("stage"), body), status=202)


async def stage_commanded(call: Call, stage: str, body: StageCommandBody) -> dict[str, Any]:
    """Sends it; what is answered. A 422 problem where there is no such stage."""
    _check(call, stage)
    command = OrderCommand(
        id=command_id(call, body.id),
        stage=stage,
        command=_KINDS[body.command],
        reason=body.reason,
    )
    await send_command(call, command)
    return {"id": command.id, "stage": stage, "command": body.command, "status": "sent"}


def _stages(
    holds: Mapping[str, Any],
    causes: Sequence[Mapping[str, Any]],
    states: Sequence[Mapping[str, Any]],
) -> defaultdict[str, list[Any]]:
    waiting = {cause["code"]: cause for cause in causes if cause["kind"] == "deferred"}
    live: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for state in states:
        live[state["stage"]].append(state)
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for stage in sorted({*waiting, *holds, *live}):
        cause, plugin = waiting.get(stage, {}), stage.partition("@")[0]
        found[plugin].append(
            {
                "id": stage,
                "held": holds.get(stage) or holds.get(plugin),
                "waiting": cause.get("orders", 0),
                "oldest": cause.get("oldest"),
                "live": _together(live[stage]),
            }
        )
    return found


def _together(states: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the workers said of one stage; its breaker is as the worst of them has it."""
    if not states:
        return None
    worst = max((state["breaker"] for state in states), key=_BREAKERS.index)
    rates = [state["per_second"] for state in states]
    return {
        "breaker": worst,
        "open_s": round(max(state["open_s"] for state in states), 1),
        "per_second": _sum(rates),
        "workers": len(states),
        # A worker of the version before does not tell them.
        "recent": _recent([state["recent"] for state in states if "recent" in state]),
        **{name: sum(state[name] for state in states) for name in _SUMS},
    }


def _recent(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of all workers together; they are as slow as the slowest of them has it."""
    medians = [one["median_ms"] for one in told if one["median_ms"] is not None]
    return {
        "attempts": sum(one["attempts"] for one in told),
        "failed": sum(one["failed"] for one in told),
        "median_ms": round(max(medians), 1) if medians else None,
    }


def _sum(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return round(sum(known), 3) if known else None


def _check(call: Call, stage: str) -> None:
    """A stage with a wrong name would be held in vain, unseen."""
    plugin, parted, host = stage.partition("@")
    known = call.api.services.plugins
    if plugin in known and bool(parted) == bool(host):
        return
    near = get_close_matches(plugin, known, 1)
    raise ApiProblem(
        UNKNOWN_STAGE,
        f"{stage[:200]!r} is not a stage: those are called <plugin>@<host>, or <plugin> for all",
        f"did you mean {near[0]}{parted}{host}?" if near else "see `waybill stages`",
    )


_NOTHING = dict.fromkeys(
    (
        *("attempts", "succeeded", "failed", "in_doubt", "skipped", "deferred", "compensated"),
        *("compensation_failed", "repeated", "callouts", "duration_ms"),
    ),
    0,
)
