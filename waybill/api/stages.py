"""`/api/attention` and `/api/stages`: what needs a person, and who holds which stage."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from aiohttp import web

from schemas.order_commands import OrderCommand, StageCommandKind
from waybill.api.bodies import fitting, json_of
from waybill.api.call import Call, answered
from waybill.api.commanding import command_id, send_command
from waybill.api.operating_shapes import StageCommandBody
from waybill.api.problems import UNKNOWN_STAGE, ApiProblem

_KINDS = {"hold": StageCommandKind.HOLD_STAGE, "release": StageCommandKind.RELEASE_STAGE}


async def attention(call: Call) -> web.Response:
    """What needs a person, by cause."""
    causes = await call.api.reader.ask(lambda reading: reading.attention(call.tenant))
    return answered({"items": causes, "next": None})


async def stages(call: Call) -> web.Response:
    """Counts by plugin, with the stages that are held or that orders wait for."""
    counts, causes = await call.api.reader.ask(
        lambda reading: (reading.stages(call.tenant), reading.attention(call.tenant))
    )
    by_plugin = _stages(call, causes)
    names = dict.fromkeys([*(one["name"] for one in counts), *by_plugin])
    known = {one["name"]: one for one in counts}
    items = [{**_NOTHING, **known.get(n, {"name": n}), "stages": by_plugin[n]} for n in names]
    controls = call.api.services.controls
    return answered({"items": items, "controls_known": controls.known, "next": None})


async def stage_command(call: Call) -> web.Response:
    """Holds a stage or releases it, by way of `order-commands`."""
    body: StageCommandBody = fitting(StageCommandBody, await json_of(call.request))
    stage = call.part("stage")
    _check(call, stage)
    command = OrderCommand(
        id=command_id(call, body.id),
        stage=stage,
        command=_KINDS[body.command],
        reason=body.reason,
    )
    await send_command(call, command)
    answer = {"id": command.id, "stage": stage, "command": body.command, "status": "sent"}
    return answered(answer, status=202)


def _stages(call: Call, causes: Sequence[Mapping[str, Any]]) -> defaultdict[str, list[Any]]:
    waiting = {cause["code"]: cause for cause in causes if cause["kind"] == "deferred"}
    holds = call.api.services.controls.holds(call.tenant)
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for stage in sorted({*waiting, *holds}):
        cause = waiting.get(stage, {})
        found[stage.partition("@")[0]].append(
            {
                "id": stage,
                "held": holds.get(stage),
                "waiting": cause.get("orders", 0),
                "oldest": cause.get("oldest"),
            }
        )
    return found


def _check(call: Call, stage: str) -> None:
    """A stage with a wrong name would be held in vain, unseen."""
    plugin, parted, host = stage.partition("@")
    known = call.api.services.plugins
    if parted and host and plugin in known:
        return
    near = get_close_matches(plugin, known, 1)
    raise ApiProblem(
        UNKNOWN_STAGE,
        f"{stage[:200]!r} is not a stage: those are called <plugin>@<host>",
        f"did you mean {near[0]}@{host or '<host>'}?" if near else "see `waybill stages`",
    )


_NOTHING = dict.fromkeys(
    (
        *("attempts", "succeeded", "failed", "in_doubt", "skipped", "deferred", "compensated"),
        *("compensation_failed", "repeated", "callouts", "duration_ms"),
    ),
    0,
)
