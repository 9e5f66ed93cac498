"""`/webhooks`: endpoints, how they do, and making, changing, testing and deleting them."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from streams.core.webhooks.catalogue import TYPES
from waybill.api import webhook_deliveries, webhook_endpoints
from waybill.api.auditing import ReasonQuery
from waybill.api.bodies import fitting
from waybill.api.principal import Scope
from waybill.api.problems import BAD_QUERY, ApiProblem
from waybill.api.webhook_shapes import (
    DAY_S,
    WebhookDeliveriesQuery,
    WebhookEndpointBody,
    WebhookEndpointChanges,
    WebhookReplayBody,
    WebhookSecretBody,
    WebhookTestBody,
)
from waybill.console.pages import Page, Visit
from waybill.console.webhook_fields import changes_of, endpoint_of, given_of, number

_REFRESH_S = 5
_LATEST = 10
_HOUR_S = 3600
ACTIONS: Mapping[str, tuple[str, Scope]] = {
    "test": ("Send a test", Scope.OPERATE),
    "replay": ("Deliver again", Scope.OPERATE),
    "enable": ("Enable", Scope.CONFIGURE),
    "disable": ("Disable", Scope.CONFIGURE),
    "rotate": ("Replace the secret", Scope.CONFIGURE),
    "delete": ("Delete", Scope.CONFIGURE),
}
"""What can be done to an endpoint: how it is called, and who may."""

_ONE = "/webhooks/{id:whe_[0-9a-f]{32}}"


async def endpoints(visit: Visit) -> web.StreamResponse:
    """All endpoints."""
    found = await visit.answer(webhook_endpoints.endpoints)
    return visit.page("webhooks.html", refresh=_REFRESH_S, endpoints=found["items"])


async def endpoint(visit: Visit) -> web.StreamResponse:
    """One endpoint with its latest deliveries."""
    found = await visit.answer(webhook_endpoints.endpoint)
    query = WebhookDeliveriesQuery(endpoint=found["id"], limit=_LATEST)
    latest = await visit.answer(webhook_deliveries.deliveries, query)
    return visit.page(
        "webhook.html",
        refresh=_REFRESH_S,
        endpoint=found,
        deliveries=latest["items"],
        secret=None,
        actions=ACTIONS,
    )


async def new(visit: Visit) -> web.StreamResponse:
    """An empty form."""
    return _form(visit, None, given_of(None), None)


async def create(visit: Visit) -> web.StreamResponse:
    """The new endpoint with its secret, or the form with what is wrong."""
    form = await visit.form()
    try:
        body: WebhookEndpointBody = fitting(WebhookEndpointBody, endpoint_of(form))
        made = await visit.answer(
            lambda call: webhook_endpoints.make(call, body), _reason(form.get("reason"))
        )
    except ApiProblem as problem:
        return _form(visit, None, dict(form), problem)
    return _secret(visit, made, "The endpoint is made: it gets what happens from now on.")


async def edit(visit: Visit) -> web.StreamResponse:
    """The form with what holds now."""
    found = await visit.answer(webhook_endpoints.endpoint)
    return _form(visit, found, given_of(found), None)


async def change(visit: Visit) -> web.StreamResponse:
    """Back to the endpoint as it is then, or the form with what is wrong."""
    form = await visit.form()
    found = await visit.answer(webhook_endpoints.endpoint)
    try:
        body: WebhookEndpointChanges = fitting(WebhookEndpointChanges, changes_of(form, found))
        revision = _revision(form)
        await visit.answer(
            lambda call: webhook_endpoints.edit(call, body, revision), _reason(form.get("reason"))
        )
    except ApiProblem as problem:
        return _form(visit, found, dict(form), problem)
    return visit.see(f"/webhooks/{found['id']}", "It is changed.")


async def ask(visit: Visit) -> web.StreamResponse:
    """What will happen, and the form."""
    return await _asked(visit, {}, None)


async def act(visit: Visit) -> web.StreamResponse:
    """Does it; back to the endpoint."""
    form = await visit.form()
    if form.get("do") == "preview":
        return await _asked(visit, dict(form), None)
    try:
        return await _done(visit, form)
    except ApiProblem as problem:
        return await _asked(visit, dict(form), problem)


async def _done(visit: Visit, form: Mapping[str, str]) -> web.StreamResponse:
    action, back = visit.part("action"), f"/webhooks/{visit.part('id')}"
    why = _reason(form.get("reason"))
    if action == "test":
        chosen = WebhookTestBody(type=form.get("type") or "webhook.test")
        sent = await visit.answer(lambda call: webhook_deliveries.try_out(call, chosen), why)
        return visit.see(f"/webhooks/deliveries/{sent['delivery']}", "The test is on its way.")
    if action == "replay":
        again = await _replay(visit, form, preview=False)
        return visit.see(back, f"{again} deliveries are made again.")
    if action == "rotate":
        return await _rotated(visit, form, why)
    revision = _revision(form)
    if action == "delete":
        await visit.answer(lambda call: webhook_endpoints.remove(call, revision), why)
        return visit.see("/webhooks", "The endpoint is deleted.")
    wanted = WebhookEndpointChanges(enabled=action == "enable")
    await visit.answer(lambda call: webhook_endpoints.edit(call, wanted, revision), why)
    return visit.see(back, "It is enabled." if action == "enable" else "It is disabled.")


async def _rotated(visit: Visit, form: Mapping[str, str], why: ReasonQuery) -> web.StreamResponse:
    hours = number(form, "overlap_h", int)
    body = fitting(
        WebhookSecretBody,
        {
            "kind": form.get("kind") or None,
            "overlap_s": DAY_S if hours is None else hours * _HOUR_S,
        },
    )
    revision = _revision(form)
    made = await visit.answer(lambda call: webhook_endpoints.renew(call, body, revision), why)
    return _secret(visit, made, "The secret is replaced.")


async def _replay(visit: Visit, form: Mapping[str, str], *, preview: bool) -> int:
    """How many deliveries are made again, or would be."""
    names = ("status", "type", "order", "from", "to")
    chosen = {name: form[name].strip() for name in names if form.get(name, "").strip()}
    for name in ("from", "to"):
        if len(chosen.get(name, "")) == len("2026-03-01T10:00"):
            chosen[name] += ":00Z"
    body = fitting(WebhookReplayBody, {**chosen, "preview": preview})
    answer = await visit.answer(
        lambda call: webhook_deliveries.replay(call, body), _reason(form.get("reason"))
    )
    matched: int = answer["matched"]
    return matched


async def _asked(
    visit: Visit, given: Mapping[str, str], problem: ApiProblem | None
) -> web.StreamResponse:
    action = visit.part("action")
    found = await visit.answer(webhook_endpoints.endpoint)
    matched = None
    if action == "replay" and given and problem is None:
        try:
            matched = await _replay(visit, given, preview=True)
        except ApiProblem as wrong:
            problem = wrong
    return visit.page(
        "webhook_act.html",
        action=action,
        words=ACTIONS[action][0],
        endpoint=found,
        given={"status": "failed", "reason": ""} | dict(given),
        matched=matched,
        problem=problem,
        types=list(TYPES),
    )


def _form(
    visit: Visit,
    found: Mapping[str, Any] | None,
    given: Mapping[str, str],
    problem: ApiProblem | None,
) -> web.StreamResponse:
    return visit.page(
        "webhook_form.html",
        endpoint=found,
        given=given,
        problem=problem,
        types=TYPES,
    )


def _secret(visit: Visit, made: Mapping[str, Any], told: str) -> web.StreamResponse:
    """The one page that has it: it is in no address, and nothing keeps it."""
    return visit.page("webhook_secret.html", endpoint=made, secret=made["secret"], what=told)


def _reason(given: str | None) -> ReasonQuery:
    try:
        return ReasonQuery(reason=given or None)
    except ValueError:
        raise ApiProblem(BAD_QUERY, "the reason is too long", "shorten it", "reason") from None


def _revision(form: Mapping[str, str]) -> int | None:
    given = form.get("revision", "")
    return int(given) if given.isdecimal() and len(given) < 19 else None  # noqa: PLR2004 - as ETags


PAGES = (
    Page("GET", "/webhooks", endpoints, Scope.READ),
    Page("GET", "/webhooks/new", new, Scope.CONFIGURE),
    Page("POST", "/webhooks/new", create, Scope.CONFIGURE),
    Page("GET", _ONE, endpoint, Scope.READ),
    Page("GET", f"{_ONE}/edit", edit, Scope.CONFIGURE),
    Page("POST", f"{_ONE}/edit", change, Scope.CONFIGURE),
    *(
        Page(method, f"{_ONE}/{{action:{name}}}", handler, scope)
        for name, (_, scope) in ACTIONS.items()
        for method, handler in (("GET", ask), ("POST", act))
    ),
)
