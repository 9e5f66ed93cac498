"""Limio's objects: orders, the events of their arrival, and their process events, in one envelope.

All three carry the digits of their order in their ids, so that each leads to the others. What is
kept of subscriptions and customers is told by `limio_kept`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson
from aiohttp import web

from projections.process_events import process_event_id
from projections.queries import OrderFilters
from waybill.api import limio_kept
from waybill.api.call import Call, answered
from waybill.api.limio_kept import KeptType
from waybill.api.masking import masked_order, masked_process_event
from waybill.api.problems import BAD_QUERY, NOT_FOUND, ApiProblem, not_found
from waybill.api.reading import Reading

RecordType: TypeAlias = Literal["order", "event", "process_event"]
"""Those that carry the digits of their order."""

SERVICE = "limio"
MESSAGE = "Order Received"

_TYPES: Mapping[str, RecordType] = {
    **dict.fromkeys(("order", "orders"), "order"),
    **dict.fromkeys(("event", "events"), "event"),
    **dict.fromkeys(("process", "process_event", "process_events"), "process_event"),
}
_KEPT: Mapping[str, KeptType] = {
    **dict.fromkeys(("subscription", "subscriptions"), "subscription"),
    **dict.fromkeys(("customer", "customers"), "customer"),
}
"""Limio's path types, and the singular that its own users write."""
_ID = re.compile(r"(order|event|process_event)-([0-9a-f]{32})(?:-([1-9][0-9]{0,5}))?")
_SHOWN = (
    *("__spec_version", "orderItems", "total", "country", "orderDate", "effectiveDate", "source"),
    *("initiated_source", "forSubscription", "originalOffer", "tracking", "isGift", "isRedeem"),
    *("refund", "notification"),
)
"""Members of the document that an object shows; what is personal is sealed and not among them."""
_ORDER_ITSELF = ("external_id", "order_type", "subscriptionReference", "completion", "error", "run")


@dataclass(frozen=True, slots=True)
class _Named:
    """What an object's id says."""

    record_type: RecordType
    order_id: str
    run: int


async def listed(call: Call) -> web.Response:
    """A page of objects, the newest first, without their data."""
    if (kept := _kept_type(call)) is not None:
        return answered(await limio_kept.listed(call, kept))
    query, record_type = call.query, _record_type(call)
    filters = OrderFilters(
        status=query.status,
        order_type=query.order_type,
        external_id=query.external_id,
        since=query.from_,
        until=query.to,
    )
    try:
        page = await call.api.reader.ask(
            lambda reading: reading.orders(call.tenant, filters, query.queryMore, query.limit)
        )
    except ValueError:
        raise ApiProblem(
            BAD_QUERY, "queryMore is none of ours", "use it as it was answered", "queryMore"
        ) from None
    items = [_envelope(order, record_type, order["run"]) for order in page["items"]]
    return answered({"items": items, "queryMore": page["next"]})


async def one(call: Call) -> web.Response:
    """One object with its data."""
    if (kept := _kept_type(call)) is not None:
        return answered(await limio_kept.one(call, kept))
    named = _named(call)
    order, document = await call.api.reader.ask(lambda reading: _order(call, reading, named))
    shown = {**_envelope(order, named.record_type, named.run)}
    match named.record_type:
        case "order":
            shown["data"] = _order_data(call, order, document)
        case "event":
            shown["data"] = _event_data(call, order, document)
        case "process_event":
            shown["data"] = await _process_data(call, named)
    return answered(shown)


async def related(call: Call) -> web.Response:
    """The other objects of the same order; the orders of a subscription, and who has it."""
    if (kept := _kept_type(call)) is not None:
        return answered({"items": await _related_to_kept(call, kept)})
    named = _named(call)
    order, _ = await call.api.reader.ask(lambda reading: _order(call, reading, named))
    runs = range(1, order["run"] + 1)
    items = [
        _envelope(order, "order", 1),
        _envelope(order, "event", 1),
        *(_envelope(order, "process_event", run) for run in runs),
    ]
    itself = _envelope(order, named.record_type, named.run)["id"]
    return answered({"items": [item for item in items if item["id"] != itself]})


async def _related_to_kept(call: Call, kept: KeptType) -> list[dict[str, Any]]:
    related = await limio_kept.related(call, kept)
    if kept == "customer":
        return related
    orders = await limio_kept.orders_of(call, call.part("id"))
    return [*related, *(_envelope(order, "order", 1) for order in orders)]


def _kept_type(call: Call) -> KeptType | None:
    return _KEPT.get(call.part("path_type")) if call.part("service") == SERVICE else None


def _record_type(call: Call) -> RecordType:
    service, path_type = call.part("service"), call.part("path_type")
    found = _TYPES.get(path_type)
    if service != SERVICE or found is None:
        raise ApiProblem(
            NOT_FOUND,
            f"there are no objects of type {path_type[:80]!r} of the service {service[:80]!r} here",
            "ask for /api/objects/limio/orders, /events, /process, /subscriptions or /customers;"
            " addresses and payment methods are kept by the CRM and the billing system",
        )
    return found


def _named(call: Call) -> _Named:
    record_type, given = _record_type(call), call.part("id")
    found = _ID.fullmatch(given)
    if found is None or found[1] != record_type or (found[3] and record_type != "process_event"):
        raise not_found(f"the {record_type}")
    return _Named(record_type, f"order-{found[2]}", int(found[3] or 1))


def _order(
    call: Call, reading: Reading, named: _Named
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The order as the caller may see it, and its document as it stands in the log."""
    order = reading.order(call.tenant, named.order_id)
    folded = reading.folded(call.tenant, named.order_id)
    if order is None or folded is None or named.run > order["run"]:
        raise not_found(f"the {named.record_type}")
    shown = order if call.operates else masked_order(order)
    return shown, orjson.loads(folded.accepted.document)


def _envelope(order: Mapping[str, Any], record_type: RecordType, run: int) -> dict[str, Any]:
    order_id = order["id"]
    ids = {
        "order": order_id,
        "event": order_id.replace("order-", "event-", 1),
        "process_event": process_event_id(order_id, run),
    }
    return {
        "id": ids[record_type],
        "record_type": record_type,
        "service": SERVICE,
        "status": order["status"]
        if run == order["run"] or record_type != "process_event"
        else "failed",
        "owner": order["owner"],
        "customer": None,
        "ref": None if record_type == "order" else order_id,
        "reference": order["order_reference"],
        "name": f"order.{order['order_type']}",
        "mode": order["mode"],
        "created": order["created"],
        "updated": order["updated"],
    }


def _order_data(
    call: Call, order: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, Any]:
    shown = {name: document[name] for name in _SHOWN if name in document}
    return {
        **(document if call.operates else shown),
        **{name: order[name] for name in _ORDER_ITSELF},
        "orderState": order["status"],
    }


def _event_data(
    call: Call, order: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, Any]:
    subscriptions = [{"id": order["subscriptionReference"]}]
    event = {**_order_data(call, order, document), "subscriptions": subscriptions}
    return {"type": f"order.{order['order_type']}", "message": MESSAGE, "event": event}


async def _process_data(call: Call, named: _Named) -> dict[str, Any]:
    found = await call.api.reader.ask(
        lambda reading: reading.process_events(call.tenant, named.order_id)
    )
    assert found is not None, "rows of orders are never deleted"
    [event] = [event for event in found["items"] if event["run"] == named.run]
    shown = event if call.operates else masked_process_event(event)
    return {name: value for name, value in shown.items() if name != "id"}
