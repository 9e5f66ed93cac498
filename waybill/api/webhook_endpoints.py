"""`/api/webhook-endpoints`: making, showing, changing and deleting endpoints, and their secrets."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from projections.audit import AuditKind
from streams.agents.webhooks.egress import check_endpoint
from streams.core import ids
from streams.core.webhooks.catalogue import unknown_patterns
from streams.core.webhooks.changing import Sealer, TooManySecretsError, changed, rotated
from streams.core.webhooks.egress import EgressRefusedError
from streams.core.webhooks.endpoint import Deleted, Endpoint
from waybill.api.auditing import Act, audited, reason_of
from waybill.api.bodies import fitting, idempotency_key, json_of
from waybill.api.call import Call, answered
from waybill.api.problems import ApiProblem
from waybill.api.webhook_problems import (
    BAD_HEADER_NAME,
    ENDPOINT_DELETED,
    NO_KEY,
    TOO_MANY_ENDPOINTS,
    TOO_MANY_SECRETS,
    UNKNOWN_EVENT_TYPE,
    egress_problem,
)
from waybill.api.webhook_shapes import (
    WebhookEndpointBody,
    WebhookEndpointChanges,
    WebhookSecretBody,
)
from waybill.api.webhook_states import endpoint_states, endpoint_view, is_disabled
from waybill.api.webhook_writing import change, endpoint_of, if_match, known_endpoints, write

MOST_ENDPOINTS = 100
"""Endpoints of one tenant: each update is matched with all of them."""

_PLAIN = ("url", "description", "payload", "personal_data", "rate_limit", "max_in_flight")
_RESERVED = ("webhook-", "waybill-", "proxy-", "sec-", "content-")
_OURS = frozenset(
    (
        *("accept-encoding", "connection", "date", "expect", "host", "keep-alive", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent"),
    )
)


async def create(call: Call) -> web.Response:
    """Makes an endpoint; its secret is in this answer and in none after it."""
    return await make(call, fitting(WebhookEndpointBody, await json_of(call.request)))


async def make(call: Call, body: WebhookEndpointBody) -> web.Response:
    """The new endpoint with its secret."""
    book, name = known_endpoints(call), _endpoint_id(call)
    held = book.holds(name)
    if isinstance(held, Deleted):
        raise ApiProblem(
            ENDPOINT_DELETED, "the endpoint that this key made is gone", "use a key of its own"
        )
    if held is not None:
        return await _shown(call, held)
    if len(book.of(call.tenant)) >= MOST_ENDPOINTS:
        raise ApiProblem(
            TOO_MANY_ENDPOINTS, f"the tenant has {MOST_ENDPOINTS} endpoints", "delete one first"
        )
    await _check(call, body.url, body.events, body.headers)
    now, sealer = call.api.services.now(), _sealer(call)
    secret, key = sealer.secret(name, body.secret_kind, now)
    headers = {one.lower(): value for one, value in body.headers.items()}
    endpoint = Endpoint(
        **{member: getattr(body, member) for member in _PLAIN},
        id=name,
        tenant=call.tenant,
        events=tuple(dict.fromkeys(body.events)),
        headers=sealer.headers(name, (), headers),
        secrets=(secret,),
        enabled=body.enabled,
        created=now,
        updated=now,
    )
    async with audited(call, _act(call, "created", name)):
        written = await write(call, endpoint)
    if not written:
        # Another process made it at the same moment, for the same Idempotency-Key.
        return await _shown(call, endpoint_of(call, name))
    location = {"Location": f"/api/webhook-endpoints/{name}"}
    return await _shown(call, endpoint, {"secret": key.shown()}, status=201, headers=location)


async def endpoints(call: Call) -> web.Response:
    """All endpoints of the tenant."""
    states, now = await endpoint_states(call), call.api.services.now()
    found = known_endpoints(call).of(call.tenant)
    items = [endpoint_view(one, states.get(one.id), now) for one in found]
    return answered({"items": items, "next": None})


async def endpoint(call: Call) -> web.Response:
    """One endpoint, with its revision as ETag."""
    return await _shown(call, endpoint_of(call, call.part("id")))


async def update(call: Call) -> web.Response:
    """Changes members of an endpoint."""
    body: WebhookEndpointChanges = fitting(WebhookEndpointChanges, await json_of(call.request))
    return await edit(call, body, if_match(call.request))


async def edit(call: Call, body: WebhookEndpointChanges, revision: int | None) -> web.Response:
    """The changed endpoint. `revision` as for `change`."""
    given = body.model_fields_set
    before = endpoint_of(call, call.part("id"))
    await _check(
        call,
        body.url if "url" in given else None,
        body.events if "events" in given else (),
        body.headers,
    )
    members: dict[str, Any] = {name: getattr(body, name) for name in _PLAIN if name in given}
    if "events" in given:
        members["events"] = tuple(dict.fromkeys(body.events))
    if "enabled" in given:
        members["enabled"] = body.enabled
    states = await endpoint_states(call)
    anew = members.get("enabled", False) and is_disabled(before, states.get(before.id))
    headers = {one.lower(): value for one, value in body.headers.items()}
    sealer, now = _sealer(call), call.api.services.now()

    def after(held: Endpoint) -> Endpoint:
        kept = sealer.headers(held.id, held.headers, headers)
        # What disabled the older generation, a 410 or days of failures, is void by the new one.
        return changed(held, members | {"headers": kept, "generation": held.generation + anew}, now)

    async with audited(call, _act(call, "changed", before.id, members=sorted(given))):
        endpoint = await change(call, after, revision)
    return await _shown(call, endpoint)


async def delete(call: Call) -> web.Response:
    """Deletes an endpoint for ever."""
    return await remove(call, if_match(call.request))


async def remove(call: Call, revision: int | None) -> web.Response:
    """Its id. `revision` as for `change`."""
    before = endpoint_of(call, call.part("id"))
    async with audited(call, _act(call, "deleted", before.id, url=before.url)):
        held = await change(call, lambda held: Deleted(held.id, held.tenant), revision)
    return answered({"id": held.id, "deleted": True})


async def rotate(call: Call) -> web.Response:
    """A new secret; those that signed so far sign along for a while."""
    body: WebhookSecretBody = fitting(WebhookSecretBody, await json_of(call.request))
    return await renew(call, body, if_match(call.request))


async def renew(call: Call, body: WebhookSecretBody, revision: int | None) -> web.Response:
    """The endpoint with its new secret. `revision` as for `change`."""
    before, now = endpoint_of(call, call.part("id")), call.api.services.now()
    kind = body.kind or before.secrets[0].kind
    secret, key = _sealer(call).secret(before.id, kind, now)
    overlap = timedelta(seconds=body.overlap_s)
    act = _act(call, "rotated", before.id, secret=secret.id, overlap_s=body.overlap_s)
    async with audited(call, act):
        try:
            after = await change(call, lambda held: rotated(held, secret, overlap, now), revision)
        except TooManySecretsError:
            raise ApiProblem(
                TOO_MANY_SECRETS,
                "the endpoint has as many secrets that sign as it may",
                "wait until one expires, or replace them all with `overlap_s` 0",
            ) from None
    return await _shown(call, after, {"secret": key.shown()})


async def _shown(
    call: Call,
    endpoint: Endpoint,
    more: Mapping[str, str] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    state = (await endpoint_states(call)).get(endpoint.id)
    view = endpoint_view(endpoint, state, call.api.services.now())
    etag = {"ETag": f'"{endpoint.revision}"'}
    return answered(view | dict(more or {}), status=status, headers=etag | dict(headers or {}))


def _act(call: Call, action: str, endpoint: str, **details: Any) -> Act:
    return Act(
        kind=AuditKind.WEBHOOK_ENDPOINT,
        action=action,
        subject=endpoint,
        reason=reason_of(call),
        details=details,
    )


def _endpoint_id(call: Call) -> str:
    key = idempotency_key(call.request)
    if key is None:
        return f"whe_{call.api.services.random_bytes(16).hex()}"
    return "whe_" + ids.derived_uuid("webhook-endpoint", call.tenant, key).replace("-", "")


def _sealer(call: Call) -> Sealer:
    keys = call.api.services.webhooks.keys.get(call.tenant)
    if keys is None:
        raise ApiProblem(
            NO_KEY, "nothing can be sealed for this tenant", "add its key to WAYBILL_KEYS"
        )
    return Sealer(keys, call.api.services.random_bytes)


def check_types(patterns: Collection[str], field: str) -> None:
    """A 422 problem where one of them means no type of webhook."""
    for pattern, near in unknown_patterns(patterns).items():
        raise ApiProblem(
            UNKNOWN_EVENT_TYPE,
            f"{pattern!r} is no type of webhook, and no pattern of one",
            f"did you mean {near!r}?" if near else "see /api/webhook-types",
            field,
        )


async def _check(
    call: Call, url: str | None, events: Collection[str], headers: Collection[str]
) -> None:
    check_types(events, "/events")
    names = [name.lower() for name in headers]
    for name in names:
        if name.startswith(_RESERVED) or name in _OURS or names.count(name) > 1:
            raise ApiProblem(
                BAD_HEADER_NAME,
                f"the header {name!r} is set by Waybill or by HTTP, or is there twice",
                "choose another name",
                f"/headers/{name}",
            )
    if url is not None:
        webhooks = call.api.services.webhooks
        try:
            await check_endpoint(url, webhooks.allow, webhooks.resolver)
        except EgressRefusedError as refused:
            raise egress_problem(refused) from None
