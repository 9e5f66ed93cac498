"""What an entry of a waybill means for one order: what it picks, and how long it may take."""

from collections.abc import Mapping
from typing import Any

import orjson

from plugins.api import Manifest, Options
from schemas.expressions import evaluated
from schemas.steps import WaybillStep
from streams.agents.trying import LONGEST_STEP_S
from streams.agents.turn import Misfit


def picked(expression: str, root: Mapping[str, Any]) -> Any:
    """What the expression picks; `Misfit` where it does not fit the order."""
    try:
        return evaluated(expression, root)
    except ValueError as problem:
        raise Misfit(str(problem)) from problem


def mapped(step: WaybillStep, root: Mapping[str, Any]) -> dict[str, Any]:
    """What the entry's `map` picks, by name."""
    expressions = orjson.loads(step.map) if step.map is not None else {}
    return {name: picked(text, root) for name, text in expressions.items()}


def deadline_s(step: WaybillStep, manifest: Manifest, options: Options) -> float:
    """Seconds that one attempt may take."""
    wanted = step.timeout_s
    if wanted is None:
        wanted = manifest.timeout_s if manifest.deadline_s is None else manifest.deadline_s(options)
    return min(LONGEST_STEP_S, wanted)
