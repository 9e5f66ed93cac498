"""Transfer ownership: hands the order's subscriptions to another account in Zuora."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from plugins.api import (
    Conversation,
    Done,
    Example,
    Failed,
    Idempotency,
    Manifest,
    NoOptions,
    Reply,
    Request,
    Step,
    Unknown,
    connector,
)
from plugins.journeys import StoppedError, stoppable
from plugins.limio import day, handed_on, part, parts, text
from plugins.zuora import (
    CONNECTION,
    KEY_METHODS,
    KEY_VALID_FOR_S,
    OAUTH,
    accounts_of_customer,
    errors,
    headers_of,
    is_crm_id,
    not_found,
    number_suffix,
    refusal,
    triggers,
)
from schemas.steps import ErrorKind

_NO_SUCH = frozenset({404})

MANIFEST = Manifest(
    name="transferOwnership",
    service="zuora",
    summary="Hands the order's subscriptions to the account of the customer that the CRM knows.",
    idempotency=Idempotency.NATIVE,
    options=NoOptions,
    connection=CONNECTION,
    key_methods=KEY_METHODS,
    key_valid_for_s=KEY_VALID_FOR_S,
    timeout_s=45.0,
    errors=errors,
    oauth=OAUTH,
    docs=(
        "One Zuora order with an OwnerTransfer of each subscription: those that an earlier step "
        "handed on as `subscriptionNumbers`, else the order's, or what the entry's `map` gives as "
        "`subscriptionNumber`. They go to the account that `map` gives as `accountNumber`, else to "
        "the one account with the CRM id of salesforceV3 that does not have them already; where "
        "there is none, nothing is transferred. It counts from `effectiveDate` of the order, else "
        "from the order's day. Output: `transferred` (subscription numbers), `accountNumber` (the "
        "new owner), `orderNumber`, `status`."
    ),
)


@connector(MANIFEST)
@stoppable
def transfer_ownership(step: Step[NoOptions]) -> Conversation:
    """Finds both owners, then sends one order."""
    numbers = _numbers(step)
    owners: dict[str, str] = {}
    for number in numbers:
        held = yield from _held(step, number)
        if text(held, "orderNumber") == _order_number(step):
            # An earlier attempt did it; whoever owns it now must not lose it again.
            return (yield from _adopted(step)) or Done(transferred=[])
        owners[number] = str(held["accountNumber"])
    destination = yield from _destination(step, set(owners.values()))
    moving = [number for number in numbers if owners[number] != destination]
    if destination is None or not moving:
        return Done(transferred=[], accountNumber=destination or owners[numbers[0]])
    sources = {owners[number] for number in moving}
    if len(sources) > 1:
        message = f"the subscriptions belong to several accounts: {', '.join(sorted(sources))}"
        return Failed(ErrorKind.PERMANENT, "several_accounts", f"{message}; transfer them by hand")
    reply = yield Request.post(
        "/v1/orders",
        _order(step, sources.pop(), destination, moving),
        call="transfer-ownership",
        headers=headers_of(step),
    )
    _checked(reply)
    if reply["orderNumber"] != _order_number(step):
        return Unknown("order_number", f"Zuora answered for the order {reply['orderNumber']!r}")
    return _done(step, text(reply.body, "status"), destination, moving)


@transfer_ownership.reconcile
@stoppable
def transfer_ownership_look_up(step: Step[NoOptions]) -> Conversation:
    """By our order number; its subscriptions tell that it is ours."""
    return (yield from _adopted(step)) or step.not_done()


def _order(
    step: Step[NoOptions], source: str, destination: str, moving: Sequence[str]
) -> dict[str, Any]:
    asked = day(text(step.order, "effectiveDate"))
    on = asked.isoformat() if asked else text(step.order, "effective_date")
    action = {
        "type": "OwnerTransfer",
        "triggerDates": triggers(on),
        "ownerTransfer": {
            "destinationAccountNumber": destination,
            "destinationInvoiceAccountNumber": destination,
        },
    }
    return {
        "orderDate": str(step.order["effective_date"]),
        "orderNumber": _order_number(step),
        "existingAccountNumber": source,
        "subscriptions": [
            {"subscriptionNumber": number, "orderActions": [action]} for number in moving
        ],
        "processingOptions": {"runBilling": False, "collectPayment": False},
    }


def _done(
    step: Step[NoOptions], status: str | None, destination: str, moving: Sequence[str]
) -> Done:
    known = {"status": status} if status else {}
    return Done(
        transferred=list(moving),
        accountNumber=destination,
        orderNumber=_order_number(step),
        **known,
    )


def _held(step: Step[NoOptions], number: str) -> Generator[Request, Reply, Mapping[str, Any]]:
    """The subscription as it is now."""
    reply = yield _get(step, f"/v1/subscriptions/{quote(number, safe='')}")
    if not_found(reply):
        message = f"Zuora has no subscription {number}"
        raise StoppedError(Failed(ErrorKind.PERMANENT, "subscription_unknown", message))
    _checked(reply)
    owner = reply["accountNumber"]
    return {**reply.body, "accountNumber": owner}


def _destination(step: Step[NoOptions], owners: set[str]) -> Generator[Request, Reply, str | None]:
    """Named by the entry, else the customer's other account; None: the owner is the customer."""
    named = text(step.mapped, "accountNumber")
    if named is not None:
        return named
    crm_id = handed_on(step.context, "crmId")
    if crm_id is None or not is_crm_id(crm_id):
        message = "nothing says to whom: put salesforceV3 before it, or map `accountNumber`"
        raise StoppedError(Failed(ErrorKind.MISCONFIGURED, "crm_id_missing", message))
    reply = yield accounts_of_customer(step, crm_id)
    _checked(reply)
    found = [number for one in parts(reply.body, "data") if (number := text(one, "accountNumber"))]
    others = sorted(set(found) - owners)
    if len(others) > 1:
        message = f"{', '.join(others)} have the CRM id {crm_id}; map `accountNumber`"
        raise StoppedError(Failed(ErrorKind.PERMANENT, "several_accounts", message))
    return next(iter(others), None)


