"""Reading orders: lists, one order, its timeline and its process events."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from projections.past import NoSuchPastError
from waybill.api.call import Call, answered
from waybill.api.masking import masked_entry, masked_order, masked_process_event
from waybill.api.past import as_of, bad_as_of
from waybill.api.problems import BAD_QUERY, ApiProblem, not_found
from waybill.api.reading import Reading
from waybill.api.tokens import ORDER_ID

Masked: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]


async def orders(call: Call) -> web.Response:
    """A page of the tenant's orders, the newest first."""
    query = call.query
    filters = query.filters()
    try:
        page = await call.api.reader.ask(
            lambda reading: reading.orders(call.tenant, filters, query.cursor, query.limit)
        )
    except ValueError:
        raise ApiProblem(
            BAD_QUERY, "the cursor is none of ours", "use `next` as it was answered", "cursor"
        ) from None
    return answered(_all_shown(call, page, masked_order))


async def order(call: Call) -> web.Response:
    """One order with its steps."""
    past, tenant, order_id = await as_of(call), call.tenant, call.part("id")
    if past is None:
        found = await _found(call, lambda reading: reading.order(tenant, order_id))
    else:
        found = await _found(call, lambda reading: reading.order_as_of(tenant, order_id, past))
    return answered(_shown(call, found, masked_order))


async def timeline(call: Call) -> web.Response:
    """The order's events in log order."""
    past, tenant, order_id = await as_of(call), call.tenant, call.part("id")
    found = await _found(call, lambda reading: reading.timeline(tenant, order_id, past))
    return answered(_all_shown(call, found, masked_entry))


async def process_events(call: Call) -> web.Response:
    """The order's callouts, errors and log, one record for each run."""
    past, tenant, order_id = await as_of(call), call.tenant, call.part("id")
    found = await _found(call, lambda reading: reading.process_events(tenant, order_id, past))
    return answered(_all_shown(call, found, masked_process_event))


async def _found(call: Call, question: Callable[[Reading], Mapping[str, Any] | None]) -> Any:
    if re.fullmatch(ORDER_ID, call.part("id")) is None:
        raise not_found("the order")
    try:
        found = await call.api.reader.ask(question)
    except NoSuchPastError as problem:
        raise bad_as_of(problem) from None
    if found is None:
        raise not_found("the order")
    return found


def _shown(call: Call, value: Mapping[str, Any], masked: Masked) -> Mapping[str, Any]:
    return value if call.operates else masked(value)


def _all_shown(call: Call, page: Mapping[str, Any], masked: Masked) -> dict[str, Any]:
    return {**page, "items": [_shown(call, item, masked) for item in page["items"]]}
