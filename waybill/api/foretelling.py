"""`POST /api/orders/{id}/commands/preview`: what a command would do; nothing is written."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from projections.consequences import Consequences, consequences, steps_meant
from projections.queries import OrderFilters
from schemas.commands import CommandKind
from schemas.problems import RefusedError
from streams.core.order import ENDED, Order
from waybill.api.bodies import json_of
from waybill.api.call import Call, answered
from waybill.api.commanding import asked_of, checked, order_of
from waybill.api.problems import ApiProblem, command_refusal, not_found
from waybill.api.reading import Reading, Standing

UNSAID = "as shown beforehand"
"""The reason of what is only told, and never sent."""
_NAMED = {"id": "preview", "reason": UNSAID}
_LANE = 200
_OF_SENDING = frozenset({"id", "reason"})
"""Members that change nothing of what a command does."""


async def preview(call: Call) -> web.Response:
    """What the command would do, as the order and its lane stand."""
    body = {n: v for n, v in (await json_of(call.request)).items() if n not in _OF_SENDING}
    order = await order_of(call)
    command = checked(call, {**body, **_NAMED}, order)
    assert isinstance(command.command, CommandKind), "a stage is in no path of orders"
    found = await foretold(call, order.id, body)
    folded = await call.api.reader.ask(lambda reading: reading.folded(call.tenant, order.id))
    steps = [] if folded is None else steps_meant(folded, command.command)
    asked = {"order": order.id, "command": command.command.value, "step": command.step}
    return answered({**asked, **told(found), "steps": steps})


def told(found: Consequences) -> dict[str, Any]:
    """As the API shows it."""
    return {
        "refused": found.refused,
        "code": found.code,
        "consequences": list(found.sentences),
    }


async def foretold(call: Call, order_id: str, body: Mapping[str, Any]) -> Consequences:
    """What the command would do to the order, which is one of the tenant's.

    A 404 problem where it is gone; a 422 problem where the command would not even be sent.
    """
    now = call.api.services.now()

    def look(reading: Reading) -> Consequences:
        order = reading.folded(call.tenant, order_id)
        if order is None:
            raise not_found("the order")
        standing = Standing(order.id, order.tenant, order.lane, order.state.value, b"")
        asked = asked_of(call, checked(call, {**body, **_NAMED}, standing))
        try:
            received = call.api.services.checks.foretold(asked, order)
        except RefusedError as refusal:
            raise command_refusal(refusal.problem) from None
        return consequences(order, received, _lane(reading, order), now)

    return await call.api.reader.ask(look)


async def foretold_anyway(call: Call, order_id: str, body: Mapping[str, Any]) -> Consequences:
    """The same; what would not be sent to this order comes to nothing, for that reason."""
    try:
        return await foretold(call, order_id, body)
    except ApiProblem as problem:
        if problem.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return Consequences(problem.detail, (), problem.kind.code)


def _lane(reading: Reading, order: Order) -> list[Order]:
    """The unfinished orders of the order's lane."""
    page = reading.matching(order.tenant, OrderFilters(lane=order.lane), None, _LANE)
    found = (reading.folded(order.tenant, one) for one, _ in page.orders if one != order.id)
    return [one for one in found if one is not None and one.state not in ENDED]
