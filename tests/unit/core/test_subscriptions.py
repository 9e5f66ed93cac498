"""What each order type makes of a subscription."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.subscriptions import subscription_bytes, subscription_from
from projections.testing import BILLING, CRM, acceptance
from schemas.events import OrderAccepted
from schemas.orders import ORDER_TYPES
from streams.core.evolve import evolve
from streams.core.order import Order
from streams.core.subscribed import later
from streams.core.subscription import Subscription, expiry, joined, opened, standing
from streams.core.subscriptions import MOST_ENDED, completed, sold_anew

BEGAN = datetime(2026, 3, 1, 10, tzinfo=UTC)
QUARTER = {"length": 3, "type": "months"}


def item(name: str, amount: int = 25, **more: Any) -> dict[str, Any]:
    attributes = {"term__limio": QUARTER, "autoRenew__limio": True, **more.pop("attributes", {})}
    return {
        "name": name,
        "quantity": 1,
        "price": {"currency": "GBP", "amount": amount},
        "offer": {"path": f"/offers/{name}", "data": {"attributes": attributes}},
        **more,
    }


def order(order_type: str, number: int = 0, **context: Mapping[str, Any]) -> Order:
    """A completed order of that type; `context` by step."""
    event = acceptance(number, (CRM, BILLING))
    fact = event.fact
    assert isinstance(fact, OrderAccepted)
    taken = replace(
        fact,
        order_type=order_type,
        effective_date="2026-03-01",
        subscription_reference="SUB1",
        owner="id-1",
    )
    found = evolve(None, replace(event, fact=taken), number)
    assert found is not None
    at = BEGAN + timedelta(days=number)
    return found.but(context=context, updated=at, created=at)


def left(*orders: tuple[Order, Mapping[str, Any]]) -> Subscription:
    found = None
    for one, document in orders:
        found = completed(found, one, document)
    assert found is not None
    assert subscription_from(subscription_bytes(found)) == found
    return found


BOUGHT = (
    order("new", zuora={"accountNumber": "A-1", "status": "Completed", "secretToken": "s3cret"}),
    {"orderItems": [item("Digital")], "total": {"currency": "GBP", "amount": 25}},
)


def change(order_type: str, on: str | None = None, **document: Any) -> tuple[Order, dict[str, Any]]:
    context = {} if on is None else {"zuora": {"effectiveDate": on}}
    return order(order_type, 40, **context), document


def spans(found: Subscription) -> list[tuple[str | None, str, str | None]]:
    return [(one.name, one.since, one.until) for one in found.items]


def test_an_order_that_is_only_accepted_leaves_it_initial() -> None:
    found = opened(BOUGHT[0])
    assert (found.status, found.orders, found.items) == ("initial", 0, ())
    assert standing(found, "2030-01-01") == "initial"


def test_a_purchase_says_what_was_sold_until_when_and_under_which_numbers() -> None:
    found = left(BOUGHT)
    assert (found.status, found.start, found.currency, found.orders) == (
        *("active", "2026-03-01", "GBP", 1),
    )
    assert (found.term, found.term_start, found.term_end, found.auto_renew) == (
        *((3, "month"), "2026-03-01", "2026-06-01", True),
    )
    assert spans(found) == [("Digital", "2026-03-01", None)]
    assert (found.items[0].amount, found.items[0].currency) == ("25", "GBP")
    assert found.numbers == {"billing": {"accountNumber": "A-1"}}
    assert (found.number("accountNumber"), found.offer) == ("A-1", "/offers/Digital")


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"isGift": True, "orderItems": [item("Digital")]}, "initial"),
        ({"orderItems": [item("Year", attributes={"offer_type__limio": "gift"})]}, "initial"),
        ({"isRedeem": "true", "orderItems": [item("Digital")]}, "active"),
        (
            {
                "orderItems": [
                    item("Digital", attributes={"requires_service_activation__limio": True})
                ]
            },
            "pending",
        ),
    ],
)
def test_gifts_wait_for_who_gets_them_and_services_for_their_activation(
    document: dict[str, Any], status: str
) -> None:
    assert left((order("new"), document)).status == status


def test_an_activation_begins_what_waits() -> None:
    waits = item("Digital", attributes={"requires_service_activation__limio": True})
    said = {"status": "Active", "subscriptionNumber": "SUB1", "effectiveDate": "2026-04-15"}
    found = left((order("new"), {"orderItems": [waits]}), (order("activation", 45, zuora=said), {}))
    assert (found.status, found.start) == ("active", "2026-04-15")


def test_a_cancellation_ends_it_from_its_day_on() -> None:
    found = left(BOUGHT, change("cancel_subscription", "2026-06-01"))
    assert spans(found) == [("Digital", "2026-03-01", "2026-06-01")]
    assert standing(found, "2026-05-31") == "active"
    assert standing(found, "2026-06-01") == "cancelled"


def test_what_is_not_renewed_expires_with_its_term() -> None:
    found = left(BOUGHT, change("renew", None, data={"autoRenew": False}))
    assert (found.auto_renew, found.term_end, expiry(found)) == (False, "2026-06-01", "2026-06-01")
    assert (standing(found, "2026-05-31"), standing(found, "2026-06-01")) == ("active", "expired")


def test_a_switch_exchanges_the_offer_that_it_names() -> None:
    with_addon = change("add_offer", "2026-03-10", orderItems=[item("Addon", attributes={})])
    switched = change(
        "change_offer",
        "2026-06-01",
        originalOffer={"path": "/offers/Digital"},
        orderItems=[item("Bundle", 55, attributes={"term__limio": {"length": 1, "type": "year"}})],
    )
    found = left(BOUGHT, with_addon, switched)
    assert spans(found) == [
        ("Digital", "2026-03-01", "2026-06-01"),
        ("Addon", "2026-03-10", None),
        ("Bundle", "2026-06-01", None),
    ]
    assert (found.term_start, found.term_end) == ("2026-06-01", "2027-06-01")
    assert found.orders == 3


def test_a_switch_takes_back_a_cancellation_that_has_not_come() -> None:
    cancelled = change("cancel_subscription", "2026-06-01")
    switched = change("change_offer", "2026-05-01", orderItems=[item("Bundle")])
    found = left(BOUGHT, cancelled, switched)
    assert found.ends is None
    assert spans(found) == [("Digital", "2026-03-01", "2026-05-01"), ("Bundle", "2026-05-01", None)]


def test_updates_add_remove_and_reprice_items() -> None:
    added = change(
        "update_subscription",
        "2026-04-01",
        orderItems=[item("Addon", 5, orderItemActionType="add")],
    )
    changed = change(
        "update_subscription",
        "2026-04-15",
        orderItems=[
            {"orderItemActionType": "remove", "offer": {"path": "/offers/Addon"}},
            {**item("Digital", 27), "orderItemActionType": "update"},
        ],
    )
    found = left(BOUGHT, added, changed)
    assert spans(found) == [
        ("Digital", "2026-03-01", "2026-04-15"),
        ("Addon", "2026-04-01", "2026-06-01"),
        ("Digital", "2026-04-15", None),
    ]
    assert found.items[-1].amount == "27"


def test_a_renewal_adds_the_term_that_it_has() -> None:
    found = left(BOUGHT, change("renew", "2026-06-01"))
    assert (found.term_start, found.term_end) == ("2026-06-01", "2026-09-01")
    assert spans(found) == [("Digital", "2026-03-01", None)]


def test_a_renewal_of_what_is_over_begins_it_anew() -> None:
    cancelled = change("cancel_subscription", "2026-06-01")
    found = left(BOUGHT, cancelled, change("renew", "2026-07-01"))
    assert (found.status, found.ends, found.term_start) == ("active", None, "2026-07-01")
    assert spans(found)[-1] == ("Digital", "2026-07-01", None)


def test_what_is_sold_anew_under_another_number_is_a_subscription_of_its_own() -> None:
    over = left(BOUGHT, change("cancel_subscription", "2026-04-15"))
    said = {"subscriptionNumber": "S-2", "effectiveDate": "2026-05-15", "accountNumber": "A-1"}
    renewal = order("renew", 75, zuora=said)
    anew = sold_anew(over, renewal, {})
    assert anew is not None
    assert (anew.reference, anew.status, anew.start, anew.owner) == (
        *("S-2", "active", "2026-05-15", "id-1"),
    )
    assert spans(anew) == [("Digital", "2026-05-15", None)]
    assert (anew.term_end, anew.number("accountNumber")) == ("2026-08-15", "A-1")
    after = completed(over, renewal, {})
    assert (standing(after, "2026-05-15"), after.orders) == ("cancelled", 3)
    assert after.items == over.items
    assert sold_anew(left(BOUGHT), renewal, {}) is None
    assert sold_anew(None, renewal, {}) is None


@pytest.mark.parametrize("order_type", ["refund", "credit"])
def test_what_is_given_back_is_listed(order_type: str) -> None:
    said = {"amount": "10.00", "currency": "GBP", "creditMemoNumber": "CM-1"}
    found = left(BOUGHT, (order(order_type, 41, zuora=said), {"total": {"amount": 10}}))
    [back] = found.given_back
    assert (back.order_type, back.amount, back.memo) == (order_type, "10.00", "CM-1")


def test_what_happened_in_the_billing_system_is_taken_over() -> None:
    said = {
        "status": "Active",
        "subscriptionNumber": "SUB1",
        "termStartDate": "2026-06-01",
        "termEndDate": "2026-09-01",
        "cancelledFrom": "2026-09-01",
        "autoRenew": False,
        "ratePlans": [{"name": "UK Quarterly"}],
    }
    found = left(BOUGHT, (order("external", 99, zuora=said), {}))
    assert (found.ends, found.term_end, found.auto_renew, found.plans) == (
        *("2026-09-01", "2026-09-01", False, ("UK Quarterly",)),
    )
    over = {"status": "Cancelled", "subscriptionNumber": "SUB1", "effectiveDate": "2026-04-01"}
    assert standing(left(BOUGHT, (order("external", 31, zuora=over), {})), "2026-04-01") == (
        "cancelled"
    )
    suspended = {"status": "Suspended", "subscriptionNumber": "SUB1"}
    assert left(BOUGHT, (order("external", 31, zuora=suspended), {})).status == "suspended"


@pytest.mark.parametrize(
    "order_type", ["change_payment", "change_address", "update_customer_details", "pause"]
)
def test_other_orders_are_counted_and_keep_it_as_it_is(order_type: str) -> None:
    before, after = left(BOUGHT), left(BOUGHT, change(order_type))
    assert (after.last_type, after.orders) == (order_type, 2)
    assert (after.items, after.status, after.ends) == (before.items, before.status, before.ends)


def test_who_is_named_owns_it_from_then_on() -> None:
    assert left(BOUGHT, change("renew", owner="id-1")).owner == "id-1"
    moved = order("external", 41, transfer={"newOwner": "id-9"})
    assert left(BOUGHT, (moved, {})).owner == "id-9"


def test_ended_items_do_not_pile_up() -> None:
    switches = [
        (order("change_offer", n), {"orderItems": [item(f"O{n}")]}) for n in range(MOST_ENDED + 9)
    ]
    found = left(BOUGHT, *switches)
    assert len(found.items) == MOST_ENDED + 1
    assert found.items[-1].name == f"O{MOST_ENDED + 8}"


def test_parts_of_several_partitions_come_together() -> None:
    one, other = left(BOUGHT), left(change("cancel_subscription", "2026-06-01"))
    for parts in ([one, other], [other, one]):
        found = joined(parts)
        assert (found.orders, found.ends, found.first_order) == (2, "2026-06-01", one.first_order)
        assert (found.status, found.term_end, len(found.items)) == ("active", "2026-06-01", 1)
    assert joined([one]) == one


@pytest.mark.parametrize(
    ("start", "term", "end"),
    [
        ("2026-01-31", (1, "month"), "2026-02-28"),
        ("2024-02-29", (1, "year"), "2025-02-28"),
        ("2026-11-30", (1, "quarter"), "2027-02-28"),
        ("2026-03-01", (2, "week"), "2026-03-15"),
        ("9999-12-31", (1000, "year"), None),
        ("2026-03-01", None, None),
    ],
)
def test_terms_end_on_the_same_day_or_the_last_of_the_month(
    start: str, term: tuple[int, str] | None, end: str | None
) -> None:
    assert later(start, term) == end


MEMBERS = (
    *("orderItems", "offer", "data", "attributes", "term__limio", "length", "type", "name"),
    *("price", "amount", "quantity", "originalOffer", "effectiveDate", "orderItemActionType"),
    *("ratePlans", "status", "subscriptionNumber", "startDate", "autoRenew", "total", "owner"),
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["add", "remove", "update", "2026-01-31", "month", "Cancelled"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=6)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(ORDER_TYPES), DOCUMENTS, DOCUMENTS), max_size=3))
def test_no_document_and_no_answer_stops_the_fold(told: list[tuple[str, Any, Any]]) -> None:
    found = None
    for number, (order_type, document, said) in enumerate(told):
        one = order(order_type, number, zuora=said)
        sold_anew(found, one, document)
        found = completed(found, one, document)
        standing(found, "2026-03-01")
        joined([found, left(BOUGHT)])
    assert found is None or found.orders == len(told)
