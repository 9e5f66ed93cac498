"""Entitlements: grants a subscription what its products entitle to, and ends it with them."""

from collections.abc import Iterator, Mapping, Sequence
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
    connector,
)
from plugins.limio import day, first_text, handed_on, items, products, text
from schemas.steps import ErrorKind

_SETTING = frozenset({"new", "change_offer", "renew"})
"""Orders whose items are all that the subscription holds from then on."""

_ADDING = frozenset({"add_offer", "update_subscription"})
_ENDING = "cancel_subscription"
_GONE = frozenset({404})

MANIFEST = Manifest(
    name="entitlements",
    service="limio",
    summary="Grants the products' entitlements to the subscription and its owner, and ends them.",
    idempotency=Idempotency.NATIVE,
    options=NoOptions,
    connection="entitlements",
    reads=("orderItems", "order_type", "effectiveDate", "isGift", "isRedeem"),
    docs=(
        'Entitlements are read from `products[].entitlements` (`{"$ref": "/entitlements/..."}`) '
        "and the product attribute `entitlements__limio`. A new order and a renewal set the grant "
        "of the subscription, a switch replaces it (where the new offer entitles to nothing it is "
        "ended), added offers and add-ons add to it (`change: add`, `ended` lists what goes with "
        "removed ones), a cancellation ends it. `effectiveDate` says from which day on: the "
        "billing system's, else the order's. A present is granted when it is redeemed. Where "
        "nothing changes nothing is sent, nor for the other order types. Output: `granted` (the "
        "list), `grantId`, or `ended`; `effectiveDate`. Meant for the post phase. Its "
        "compensation revokes what a new order was granted."
    ),
)


@connector(MANIFEST)
def entitlements(step: Step[NoOptions]) -> Conversation:
    """One call for the whole subscription."""
    order_type = _type(step.order)
    granted, removed = (list(dict.fromkeys(found)) for found in _entitled(step.order))
    if order_type == _ENDING or (order_type == "change_offer" and not granted):
        return (yield from _end(step))
    nothing = not granted and not (removed and order_type in _ADDING)
    if nothing or order_type not in _SETTING | _ADDING or _given_away(step.order):
        return Done(granted=[])
    subscription = _subscription(step)
    if isinstance(subscription, Failed):
        return subscription
    body: dict[str, Any] = {
        "order": step.order["id"],
        # Who was matched to an existing person is granted as that person.
        "owner": first_text(handed_on(step.context, "newOwner"), text(step.order, "owner")),
        "subscription": subscription,
        "entitlements": [{"$ref": path} for path in granted],
        "effectiveDate": _effective(step),
        "change": "set",
    }
    if order_type in _ADDING:
        body |= {"change": "add", "ended": [{"$ref": path} for path in removed]}
    reply = yield Request.post("/grants", body, call="grant")
    return Done(granted=granted, grantId=reply["id"], effectiveDate=body["effectiveDate"])


@entitlements.compensate
def revoke(step: Step[NoOptions]) -> Conversation:
    """Takes the grant back; where nothing was granted, nothing is asked."""
    if step.output.get("grantId") is None and step.output.get("ended") is not True:
        return Done()
    if _type(step.order) != "new":
        message = "what the subscription was entitled to before is not known: grant it again there"
        return Failed(ErrorKind.PERMANENT, "not_restorable", message)
    subscription = _subscription(step)
    if isinstance(subscription, Failed):
        return subscription
    yield Request("DELETE", _grant_of(subscription), call="revoke", accept=_GONE)
    return Done()


def _end(step: Step[NoOptions]) -> Conversation:
    """Access ends with the subscription, which may be long after the order."""
    subscription = _subscription(step)
    if isinstance(subscription, Failed):
        return subscription
    effective = _effective(step)
    query = {"effectiveDate": effective} if effective else None
    path = _grant_of(subscription)
    reply = yield Request("DELETE", path, call="end-grant", query=query, accept=_GONE)
    return Done(ended=reply.ok, effectiveDate=effective)


def _grant_of(subscription: str) -> str:
    return f"/grants/{quote(subscription, safe='')}"


def _type(order: Mapping[str, Any]) -> str:
    found = text(order, "order_type") or "new"
    return "new" if found == "submitted" else found


def _given_away(order: Mapping[str, Any]) -> bool:
    return order.get("isGift") is True and order.get("isRedeem") is not True


def _subscription(step: Step[NoOptions]) -> str | Failed:
    found = text(step.order, "subscriptionReference")
    if found is not None:
        return found
    message = "the order has no subscriptionReference to grant entitlements to"
    return Failed(ErrorKind.PERMANENT, "subscription_missing", message)


def _effective(step: Step[NoOptions]) -> str | None:
    """The day that billing settled on, or that the order asks for, else that it was taken."""
    asked = day(text(step.order, "effectiveDate"))
    return first_text(
        handed_on(step.context, "effectiveDate"),
        asked.isoformat() if asked else None,
        text(step.order, "effective_date"),
    )


def _entitled(order: Mapping[str, Any]) -> tuple[Iterator[str], Iterator[str]]:
    """What the items bring, and what goes with those that are removed."""
    found = items(order)
    removed = [item for item in found if text(item, "orderItemActionType") == "remove"]
    kept = [item for item in found if item not in removed]
    return _of(kept), _of(removed)


def _of(listed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for product in (product for item in listed for product in products(item)):
        attributes = product.get("attributes")
        named = attributes if isinstance(attributes, Mapping) else {}
        yield from _paths(product.get("entitlements"))
        yield from _paths(named.get("entitlements__limio"))


def _paths(found: Any) -> Iterator[str]:
    for entry in found if isinstance(found, list) else []:
        plain = entry if isinstance(entry, str) else None
        path = first_text(plain, text(entry, "$ref"))
        if path:
            yield path


_REPLY = Reply(201, {"success": True, "id": "grant-1", "subscription": "SUBK3V7Q2WXA"})


def _step(order_type: str, *listed: Any, **context: dict[str, Any]) -> Step[NoOptions]:
    order = {
        "id": "order-1",
        "order_type": order_type,
        "owner": "id-41",
        "subscriptionReference": "SUBK3V7Q2WXA",
        "effective_date": "2026-03-01",
        "customerDetails": {"email": "ottilie.brandvold@example.org"},
        "orderItems": [{"products": [{"name": "Digital", "entitlements": list(listed)}]}],
    }
    return Step(id="entitlements", order=order, options=NoOptions(), context=context)


EXAMPLES: Sequence[Example] = (
    Example(
        name="the entitlements of a product are granted",
        step=_step("new", {"$ref": "/entitlements/Digital"}),
        replies={"grant": _REPLY},
        expected=Done(
            granted=["/entitlements/Digital"], grantId="grant-1", effectiveDate="2026-03-01"
        ),
        undone={"revoke": Reply(200, {"success": True})},
        gone={"revoke": Reply(404, {"success": False})},
    ),
    Example(
        name="a product without entitlements asks for nothing",
        step=_step("new"),
        replies={},
        expected=Done(granted=[]),
        undone={},
    ),
    Example(
        name="a cancellation ends the grant on the day that billing settled on",
        step=_step("cancel_subscription", zuora={"effectiveDate": "2026-12-01"}),
        replies={"end-grant": Reply(200, {"success": True})},
        expected=Done(ended=True, effectiveDate="2026-12-01"),
    ),
)
