"""Acting on many orders: what it would come to, the reason, and how far it is."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict
from pydantic import ValidationError

from waybill.api import bulk as rest
from waybill.api.bodies import fitting
from waybill.api.foretelling import UNSAID
from waybill.api.operating_shapes import BulkBody
from waybill.api.principal import Scope
from waybill.api.problems import BAD_QUERY, NOT_FOUND, ApiProblem
from waybill.console.acting import WORDS
from waybill.console.orders import FOR_MANY, OrdersPageQuery
from waybill.console.pages import Page, Visit, own_path

_ALL = "all"
_LOOKED_EVERY_S = 1


async def bulk(visit: Visit) -> web.StreamResponse:
    """What the command would come to; begun where that was seen and is confirmed."""
    form = await visit.form()
    chosen = form.getall("order", [])
    if form.get("which") != _ALL and not chosen:
        return visit.see(own_path(f"/orders?{form.get('filter', '')}"), "Select orders first")
    plain = {
        "command": _command(form),
        "filter": _filter(form, chosen),
        "reason": UNSAID,
    }
    if "go" not in form:
        return await _preview(visit, form, plain, None)
    try:
        asked = {**plain, "id": form.get("id"), "reason": form.get("reason", "")}
        body: BulkBody = fitting(BulkBody, asked)
        progress = await rest.begun(visit.call(), body)
    except ApiProblem as problem:
        return await _preview(visit, form, plain, problem)
    return visit.see(f"/orders/bulk/{progress['id']}")


async def bulk_progress(visit: Visit) -> web.StreamResponse:
    """How far it is, until all are answered."""
    name = visit.part("id")
    try:
        progress = await rest.progress_of(visit.call(), name)
    except ApiProblem as problem:
        if problem.kind is not NOT_FOUND:
            raise
        # Another process may have begun it: it is known by its answers alone.
        return visit.page(
            "orders_bulk_progress.html", refresh=_LOOKED_EVERY_S, name=name, bulk=None, words=WORDS
        )
    refresh = None if progress["status"] == "done" else _LOOKED_EVERY_S
    return visit.page(
        "orders_bulk_progress.html", refresh=refresh, name=name, bulk=progress, words=WORDS
    )


async def back(visit: Visit) -> web.StreamResponse:
    """Whoever opens the address of the form is led to the list."""
    return visit.see("/orders")


async def _preview(
    visit: Visit, form: MultiDict[str], plain: Mapping[str, Any], problem: ApiProblem | None
) -> web.StreamResponse:
    body: BulkBody = fitting(BulkBody, dict(plain))
    found = await rest.previewed(visit.call(), body)
    told = [order for order in found["some"] if order["consequences"] is not None]
    return visit.page(
        "orders_bulk.html",
        problem=problem,
        command=plain["command"],
        words=WORDS,
        matched=found["matched"],
        groups=found["groups"],
        some=told,
        orders=form.getall("order", []),
        which=form.get("which", ""),
        filter=form.get("filter", ""),
        reason=form.get("reason", ""),
        id=form.get("id") or f"bulk-{visit.services.random_bytes(8).hex()}",
    )


def _command(form: MultiDict[str]) -> str:
    given = form.get("command", "")
    if given not in {kind.value for kind in FOR_MANY}:
        raise ApiProblem(
            BAD_QUERY,
            f"{given[:80]!r} cannot be asked of many orders at once",
            f"choose one of {', '.join(kind.value for kind in FOR_MANY)}",
            "command",
        )
    return given


def _filter(form: MultiDict[str], chosen: list[str]) -> dict[str, Any]:
    """As a bulk takes it: the orders that were selected, or the list's filter."""
    if form.get("which") != _ALL:
        return {"ids": chosen}
    given = {name: value for name, value in parse_qsl(form.get("filter", "")) if value}
    try:
        query = OrdersPageQuery.model_validate(given)
    except ValidationError as problem:
        found = problem.errors(include_input=False, include_url=False)[0]
        raise ApiProblem(
            BAD_QUERY, found["msg"], "go back to the list and filter anew", str(found["loc"][0])
        ) from None
    return query.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        exclude={"cursor", "limit", "min_offset"},
    )


PAGES = (
    Page("GET", "/orders/bulk", back, Scope.READ),
    Page("POST", "/orders/bulk", bulk, Scope.OPERATE),
    Page("GET", "/orders/bulk/{id}", bulk_progress, Scope.OPERATE),
)
