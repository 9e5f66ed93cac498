"""Whatever an order says, its webhooks can be made, and say what their schemas promise."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.orders import ORDER_TYPES
from streams.core.webhooks.bodies import body_of
from streams.core.webhooks.catalogue import types_of
from streams.core.webhooks.schemas import body_model
from tests import facts
from tests import webhook_stories as told

PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(("", "x", "true", "2026"))
NAMES = st.sampled_from(
    (
        *("amount", "currency", "reason", "id", "text", "autoRenew", "addressType", "path"),
        *("accountId", "offer", "data", "attributes", "term__limio", "length", "type", "price"),
        *("offer_type__limio", "autoRenew__limio", "startDate", "quantity", "name"),
    )
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3)
)
ITEMS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=2)
MEMBERS = st.sampled_from(
    (
        *("data", "total", "refund", "tracking", "originalOffer", "source", "effectiveDate"),
        *("isGift", "isRedeem", "checkoutId", "country", "addressType", "notification"),
        *("orderDiscount", "customerDetails", "payment", "status", "id", "error", "type"),
    )
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    odd = draw(st.dictionaries(MEMBERS, VALUES, max_size=5))
    order_type = draw(st.sampled_from((*ORDER_TYPES, "declared_by_a_tenant")))
    given_items = draw(st.sampled_from(({}, {"orderItems": draw(ITEMS)})))
    return {**odd, **given_items, "external_id": "X-1", "order_type": order_type}


OUTPUTS = st.dictionaries(
    st.sampled_from(("effectiveDate", "status", "granted", "grantId", "ended", "accountId")),
    st.sampled_from((None, "2026-03-01", "Pending Activation", ["a", 1], [], True, 7, {})),
    max_size=4,
)


@given(documents(), OUTPUTS)
@settings(max_examples=80, deadline=None)
def test_every_body_can_be_made_and_fits_its_model(
    document: dict[str, Any], output: dict[str, Any]
) -> None:
    story = told.Story(document, (told.BILLING, told.LOYALTY, told.ACCESS))
    story.tell(facts.succeeded("zuora", output=output), facts.failed("loyalty"))
    story.tell(facts.succeeded("entitlements", output=output))
    names = set()
    for update in story.updates:
        for name in types_of(update):
            for payload, personal in (("thin", None), ("full", None), ("full", story.personal)):
                body = body_of(name, update, payload, personal)
                body_model(name, payload).model_validate_json(body)
                assert orjson.loads(body)
            names.add(name)
    assert {"order.accepted", "order.completed", "limio.error", "step.failed"} <= names
