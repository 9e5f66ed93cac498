"""Where lanes are by customer, whatever an order looks like, one customer has one lane."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.intake import Prepared
from tests.unit.core.taking import taken

ACCOUNTS = ("0015400000k3Y70", "0015400000Aa1Bc")
OWNERS = ("id-1", "id-2", "customer", "A-S1")
MAILS = ("ada@example.org", "bo@example.org")
SUBSCRIPTIONS = ("A-S1", "A-S2", "/subscriptions/A-S1", "customer")
TYPES = ("new", "renew", "change_offer", "external")

CUSTOMERS = st.fixed_dictionaries(
    {},
    optional={
        "tracking": st.fixed_dictionaries({"accountId": st.sampled_from(ACCOUNTS)}),
        "owner": st.sampled_from(OWNERS),
        "customerDetails": st.fixed_dictionaries({"email": st.sampled_from(MAILS)}),
    },
)
ORDERS = st.fixed_dictionaries(
    {
        "external_id": st.text("abc", min_size=1, max_size=3),
        "order_type": st.sampled_from(TYPES),
        "forSubscription": st.sampled_from(SUBSCRIPTIONS),
    },
    optional={"hasDelivery": st.booleans(), "orderDate": st.just("2026-05-01")},
)


def in_tenant(tenant: str, document: dict[str, Any]) -> Prepared:
    return taken(json.dumps(document).encode(), tenant=tenant)


def named(document: dict[str, Any]) -> tuple[str, str] | None:
    """The customer, as the rule says it in words."""
    if "tracking" in document:
        return "account", document["tracking"]["accountId"]
    if "owner" in document:
        return "owner", document["owner"]
    if "customerDetails" in document:
        return "mail", document["customerDetails"]["email"]
    return None


@settings(max_examples=300, deadline=None)
@given(CUSTOMERS, CUSTOMERS, ORDERS, ORDERS)
def test_two_orders_share_a_lane_iff_they_name_the_same_customer(
    one: dict[str, Any], two: dict[str, Any], first: dict[str, Any], second: dict[str, Any]
) -> None:
    orders = in_tenant("customers", one | first), in_tenant("customers", two | second)
    same_customer = named(one) == named(two)
    shared = orders[0].lane == orders[1].lane
    if named(one) is None and named(two) is None:
        references = {order.subscription_reference for order in orders}
        assert shared is (len(references) == 1)
    else:
        assert shared is same_customer


@settings(max_examples=200, deadline=None)
@given(CUSTOMERS, CUSTOMERS, ORDERS)
def test_lanes_by_subscription_do_not_know_customers(
    one: dict[str, Any], two: dict[str, Any], order: dict[str, Any]
) -> None:
    lanes = {in_tenant("default", customer | order).lane for customer in (one, two)}
    assert lanes == {f"default/{order['forSubscription'].rpartition('/')[2]}"}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), ORDERS)
def test_no_owner_makes_a_lane_that_a_command_cannot_name(
    owner: str, order: dict[str, Any]
) -> None:
    lane = in_tenant("customers", {**order, "owner": owner}).lane
    assert len(lane) <= 255
    assert lane.isprintable()