def _adopted(step: Step[NoOptions]) -> Generator[Request, Reply, Done | None]:
    reply = yield _get(step, f"/v1/orders/{quote(_order_number(step), safe='')}")
    if not_found(reply):
        return None
    _checked(reply)
    order = reply["order"]
    subscriptions = parts({"order": order}, "order", "subscriptions")
    moved = [number for one in subscriptions if (number := text(one, "subscriptionNumber"))]
    actions = [action for one in subscriptions for action in parts(one, "orderActions")]
    found = (text(part(action, "ownerTransfer"), "destinationAccountNumber") for action in actions)
    destination = next(iter(found), None)
    if destination is None or not set(moved) <= set(_numbers(step)):
        message = f"the Zuora order {_order_number(step)} is not this transfer"
        raise StoppedError(Failed(ErrorKind.PERMANENT, "order_number_taken", message))
    return _done(step, text(order, "status"), destination, moved)


def _numbers(step: Step[NoOptions]) -> list[str]:
    """Subscriptions that the order made, else the one that it is for."""
    named = text(step.mapped, "subscriptionNumber")
    if named is not None:
        return [named]
    for output in reversed(list(step.context.values())):
        listed = output.get("subscriptionNumbers")
        if isinstance(listed, list) and listed:
            return [str(number) for number in listed]
    return [str(step.order["subscriptionReference"])]


def _order_number(step: Step[NoOptions]) -> str:
    """The plugin zuora has the order's reference for its own."""
    return f"{step.order['order_reference']}{number_suffix(step)}"


def _get(step: Step[NoOptions], path: str) -> Request:
    return Request("GET", path, headers=headers_of(step), accept=_NO_SUCH)


def _checked(reply: Reply) -> None:
    problem = refusal(reply)
    if problem is not None:
        raise StoppedError(problem)


_ORDER = {
    "id": "order-1",
    "order_reference": "7Q2KX5M9ADLP",
    "order_type": "new",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "effective_date": "2026-03-01",
    "customerDetails": {"email": "ottilie.brandvold@example.org"},
}
_CONTEXT: Mapping[str, Mapping[str, Any]] = {
    "salesforceV3": {"crmId": "001xx000003DGb2AAG"},
    "zuora": {"subscriptionNumbers": ["SUBK3V7Q2WXA"], "accountNumber": "W-7Q2KX5M9ADLP"},
}
_NUMBER = "7Q2KX5M9ADLP-transferOwnership"
_TRANSFER = {"type": "OwnerTransfer", "ownerTransfer": {"destinationAccountNumber": "W-HERS"}}
_IN_ZUORA = {
    "orderNumber": _NUMBER,
    "status": "Completed",
    "subscriptions": [{"subscriptionNumber": "SUBK3V7Q2WXA", "orderActions": [_TRANSFER]}],
}
_OURS, _HERS = {"accountNumber": "W-7Q2KX5M9ADLP"}, {"accountNumber": "W-HERS"}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a new subscription goes to the account that the customer has",
        step=Step(id="transferOwnership", order=_ORDER, options=NoOptions(), context=_CONTEXT),
        replies={
            "GET /v1/subscriptions/SUBK3V7Q2WXA": Reply(200, {"success": True, **_OURS}),
            "GET /object-query/accounts": Reply(200, {"data": [_OURS, _HERS]}),
            "transfer-ownership": Reply(
                200, {"success": True, "orderNumber": _NUMBER, "status": "Completed"}
            ),
        },
        expected=Done(
            transferred=["SUBK3V7Q2WXA"],
            accountNumber="W-HERS",
            orderNumber=_NUMBER,
            status="Completed",
        ),
        found={f"GET /v1/orders/{_NUMBER}": Reply(200, {"success": True, "order": _IN_ZUORA})},
        missing={f"GET /v1/orders/{_NUMBER}": Reply(404, {"success": False})},
    ),
    Example(
        name="who has no other account keeps this one",
        step=Step(id="transferOwnership", order=_ORDER, options=NoOptions(), context=_CONTEXT),
        replies={
            "GET /v1/subscriptions/SUBK3V7Q2WXA": Reply(200, {"success": True, **_OURS}),
            "GET /object-query/accounts": Reply(200, {"data": [_OURS]}),
        },
        expected=Done(transferred=[], accountNumber="W-7Q2KX5M9ADLP"),
    ),
)
