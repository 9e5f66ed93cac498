"""`/api/subscriptions`: as the orders left them, with those orders and what happened to them."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from projections.queries import OrderFilters
from projections.subscription_queries import SubscriptionFilters
from waybill.api.call import Call, answered
from waybill.api.masking import masked_entry, masked_order
from waybill.api.problems import BAD_QUERY, ApiProblem, not_found
from waybill.api.reading import Reading

_PAGE = frozenset({"from_", "to", "cursor", "limit", "min_offset"})


async def subscriptions(call: Call) -> web.Response:
    """A page of the tenant's subscriptions, the newest first."""
    query = call.query
    filters = SubscriptionFilters(
        **query.model_dump(exclude=_PAGE), since=query.from_, until=query.to
    )
    return answered(
        await page_of(
            call,
            lambda reading: reading.subscriptions(
                call.tenant, filters, today(call), query.cursor, query.limit
            ),
        )
    )


async def subscription(call: Call) -> web.Response:
    """One subscription with its orders under way."""
    return answered(await found(call, call.part("reference")))


async def orders(call: Call) -> web.Response:
    """Its orders, the newest first."""
    query, filters = call.query, OrderFilters(subscription=call.part("reference"))
    await found(call, call.part("reference"))
    page = await page_of(
        call, lambda reading: reading.orders(call.tenant, filters, query.cursor, query.limit)
    )
    return answered(page if call.operates else _masked(page, masked_order))


async def timeline(call: Call) -> web.Response:
    """The events of its orders, the latest first."""
    query, reference = call.query, call.part("reference")
    await found(call, reference)
    page = await page_of(
        call,
        lambda reading: reading.subscription_timeline(
            call.tenant, reference, query.cursor, query.limit
        ),
    )
    return answered(page if call.operates else _masked(page, masked_entry))


async def found(call: Call, reference: str) -> Mapping[str, Any]:
    """The subscription; a 404 problem where the tenant has none of that reference."""
    one = await call.api.reader.ask(
        lambda reading: reading.subscription(call.tenant, reference, today(call))
    )
    if one is None:
        raise not_found("the subscription")
    return one


async def page_of(
    call: Call, question: Callable[[Reading], Mapping[str, Any]], field: str = "cursor"
) -> Mapping[str, Any]:
    """The page; a 400 problem where its cursor is none of ours."""
    try:
        return await call.api.reader.ask(question)
    except ValueError:
        raise ApiProblem(
            BAD_QUERY, f"{field} is none of ours", "use it as it was answered", field
        ) from None


def today(call: Call) -> str:
    """The day (UTC) that decides which ends have come."""
    return call.api.services.now().date().isoformat()


def _masked(
    page: Mapping[str, Any], masked: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    return {**page, "items": [masked(item) for item in page["items"]]}
