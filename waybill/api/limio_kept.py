"""Limio's objects that are not orders: subscriptions and customers, as far as orders tell."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from projections.queries import OrderFilters
from projections.subscription_queries import MOST, SubscriptionFilters
from waybill.api.call import Call
from waybill.api.problems import BAD_QUERY, ApiProblem, not_found
from waybill.api.subscriptions import found as found_subscription
from waybill.api.subscriptions import page_of, today

KeptType: TypeAlias = Literal["subscription", "customer"]

_OF_ORDERS = ("order_type", "external_id")
_OF_SUBSCRIPTIONS = ("status", "from_", "to")
_NAMES = {"from_": "from"}


async def listed(call: Call, record_type: KeptType) -> dict[str, Any]:
    """A page of summaries: subscriptions the newest first, customers by their owner."""
    query = call.query
    unfit = _OF_ORDERS if record_type == "subscription" else (*_OF_ORDERS, *_OF_SUBSCRIPTIONS)
    for name in unfit:
        if getattr(query, name) is not None:
            field = _NAMES.get(name, name)
            detail, remedy = f"no {record_type} has {field!r}", f"leave {field!r} out"
            raise ApiProblem(BAD_QUERY, detail, remedy, field)
    if record_type == "customer":
        page = await page_of(
            call,
            lambda reading: reading.customers(call.tenant, query.queryMore, query.limit),
            "queryMore",
        )
        items = [_customer(one) for one in page["items"]]
    else:
        filters = SubscriptionFilters(status=query.status, since=query.from_, until=query.to)
        page = await page_of(
            call,
            lambda reading: reading.subscriptions(
                call.tenant, filters, today(call), query.queryMore, query.limit
            ),
            "queryMore",
        )
        items = [_subscription(one) for one in page["items"]]
    return {"items": items, "queryMore": page["next"]}


async def one(call: Call, record_type: KeptType) -> dict[str, Any]:
    """One object with its data."""
    if record_type == "customer":
        customer = await _found_customer(call)
        kept = ("numbers", "subscriptions", "orders")
        return {**_customer(customer), "data": {name: customer[name] for name in kept}}
    subscription = await found_subscription(call, call.part("id"))
    return {**_subscription(subscription), "data": _data(subscription)}


async def related(call: Call, record_type: KeptType) -> list[dict[str, Any]]:
    """A customer's subscriptions; the customer of a subscription. Its orders are told beside."""
    if record_type == "subscription":
        subscription = await found_subscription(call, call.part("id"))
        customer = await call.api.reader.ask(
            lambda reading: reading.customer(call.tenant, subscription["owner"])
        )
        return [] if customer is None else [_customer(customer)]
    await _found_customer(call)
    filters = SubscriptionFilters(owner=call.part("id"))
    page = await call.api.reader.ask(
        lambda reading: reading.subscriptions(call.tenant, filters, today(call), None, MOST)
    )
    return [_subscription(item) for item in page["items"]]


async def orders_of(call: Call, reference: str) -> list[Mapping[str, Any]]:
    """The latest orders of a subscription."""
    filters = OrderFilters(subscription=reference)
    page = await call.api.reader.ask(
        lambda reading: reading.orders(call.tenant, filters, None, MOST)
    )
    return list(page["items"])


async def _found_customer(call: Call) -> Mapping[str, Any]:
    found = await call.api.reader.ask(
        lambda reading: reading.customer(call.tenant, call.part("id"))
    )
    if found is None:
        raise not_found("the customer")
    return found


def _subscription(found: Mapping[str, Any]) -> dict[str, Any]:
    name = next((item["name"] for item in found["items"] if item["until"] is None), None)
    return {
        "id": found["reference"],
        "record_type": "subscription",
        "service": "limio",
        "status": found["status"],
        "owner": found["owner"],
        "customer": found["owner"],
        "ref": found["first_order"],
        "reference": found["reference"],
        "name": name or found["reference"],
        "mode": found["mode"],
        "created": found["created"],
        "updated": found["updated"] or found["created"],
    }


def _customer(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": found["owner"],
        "record_type": "customer",
        "service": "limio",
        "status": "active",
        "owner": found["owner"],
        "customer": found["owner"],
        "ref": None,
        "reference": found["owner"],
        "name": found["owner"],
        "mode": found["mode"],
        "created": found["created"],
        "updated": found["updated"],
    }


def _data(found: Mapping[str, Any]) -> dict[str, Any]:
    """In Limio's words; `offers` with `end` null are those that it has now."""
    going = [item for item in found["items"] if item["until"] is None] or found["items"][-1:]
    leading = next(iter(going), None)
    return {
        "name": None if leading is None else leading["name"],
        "start": found["start"],
        "end": found["ends"],
        "termStartDate": found["term"]["start"],
        "termEndDate": found["term"]["end"],
        "attributes": {"autoRenew": found["term"]["auto_renew"]},
        "price": None if leading is None else leading["price"],
        "offers": [_offer(item) for item in found["items"]],
        "numbers": found["numbers"],
        "orders": found["orders"],
        "lastOrder": found["last_order"],
    }


def _offer(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data": {
            "start": item["from"],
            "end": item["until"],
            "record_subtype": item["offer_type"],
            "offer": {"path": item["offer"], "name": item["name"]},
            "quantity": item["quantity"],
            "price": item["price"],
        }
    }
