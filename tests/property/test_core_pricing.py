"""Money of orders, whatever the amounts: exact as decimals, rounded as the currency is counted."""

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.money import number, rounded_amount
from schemas.problems import RefusedError
from streams.core.pricing import difference
from tests.unit.core.taking import taken

PLACES = {"GBP": 2, "EUR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "TND": 3}
CURRENCIES = st.sampled_from(sorted(PLACES))


@st.composite
def amounts(draw: st.DrawFn, currency: str) -> Decimal:
    """An amount that can be paid in the currency."""
    return Decimal(draw(st.integers(0, 10**9))).scaleb(-PLACES[currency])


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, list[tuple[Decimal, int]]]:
    """A currency, and prices with quantities."""
    currency = draw(CURRENCIES)
    item = st.tuples(amounts(currency), st.integers(1, 12))
    return currency, draw(st.lists(item, min_size=1, max_size=5))


WRITTEN = st.sampled_from((str, float))
"""As shops write amounts: a text, or a JSON number."""
Writing = Callable[[Decimal], Any]


def document(
    currency: str, items: list[tuple[Decimal, int]], total: Decimal, written: Writing
) -> dict[str, Any]:
    return {
        "external_id": "E",
        "orderItems": [
            {
                "quantity": quantity,
                "price": {"amount": written(price), "currency": currency},
            }
            for price, quantity in items
        ],
        "total": {"amount": written(total), "currency": currency},
    }


@settings(max_examples=300, deadline=None)
@given(orders(), WRITTEN)
def test_items_that_come_to_the_total_never_differ_from_it(
    order: tuple[str, list[tuple[Decimal, int]]], written: Writing
) -> None:
    currency, items = order
    total = sum((price * quantity for price, quantity in items), Decimal(0))
    sent = document(currency, items, total, written)
    assert difference(sent, "new") is None
    taken(json.dumps(sent).encode(), tenant="strict")


@settings(max_examples=300, deadline=None)
@given(orders(), WRITTEN, st.integers(-99, 99).filter(bool))
def test_one_unit_of_the_currency_is_a_difference_and_is_told_exactly(
    order: tuple[str, list[tuple[Decimal, int]]], written: Writing, units: int
) -> None:
    currency, items = order
    cost = sum((price * quantity for price, quantity in items), Decimal(0))
    total = cost + Decimal(units).scaleb(-PLACES[currency])
    sent = document(currency, items, total, written)
    found = difference(sent, "new")
    assert found is not None
    assert found.total - found.items == Decimal(units).scaleb(-PLACES[currency])
    assert (found.items, found.currency) == (cost, currency)
    taken(json.dumps(sent).encode())
    with pytest.raises(RefusedError) as refused:
        taken(json.dumps(sent).encode(), tenant="strict")
    assert refused.value.problem.code == "totals_differ"


@settings(max_examples=200, deadline=None)
@given(orders(), CURRENCIES, st.data())
def test_a_second_currency_is_refused_wherever_it_stands(
    order: tuple[str, list[tuple[Decimal, int]]], other: str, data: st.DataObject
) -> None:
    currency, items = order
    sent = document(currency, items, Decimal(1), str)
    prices = [item["price"] for item in sent["orderItems"]]
    data.draw(st.sampled_from([sent["total"], *prices]))["currency"] = other
    if other == currency:
        assert taken(json.dumps(sent).encode()).document == sent
        return
    with pytest.raises(RefusedError) as refused:
        taken(json.dumps(sent).encode())
    assert refused.value.problem.code == "mixed_currencies"


@settings(max_examples=300, deadline=None)
@given(st.decimals(-(10**12), 10**12, places=6), CURRENCIES)
def test_an_amount_is_rounded_half_up_to_the_places_of_its_currency(
    amount: Decimal, currency: str
) -> None:
    found = rounded_amount(amount, currency.lower())
    step = Decimal(1).scaleb(-PLACES[currency])
    assert found == amount.quantize(step, ROUND_HALF_UP)
    assert abs(found - amount) * 2 <= step
    assert rounded_amount(found, currency) == found


@settings(max_examples=300, deadline=None)
@given(st.decimals(-(10**10), 10**10, places=4))
def test_an_amount_is_the_same_as_a_number_and_as_text(amount: Decimal) -> None:
    as_number = orjson.loads(orjson.dumps(float(amount)))
    assert number(as_number) == number(f" {amount} ") == amount


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(("amount", "currency", "path", "id")), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "total": ODD,
            "orderItems": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "price": ODD,
                        "quantity": ODD,
                        "orderItemActionType": ODD,
                        "offer": ODD,
                    },
                ),
                max_size=3,
            ),
            "orderDiscount": st.fixed_dictionaries(
                {},
                optional={
                    "discountOverrides": st.dictionaries(
                        st.sampled_from(
                            (
                                "percentageDiscount",
                                "amountDiscount",
                                "discountType",
                                "orderItemsWithSpecifiedDiscount",
                            )
                        ),
                        ODD | st.fixed_dictionaries({"discountedOffers": ODD}),
                    )
                },
            ),
            "refund": ODD,
            "originalOffer": ODD,
        },
    ),
    st.sampled_from(("new", "change_offer", "refund")),
)
def test_however_money_is_written_an_order_is_taken_or_refused_in_words(
    members: dict[str, Any], order_type: str
) -> None:
    sent = {**members, "order_type": order_type, "forSubscription": "A-S1"}
    with suppress(RefusedError):
        taken(json.dumps(sent).encode(), tenant="strict")
