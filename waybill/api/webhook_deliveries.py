"""`/api/webhook-deliveries`: what was sent and what came of it; tests and replays."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import orjson
from aiohttp import web

from projections.audit import AuditKind
from projections.webhooks.deliveries import Addition, Chosen, Deliveries, DeliveryFilters
from streams.core import ids
from streams.core.webhooks.bodies import body_of
from streams.core.webhooks.endpoint import Endpoint
from streams.core.webhooks.updates import Update
from waybill.api.auditing import Act, audited, reason_of
from waybill.api.bodies import fitting, idempotency_key, json_of
from waybill.api.call import Call, answered
from waybill.api.problems import BAD_QUERY, FILTER_MISSING, ApiProblem, not_found
from waybill.api.webhook_endpoints import check_types
from waybill.api.webhook_problems import ENDPOINT_DISABLED
from waybill.api.webhook_shapes import TEST, WebhookReplayBody, WebhookTestBody
from waybill.api.webhook_states import endpoint_states, is_disabled
from waybill.api.webhook_writing import endpoint_of
from waybill.webhook_examples import webhook_examples

_T = TypeVar("_T")

_DELIVERY = re.compile("del_[0-9a-f]{32}")


async def deliveries(call: Call) -> web.Response:
    """A page of the tenant's deliveries, the newest first."""
    query = call.query
    filters = DeliveryFilters(
        **query.model_dump(include={"endpoint", "status", "type", "order"}),
        since=query.from_,
        until=query.to,
    )
    try:
        page = await _ask(
            call, lambda found: found.listed(call.tenant, filters, query.cursor, query.limit)
        )
    except ValueError:
        raise ApiProblem(
            BAD_QUERY, "the cursor is none of ours", "use `next` as it was answered", "cursor"
        ) from None
    return answered(page)


async def delivery(call: Call) -> web.Response:
    """One delivery with its attempts."""
    name = _delivery_id(call)
    found = await _ask(call, lambda found: found.one(call.tenant, name))
    if found is None:
        raise not_found("the delivery")
    return answered(found)


async def replay_one(call: Call) -> web.Response:
    """Makes one delivery again."""
    name, now = _delivery_id(call), call.api.services.now()
    async with audited(call, _act(call, AuditKind.WEBHOOK_DELIVERY, "replay", name)):
        replayed = await _ask(call, lambda found: found.replay(call.tenant, [name], now))
        if not replayed:
            raise not_found("the delivery")
    return answered({"matched": replayed, "replayed": replayed}, status=202)


async def replay_many(call: Call) -> web.Response:
    """Makes deliveries of one endpoint again, or says how many that would be."""
    return await replay(call, fitting(WebhookReplayBody, await json_of(call.request)))


async def replay(call: Call, body: WebhookReplayBody) -> web.Response:
    """How many are made again, or would be."""
    endpoint = endpoint_of(call, call.part("id"))
    filters = _filters(body, endpoint.id)
    now = call.api.services.now()
    if body.preview:
        matched = await _ask(call, lambda found: found.count(call.tenant, filters))
        return answered({"matched": matched, "replayed": 0})
    chosen = body.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"preview"})
    if body.ids is not None:
        chosen["ids"] = len(body.ids)
    act = _act(call, AuditKind.WEBHOOK_ENDPOINT, "replay", endpoint.id, **chosen)
    async with audited(call, act):
        replayed = await _ask(call, lambda found: found.replay(call.tenant, filters, now))
    return answered({"matched": replayed, "replayed": replayed}, status=202)


async def test(call: Call) -> web.Response:
    """Sends `webhook.test`, or the example of a type, whatever types the endpoint wants."""
    return await try_out(call, fitting(WebhookTestBody, await json_of(call.request)))


async def try_out(call: Call, body: WebhookTestBody) -> web.Response:
    """The delivery that was made."""
    check_types((body.type,), "/type")
    endpoint = endpoint_of(call, call.part("id"))
    if is_disabled(endpoint, (await endpoint_states(call)).get(endpoint.id)):
        raise ApiProblem(
            ENDPOINT_DISABLED, "nothing is sent to it", "enable it first: PATCH it with `enabled`"
        )
    services = call.api.services
    key = idempotency_key(call.request) or services.random_bytes(16).hex()
    message = "msg_" + ids.derived_uuid("webhook-test", endpoint.id, key).replace("-", "")
    addition = Addition(
        tenant=call.tenant,
        endpoint=endpoint.id,
        message=message,
        type=body.type,
        body=_example(body.type, endpoint, services.now()),
    )
    act = _act(call, AuditKind.WEBHOOK_ENDPOINT, "test", endpoint.id, type=body.type)
    async with audited(call, act):
        name = await _ask(call, lambda found: found.add(addition, services.now()))
    return answered({"delivery": name, "message": message, "type": body.type}, status=202)


def _delivery_id(call: Call) -> str:
    name = call.part("id")
    if _DELIVERY.fullmatch(name) is None:
        raise not_found("the delivery")
    return name


def _example(name: str, endpoint: Endpoint, now: datetime) -> bytes:
    if name != TEST:
        return orjson.dumps(webhook_examples()[name][endpoint.payload])
    told = {"endpoint": endpoint.id, "description": endpoint.description}
    return body_of(name, Update("", name, endpoint.tenant, endpoint.id, now, told), "full", None)


def _act(call: Call, kind: AuditKind, action: str, subject: str, **details: Any) -> Act:
    return Act(kind=kind, action=action, subject=subject, reason=reason_of(call), details=details)


async def _ask(call: Call, question: Callable[[Deliveries], _T]) -> _T:
    deliveries = call.api.services.webhooks.deliveries
    return await call.api.reader.ask(lambda _: question(deliveries))


def _filters(body: WebhookReplayBody, endpoint: str) -> Chosen:
    given = body.model_dump(include={"status", "type", "order"}, exclude_none=True)
    if not given and body.from_ is None and body.to is None and body.ids is None:
        raise ApiProblem(
            FILTER_MISSING,
            "that would be all deliveries that the endpoint ever got",
            "say which: `ids`, `status`, `type`, `order`, `from` or `to`",
        )
    wanted = None if body.ids is None else tuple(body.ids)
    return DeliveryFilters(**given, ids=wanted, endpoint=endpoint, since=body.from_, until=body.to)
