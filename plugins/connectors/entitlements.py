"""Entitlements: grants a subscription what its products entitle to."""

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
from plugins.limio import first_text, items, products, text
from schemas.steps import ErrorKind

MANIFEST = Manifest(
    name="entitlements",
    service="limio",
    summary="Grants the products' entitlements to the subscription and its owner.",
    idempotency=Idempotency.NATIVE,
    options=NoOptions,
    connection="entitlements",
    reads=("orderItems",),
    docs=(
        'Entitlements are read from `products[].entitlements` (`{"$ref": "/entitlements/..."}`) '
        "and the product attribute `entitlements__limio`. Where there are none nothing is sent. "
        "Output: `granted` (the list), `grantId`. Meant for the post phase. Its compensation "
        "revokes the grant."
    ),
)


@connector(MANIFEST)
def entitlements(step: Step[NoOptions]) -> Conversation:
    """One call for the whole subscription."""
    granted = list(dict.fromkeys(_entitled(step.order)))
    if not granted:
        return Done(granted=[])
    subscription = text(step.order, "subscriptionReference")
    if subscription is None:
        message = "the order has no subscriptionReference to grant entitlements to"
        return Failed(ErrorKind.PERMANENT, "subscription_missing", message)
    body = {
        "order": step.order["id"],
        "owner": text(step.order, "owner"),
        "subscription": subscription,
        "entitlements": [{"$ref": path} for path in granted],
    }
    reply = yield Request.post("/grants", body, call="grant")
    return Done(granted=granted, grantId=reply["id"])


@entitlements.compensate
def revoke(step: Step[NoOptions]) -> Conversation:
    """Takes the grant back; where nothing was granted, nothing is asked."""
    subscription = text(step.order, "subscriptionReference")
    if step.output.get("grantId") is None or subscription is None:
        return Done()
    path = f"/grants/{quote(subscription, safe='')}"
    yield Request("DELETE", path, call="revoke", accept=frozenset({404}))
    return Done()


def _entitled(order: Mapping[str, Any]) -> Iterator[str]:
    for item in items(order):
        for product in products(item):
            attributes = product.get("attributes")
            listed = attributes if isinstance(attributes, Mapping) else {}
            yield from _paths(product.get("entitlements"))
            yield from _paths(listed.get("entitlements__limio"))


def _paths(found: Any) -> Iterator[str]:
    for entry in found if isinstance(found, list) else []:
        plain = entry if isinstance(entry, str) else None
        path = first_text(plain, text(entry, "$ref"))
        if path:
            yield path


_REPLY = Reply(201, {"success": True, "id": "grant-1", "subscription": "SUBK3V7Q2WXA"})


def _order(*listed: Any) -> dict[str, Any]:
    product = {"name": "Digital", "entitlements": list(listed)}
    return {
        "id": "order-1",
        "owner": "id-41",
        "subscriptionReference": "SUBK3V7Q2WXA",
        "customerDetails": {"email": "ottilie.brandvold@example.org"},
        "orderItems": [{"products": [product]}],
    }


EXAMPLES: Sequence[Example] = (
    Example(
        name="the entitlements of a product are granted",
        step=Step(
            id="entitlements",
            order=_order({"$ref": "/entitlements/Digital"}),
            options=NoOptions(),
        ),
        replies={"grant": _REPLY},
        expected=Done(granted=["/entitlements/Digital"], grantId="grant-1"),
        undone={"revoke": Reply(200, {"success": True})},
        gone={"revoke": Reply(404, {"success": False})},
    ),
    Example(
        name="a product without entitlements asks for nothing",
        step=Step(id="entitlements", order=_order(), options=NoOptions()),
        replies={},
        expected=Done(granted=[]),
        undone={},
    ),
)
