"""`/api/processing-config/plan` and `/matrix`: what a configuration does, before it does it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from schemas.configuration import Configuration
from streams.core.plan import Change, ChangeKind, Plan
from waybill.api.call import ApiServices, Call, answered
from waybill.api.configuring import (
    draft_text,
    finding_view,
    known_book,
    known_version,
    refused_configuration,
)
from waybill.api.exporting import CONTENT_TYPE as LINES
from waybill.api.problems import BAD_QUERY, STORE_UNAVAILABLE, ApiProblem, not_found
from waybill.configuring.drafts import Draft
from waybill.configuring.matrices import WideMatrixError, matrix_view
from waybill.configuring.plan_findings import plan_findings
from waybill.configuring.replays import Replay
from waybill.documents import parse_document
from waybill.findings import errors


async def plan(call: Call) -> web.StreamResponse:
    """What the body would do to the last orders; as lines, with its progress, where asked for."""
    text = await draft_text(call.request)
    services, tenant = call.api.services, call.tenant
    draft = await drafted(services, tenant, text)
    replay = replay_of(services, tenant, draft, call.query.last)
    if LINES not in call.request.headers.get("Accept", ""):
        async for _ in progress(services, replay):
            pass
        return answered(plan_view(services, tenant, (text, draft), replay.plan()))
    response = web.StreamResponse(headers={"Content-Type": LINES})
    await response.prepare(call.request)
    async for done in progress(services, replay):
        await response.write(orjson.dumps({"done": done, "of": replay.last}) + b"\n")
    view = plan_view(services, tenant, (text, draft), replay.plan())
    await response.write(orjson.dumps({"plan": view}) + b"\n")
    await response.write_eof()
    return response


async def show_matrix(call: Call) -> web.Response:
    """Which sequence each combination of axes gets, and why."""
    services, query = call.api.services, call.query
    number = query.version or _version(services, call.tenant)
    found = await known_version(services, call.tenant, number)
    configuration = Configuration.model_validate(found.document)
    try:
        return answered({"version": number, **matrix_view(configuration, query.model_dump())})
    except WideMatrixError as wide:
        raise ApiProblem(BAD_QUERY, str(wide), wide.remedy, "order_type") from None


async def drafted(services: ApiServices, tenant: str, text: str) -> Draft:
    """The text as a draft; a 422 problem where it has errors."""
    book = known_book(services)
    found = await asyncio.to_thread(book.drafting.read, text, tenant)
    if errors(found.findings):
        raise refused_configuration(found.findings)
    return found


def replay_of(services: ApiServices, tenant: str, draft: Draft, last: int) -> Replay:
    """The replay of the tenant's last orders against the draft."""
    before = known_book(services).sequencers.get(tenant)
    if before is None:
        raise not_found("a processing configuration of this tenant")
    after = services.configurations.drafting.sequencer(draft.usable)
    return services.replays.of(tenant, before, after, last)


async def progress(services: ApiServices, replay: Replay) -> AsyncIterator[int]:
    """Goes through the orders, and tells again and again how many it has seen."""
    async with services.replays.turn:
        while not replay.is_over:
            try:
                await asyncio.to_thread(replay.go_on)
            except SQLAlchemyError as problem:
                raise ApiProblem(
                    STORE_UNAVAILABLE,
                    f"the store does not answer ({type(problem).__name__})",
                    "try again; if it stays, look at WAYBILL_DATABASE",
                    headers={"Retry-After": "2"},
                ) from problem
            yield replay.done


def plan_view(
    services: ApiServices, tenant: str, drafted_as: tuple[str, Draft], found: Plan
) -> dict[str, Any]:
    """The plan as the API answers it; findings have the lines of the draft's text."""
    text, draft = drafted_as
    document = parse_document(text, "the body")
    more = [document.placed(one) for one in plan_findings(found, draft.usable)]
    return {
        "version": _version(services, tenant),
        "orders": found.orders,
        **{kind.value: found.kinds[kind] for kind in ChangeKind},
        "changes": [_change(one) for one in found.changes],
        "groups": found.groups,
        "steps": [asdict(one) for one in found.steps],
        "expressions": [asdict(one) for one in found.expressions],
        "overrides": [asdict(one) for one in found.overrides],
        "findings": [finding_view(one) for one in (*draft.findings, *more)],
    }


def _version(services: ApiServices, tenant: str) -> int:
    found = known_book(services).current(tenant)
    if found is None:
        raise not_found("a processing configuration of this tenant")
    return found.version


def _change(one: Change) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "axes": one.axes,
        "orders": one.orders,
        "examples": one.examples,
        "before": [stop._asdict() for stop in one.before],
        "after": [stop._asdict() for stop in one.after],
        "added": one.added,
        "removed": one.removed,
        "moved": one.moved,
        "settings": dict(one.settings),
        "refusal": None if one.refusal is None else asdict(one.refusal),
    }
