"""`/orders/{id}`: everything about one order, now or as it stood after any of its events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from projections.past import AsOf
from projections.queries import OrderFilters
from streams.core.order import Order
from waybill.api import orders as rest
from waybill.api import webhook_deliveries
from waybill.api.masking import masked_order
from waybill.api.past import PastQuery
from waybill.api.principal import Scope
from waybill.api.problems import ApiProblem, not_found
from waybill.api.reading import Reading
from waybill.api.webhook_shapes import WebhookDeliveriesQuery
from waybill.console.acting import FINAL, WORDS
from waybill.console.deliveries import endpoints_of
from waybill.console.order_shown import (
    INLINE_CHARS,
    callouts_of,
    events_shown,
    way_of,
    with_bodies,
)
from waybill.console.pages import Page, Visit
from waybill.console.rendering import pretty_json

_RELATED = 10
_DELIVERIES = 20
_DOCUMENT_CHARS = 40_000
"""A document that is longer has a page of its own."""
_STEERING = ("retry", "skip", "resolve")
_SETTLED = frozenset({"succeeded", "skipped", "compensated", "pending", "started"})


class OrderPageQuery(BaseModel):
    """How to show an order."""

    model_config = ConfigDict(extra="forbid")

    event: int | None = Field(default=None, ge=1, description="As it stood after its n-th event")
    bodies: bool = Field(default=False, description="All bodies of callouts, however long")


@dataclass(frozen=True, slots=True)
class _About:
    """What stands around an order."""

    folded: Order | None
    related: list[Mapping[str, Any]]
    subscription: Mapping[str, Any] | None
    commands: list[Mapping[str, Any]]


async def order(visit: Visit) -> web.StreamResponse:
    """The order as a picture, its events, callouts, data, and what surrounds it."""
    query = visit.query(OrderPageQuery)
    timeline = await visit.answer(rest.timeline, PastQuery())
    events = timeline["items"]
    past = None
    if query.event is not None and query.event < len(events):
        past = events[query.event - 1]
        timeline = {**timeline, "items": events[: query.event]}
    at = PastQuery(as_of=None if past is None else past["token"])
    found = await visit.answer(rest.order, at)
    records = await visit.answer(rest.process_events, at)
    about = await _about(visit, found, past)
    callouts = callouts_of(timeline, records)
    now = visit.now if past is None else datetime.fromisoformat(past["at"])
    return visit.page(
        "order.html",
        live=f"order={found['id']}" if past is None else None,
        order=found,
        past=past,
        count=len(events),
        way=way_of(found, callouts, now),
        events=events_shown(timeline),
        callouts=with_bodies(callouts, 1 << 30 if query.bodies else INLINE_CHARS),
        actions=_actions(visit, found) if past is None else [],
        on_steps=_on_steps(found) if past is None and visit.may(Scope.OPERATE) else {},
        words=WORDS,
        final=FINAL,
        about=about,
        document=_document(visit, about.folded),
        sent=await _deliveries(visit, found["id"]),
        endpoints=await _endpoints(visit),
    )


async def document(visit: Visit) -> web.StreamResponse:
    """The order document alone, however long."""
    found = await visit.answer(rest.order, PastQuery())
    folded = await visit.reader.ask(lambda reading: reading.folded(visit.tenant, found["id"]))
    if folded is None:
        raise not_found("the order")
    return visit.page(
        "order_document.html",
        order=found,
        text=pretty_json(orjson.loads(folded.accepted.document)),
        sealed=_sealed(folded),
    )


async def _about(visit: Visit, order: Mapping[str, Any], past: Mapping[str, Any] | None) -> _About:
    tenant, operates = visit.tenant, visit.may(Scope.OPERATE)
    today = visit.now.date().isoformat()
    at = None if past is None else AsOf(offsets=((past["partition"], past["offset"]),))

    def look(reading: Reading) -> _About:
        lane = reading.orders(tenant, OrderFilters(lane=order["lane"]), None, _RELATED + 1)
        related = [one for one in lane["items"] if one["id"] != order["id"]]
        return _About(
            folded=reading.folded(tenant, order["id"], at) if operates else None,
            related=related if operates else [masked_order(one) for one in related],
            subscription=reading.subscription(tenant, order["subscriptionReference"], today),
            commands=list(reading.commands_of(tenant, order["id"])) if operates else [],
        )

    return await visit.reader.ask(look)


async def _deliveries(visit: Visit, order_id: str) -> Any:
    query = WebhookDeliveriesQuery(order=order_id, limit=_DELIVERIES)
    return await visit.answer(webhook_deliveries.deliveries, query)


async def _endpoints(visit: Visit) -> Mapping[str, Any]:
    """By id; none while they were not read from Kafka: the order is shown all the same."""
    try:
        return await endpoints_of(visit)
    except ApiProblem:
        return {}


def _actions(visit: Visit, order: Mapping[str, Any]) -> list[str]:
    """What may be asked of the order, what answers its trouble first; none of it is guessed."""
    if not visit.may(Scope.OPERATE):
        return []
    return [str(kind) for kind in order["commands"] or ()]


def _on_steps(order: Mapping[str, Any]) -> dict[str, list[str]]:
    """Of the steps in trouble: what may be asked about them."""
    possible = [kind for kind in _STEERING if kind in (order["commands"] or ())]
    return {step["id"]: possible for step in order["steps"] if step["status"] not in _SETTLED}


def _document(visit: Visit, order: Order | None) -> dict[str, Any] | None:
    """The document as it stands in the log, and what is sealed; only operators see it."""
    if order is None or not visit.may(Scope.OPERATE):
        return None
    text = order.accepted.document
    return {
        "value": orjson.loads(text) if len(text) <= _DOCUMENT_CHARS else None,
        "length": len(text),
        "sealed": _sealed(order),
        "context": {step: dict(output) for step, output in order.context.items()},
        "sealed_outputs": {
            step: [path for part in parts for path in part.paths]
            for step, parts in order.sealed.items()
        },
    }


def _sealed(order: Order) -> list[str]:
    return [path for part in order.accepted.sealed for path in part.paths]


PAGES = (
    Page("GET", "/orders/{id}", order, Scope.READ),
    Page("GET", "/orders/{id}/document", document, Scope.OPERATE),
)
