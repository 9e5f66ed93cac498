"""`/rejected`: what was not taken and why; looking at it, correcting it, sending it again."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field

from projections.audit import AuditKind
from waybill.api import rejected as rest
from waybill.api.auditing import Act, audited
from waybill.api.bodies import fitting
from waybill.api.principal import Scope
from waybill.api.problems import ApiProblem
from waybill.api.rejected_shapes import MOST, RejectedQuery, RejectedReplayBody
from waybill.api.tokens import parse_token
from waybill.console.days import FromDay, ToDay
from waybill.console.pages import Page, Visit


class RejectedPageQuery(RejectedQuery):
    """As REST has it; `from` and `to` may be days, the last one included."""

    from_: FromDay | None = Field(default=None, alias="from")
    to: ToDay | None = None


async def rejected(visit: Visit) -> web.StreamResponse:
    """The newest records that fit."""
    query = visit.query(RejectedPageQuery)
    page = await rest.rejected_page(visit.call(), query)
    given = {name: value for name, value in visit.request.query.items() if value}
    return visit.page(
        "rejected.html",
        records=page["items"],
        next=page["next"],
        given=given,
        chosen=bool(given.keys() - {"cursor", "limit"}),
    )


async def record(visit: Visit) -> web.StreamResponse:
    """One record, without what was sent."""
    return await _shown(visit)


async def opened(visit: Visit) -> web.StreamResponse:
    """One record with what was sent, which is kept in the audit."""
    return await _shown(visit, with_content=True)


async def replay(visit: Visit) -> web.StreamResponse:
    """Sends it again, or only says what would become of it."""
    form = await visit.form()
    given = {name: form[name] for name in ("content", "reason") if form.get(name)}
    if "content" in given:
        given["content"] = given["content"].replace("\r\n", "\n")
    try:
        found = await rest.found(visit.call())
        if form.get("do") == "check":
            order = rest.foreseen(visit.call(), found, given.get("content"))
            return await _shown(visit, given=given, foreseen=order)
        body: RejectedReplayBody = fitting(
            RejectedReplayBody, {**given, "anyway": form.get("anyway") == "yes"}
        )
        sent = await rest.replayed(visit.call(), found, body)
    except ApiProblem as problem:
        return await _shown(visit, given=given, problem=problem)
    if sent["order"] is None:
        return visit.see("/rejected", f"Record {sent['id']} was sent again.")
    try:
        await visit.api.watch.holds(parse_token(sent["token"]), visit.tenant)
    except ApiProblem:
        told = f"Record {sent['id']} was sent again. Its order is not there yet."
        return visit.see("/rejected", told)
    return visit.see(f"/orders/{sent['order']}", "It was sent again, and is taken.")


async def selected(visit: Visit) -> web.StreamResponse:
    """Sends several again, as they are; first says which."""
    form = await visit.form()
    names, reason = form.getall("record", [])[:MOST], form.get("reason", "")
    problem, results = None, list[Mapping[str, Any]]()
    if form.get("do") == "send":
        try:
            body = fitting(RejectedReplayBody, {"reason": reason})
        except ApiProblem as found:
            problem = found
        else:
            results = [await _sent(visit, name, body) for name in names]
    return visit.page(
        "rejected_selected.html",
        names=names,
        reason=reason,
        problem=problem,
        results=results,
    )


async def _sent(visit: Visit, name: str, body: RejectedReplayBody) -> Mapping[str, Any]:
    call = visit.call()
    try:
        sent = await rest.replayed(call, await rest.found_as(call, name), body)
    except ApiProblem as problem:
        return {"id": name, "order": None, "problem": problem}
    return {**sent, "problem": None}


async def _shown(
    visit: Visit,
    *,
    with_content: bool = False,
    given: Mapping[str, str] | None = None,
    foreseen: str | None = None,
    problem: ApiProblem | None = None,
) -> web.StreamResponse:
    call = visit.call()
    found = await rest.found(call)
    if with_content:
        name = rest.record_id(found)
        async with audited(call, Act(kind=AuditKind.REJECTED, action="read", subject=name)):
            view = await rest.one_view(call, found, with_content=True)
    else:
        view = await rest.one_view(call, found)
    content = view["content"]
    text = (given or {}).get("content") or (content["text"] if content else None)
    return visit.page(
        "rejected_record.html",
        record=view,
        text=text,
        editable=view["editable"]
        and text is not None
        and (content is None or content["encoding"] == "utf-8"),
        reason=(given or {}).get("reason", ""),
        foreseen=foreseen,
        problem=problem,
    )


PAGES = (
    Page("GET", "/rejected", rejected, Scope.OPERATE),
    Page("POST", "/rejected/selected", selected, Scope.OPERATE),
    Page("GET", "/rejected/{id:[0-9]+-[0-9]+}", record, Scope.OPERATE),
    Page("POST", "/rejected/{id:[0-9]+-[0-9]+}", opened, Scope.OPERATE),
    Page("POST", "/rejected/{id:[0-9]+-[0-9]+}/replay", replay, Scope.OPERATE),
)
