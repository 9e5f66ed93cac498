"""`POST /api/order/preview`: what an order would do, asked of the partners; nothing is written."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from aiohttp import web

from schemas.steps import ErrorKind
from streams.agents.previewing import Foreseen, UnforeseenError
from streams.core.intake import Prepared, effective_date
from streams.core.pricing import difference
from waybill.api.call import Call, answered
from waybill.api.problems import (
    NO_PREVIEW,
    PARTNER_BUSY,
    PARTNER_FAILED,
    PREVIEW_REFUSED,
    ApiProblem,
)
from waybill.api.submitting import order_body, prepared_of

_TOLD_APART = frozenset({"effectiveDate", "currency", "futureCharges", "credits", "warnings"})
_KINDS = {
    ErrorKind.TRANSIENT: PARTNER_FAILED,
    ErrorKind.RATE_LIMITED: PARTNER_BUSY,
    ErrorKind.CONTENTION: PARTNER_BUSY,
}
_OURS = frozenset(
    {"connector_error", "secret_missing", "token_path_missing", "token_refused", "unauthorized"}
)
"""Codes that say nothing of the order: who asks for previews is not let in, or is broken."""
_REMEDIES = {
    PARTNER_FAILED: "ask again; if it stays, look at the partner, its connection and its secrets",
    PARTNER_BUSY: "ask again in a moment",
    PREVIEW_REFUSED: "correct the order; as it is, it would fail at this step",
}
_AGAIN_AFTER_S = 5.0


async def preview(call: Call) -> web.Response:
    """Charges to come, credits, the effective date and warnings."""
    prepared = prepared_of(call, await order_body(call.request), None)
    try:
        foreseen = await call.api.services.previewing(prepared)
    except UnforeseenError as problem:
        raise _problem(call, problem) from problem
    if not any(one.members for one in foreseen):
        plugins = ", ".join(dict.fromkeys(one.step.plugin for one in foreseen))
        raise ApiProblem(
            NO_PREVIEW,
            f"an order of type {prepared.order_type!r} goes through {plugins} here,"
            " and none of them previews it",
            "submit the order without a preview",
            "/order_type",
        )
    return answered(_shown(call, prepared, foreseen))


def _shown(call: Call, prepared: Prepared, foreseen: Sequence[Foreseen]) -> dict[str, Any]:
    told = [one for one in foreseen if one.members]
    day = effective_date(prepared.document, call.api.services.now())
    return {
        "order_type": prepared.order_type,
        "mode": prepared.mode,
        "subscriptionReference": prepared.subscription_reference,
        "effectiveDate": _first(told, "effectiveDate") or day,
        "currency": _first(told, "currency"),
        "futureCharges": list(_amounts(told, "futureCharges")),
        "credits": list(_amounts(told, "credits")),
        "warnings": [*_of_total(prepared), *_warnings(told)],
        "steps": [_step(one) for one in foreseen],
    }


def _of_total(prepared: Prepared) -> Iterator[str]:
    """What the order's process event would warn of, too."""
    found = difference(prepared.document, prepared.order_type)
    if found is not None:
        yield str(found)


def _warnings(told: Sequence[Foreseen]) -> Iterator[str]:
    for one in told:
        yield from _members(one).get("warnings") or ()


def _members(one: Foreseen) -> Mapping[str, Any]:
    return one.members or {}


def _first(told: Sequence[Foreseen], name: str) -> Any:
    return next((found for one in told if (found := _members(one).get(name))), None)


def _amounts(told: Sequence[Foreseen], name: str) -> Iterator[dict[str, Any]]:
    for one in told:
        for amount in _members(one).get(name) or ():
            yield {**amount, "step": one.step.id}


def _step(one: Foreseen) -> dict[str, Any]:
    more = {name: value for name, value in _members(one).items() if name not in _TOLD_APART}
    return {
        "id": one.step.id,
        "plugin": one.step.plugin,
        "previewed": bool(one.members),
        "more": more,
    }


def _problem(call: Call, problem: UnforeseenError) -> ApiProblem:
    failure = problem.failure
    kind = PARTNER_FAILED if failure.code in _OURS else _KINDS.get(failure.kind, PREVIEW_REFUSED)
    error = {"code": failure.code, "buyer_message": failure.buyer_message}
    if call.operates:
        error["message"] = failure.message
    headers = {}
    if kind is not PREVIEW_REFUSED:
        headers = {"Retry-After": str(ceil(problem.retry_after_s or _AGAIN_AFTER_S))}
    return ApiProblem(
        kind,
        failure.message if call.operates else failure.buyer_message,
        _REMEDIES[kind],
        headers=headers,
        more={"step": problem.step.id, "plugin": problem.step.plugin, "error": error},
    )
