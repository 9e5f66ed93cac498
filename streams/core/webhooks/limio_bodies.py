"""Limio's webhooks: the object that has changed, as Limio sends it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from streams.core import ids
from streams.core.subscribed import flag, iso_day, later, offer_type, part, term_of, text
from streams.core.webhooks.catalogue import BAD_STEPS, TYPES, entitlements_of
from streams.core.webhooks.updates import Update

_Document: TypeAlias = dict[str, Any]
_Personal: TypeAlias = Mapping[str, Any] | None

SERVICE: Final = "limio"
RECEIVED: Final = "Order Received"
_JOURNEY: Final = "journey."
_OF_ORDER: Final = (
    *("external_id", "order_type", "subscriptionReference", "completion", "error", "run"),
)
_CUSTOMER: Final = ("customerDetails", "billingDetails", "deliveryDetails")


def limio_body(name: str, update: Update, personal: _Personal, *, summary: bool) -> dict[str, Any]:
    """The body of `limio.*`. `summary`: which object, without what it holds."""
    if update.kind.startswith(_JOURNEY):
        return _journey(update, summary=summary)
    made = _MADE.get(name, _order)
    return made(update, personal, summary)


def _order(update: Update, personal: _Personal, summary: bool) -> _Document:  # noqa: FBT001
    order = update.data
    shown = _envelope(order, "order", order["id"])
    if summary:
        return shown
    told = {name: order[name] for name in _OF_ORDER}
    return {**shown, "data": {**_document(order, personal), **told, "orderState": order["status"]}}


def _error(update: Update, personal: _Personal, summary: bool) -> _Document:  # noqa: FBT001
    order = update.data
    event = {"message": RECEIVED, "type": f"order.{order['order_type']}"}
    run = "" if order["run"] == 1 else f"-{order['run']}"
    body: _Document = {
        "eventId": _as(order["id"], "event"),
        "processEventId": f"{_as(order['id'], 'process_event')}{run}",
        "event": event,
        "pluginErrorOutput": list(_plugin_errors(order)),
    }
    if summary:
        return body
    itself = {name: order[name] for name in ("id", "order_type", "external_id", "mode")}
    document = {**_document(order, personal), **itself, "orderState": order["status"]}
    return {**body, "event": {**event, "event": document}}


def _plugin_errors(order: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    for step in order["steps"]:
        error = step["error"]
        if error is not None and step["status"] in BAD_STEPS:
            yield {"name": step["name"], "message": error["message"], "code": error["code"]}


def _customer(update: Update, personal: _Personal, summary: bool) -> _Document:  # noqa: FBT001
    order = update.data
    shown = {
        **_envelope(order, "customer", order["owner"]),
        "status": "active",
        "customer": order["owner"],
        "reference": order["owner"],
        "name": order["owner"],
        "ref": order["id"],
    }
    if summary:
        return shown
    tracking = part(order["document"], "tracking")
    data = {
        "accountId": _known(order, "accountId") or text(tracking, "accountId"),
        "contactId": _known(order, "contactId") or text(tracking, "contactId"),
        "accountNumber": _known(order, "accountNumber"),
        "subscriptions": [order["subscriptionReference"]],
        **{name: personal[name] for name in _CUSTOMER if personal and name in personal},
    }
    return {**shown, "data": data}


def _subscription(update: Update, _: _Personal, summary: bool) -> _Document:  # noqa: FBT001
    order = update.data
    items, document = order["items"], order["document"]
    start = _known(order, "effectiveDate") or order["effective_date"]
    first = items[0] if items else {}
    reference = order["subscriptionReference"]
    shown = {
        **_envelope(order, "subscription", reference),
        "status": "pending" if _is_pending(order) else "active",
        "customer": order["owner"],
        "reference": reference,
        "name": text(first, "name") or reference,
        "ref": f"{order['id']}/{ids.derived_uuid('item', order['id'], '0')}",
    }
    if summary:
        return shown
    attributes = part(first, "offer", "data", "attributes")
    renews = attributes.get("autoRenew__limio")
    return {
        **shown,
        "start": start,
        "data": {
            "name": text(first, "name"),
            "tracking": document.get("tracking"),
            "offer": first.get("offer"),
            "price": first.get("price"),
            "termStartDate": start,
            "termEndDate": later(start, term_of(attributes)),
            "attributes": {"autoRenew": None if renews is None else flag(renews)},
            "subscriptionNumber": _known(order, "subscriptionNumber"),
        },
        "offers": [_offer(order["id"], n, item, start) for n, item in enumerate(items)],
        "schedule": [],
    }


def _offer(order_id: str, number: int, item: Mapping[str, Any], start: str) -> _Document:
    kind = offer_type(part(item, "offer", "data", "attributes"))
    return {
        "id": ids.derived_uuid("item", order_id, str(number)),
        "data": {
            "start": iso_day(text(item, "startDate")) or start,
            "end": None,
            "record_subtype": "discount" if kind == "discount" else "offer",
            "quantity": text(item, "quantity"),
            "offer": item.get("offer"),
        },
    }


def _entitlement(update: Update, _: _Personal, summary: bool) -> _Document:  # noqa: FBT001
    order = update.data
    told = entitlements_of(order) or {}
    reference = order["subscriptionReference"]
    shown = {
        **_envelope(order, "user_entitlement", text(told, "grantId") or reference),
        "status": "ended" if told.get("ended") else "active",
        "customer": order["owner"],
        "name": f"entitlements of {reference}",
        "ref": order["id"],
    }
    if summary:
        return shown
    return {
        **shown,
        "data": {
            "subscription": {"id": reference, "reference": reference},
            "granted": _texts(told.get("granted")),
            "ended": bool(told.get("ended")),
            "grantId": text(told, "grantId"),
            "effectiveDate": text(told, "effectiveDate"),
        },
    }


def _added(kind: str, *sections: str) -> "_Made":
    """The event that a completed order stands for."""

    def made(update: Update, personal: _Personal, summary: bool) -> _Document:  # noqa: FBT001
        order = update.data
        event = {
            "order": order["id"],
            "subscriptions": [{"id": order["subscriptionReference"]}],
            **{name: personal[name] for name in sections if personal and name in personal},
        }
        told = {"type": kind, "message": TYPES[f"limio.{kind}"].title}
        event_id = "event-" + ids.derived_uuid("limio-event", update.id, kind).replace("-", "")
        return _event(event_id, update, told if summary else {**told, "event": event})

    return made


def _journey(update: Update, *, summary: bool) -> _Document:
    kind, told = update.kind.removeprefix(_JOURNEY), update.data
    data: _Document = {"type": kind, "message": TYPES[f"limio.{kind}"].title}
    if not summary:
        subscription = told.get("subscription")
        named = [] if subscription is None else [{"id": subscription}]
        order = {} if told.get("order") is None else {"order": told["order"]}
        data["event"] = {**told["data"], **order, "subscriptions": named}
    return _event(told["id"], update, data)


def _event(event_id: str, update: Update, data: Mapping[str, Any]) -> _Document:
    return {
        "id": event_id,
        "record_type": "event",
        "status": "submitted",
        "created": update.at.isoformat(),
        "data": data,
    }


_Made: TypeAlias = Callable[[Update, _Personal, bool], _Document]

_MADE: Final[Mapping[str, _Made]] = {
    "limio.customer_created": _customer,
    "limio.customer_updated": _customer,
    "limio.subscription_created": _subscription,
    "limio.entitlements_updated": _entitlement,
    "limio.error": _error,
    "limio.payment_method_added": _added("payment_method_added", "payment", "billingDetails"),
    "limio.address_added": _added("address_added", "billingDetails", "deliveryDetails"),
}


def _envelope(order: Mapping[str, Any], record_type: str, object_id: str) -> _Document:
    return {
        "id": object_id,
        "record_type": record_type,
        "service": SERVICE,
        "status": order["status"],
        "owner": order["owner"],
        "customer": None,
        "ref": None,
        "reference": order["order_reference"],
        "name": f"order.{order['order_type']}",
        "mode": order["mode"],
        "created": order["created"],
        "updated": order["updated"],
    }


def _document(order: Mapping[str, Any], personal: _Personal) -> _Document:
    return {**order["document"], "orderItems": order["items"], **(personal or {})}


def _as(order_id: str, record_type: str) -> str:
    """The id of another of the order's objects: all carry its digits."""
    return order_id.replace("order-", f"{record_type}-", 1)


def _known(order: Mapping[str, Any], member: str) -> str | None:
    """The text that the latest step with such an output member handed on."""
    found = (text(output, member) for output in reversed(list(order["context"].values())))
    return next((one for one in found if one is not None), None)


def _texts(found: Any) -> list[str]:
    """A person may have handed in anything."""
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _is_pending(order: Mapping[str, Any]) -> bool:
    """A present is there for nobody yet; billing may wait for its activation."""
    document = order["document"]
    if flag(document.get("isGift")) and not flag(document.get("isRedeem")):
        return True
    return "pending" in (_known(order, "status") or "").lower()
