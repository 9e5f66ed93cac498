"""What an order says of money, and when it contradicts itself."""

from typing import Any

import orjson
import pytest

from schemas.problems import Problem, RefusedError
from streams.core.intake import Prepared
from streams.core.pricing import difference
from tests.unit.core.taking import prepared

CHANGE = {"forSubscription": "A-S1"}


def item(amount: Any, currency: str | None = "GBP", **more: Any) -> dict[str, Any]:
    price = {"amount": amount} | ({} if currency is None else {"currency": currency})
    return {"price": price, **more}


def charged(*codes: Any) -> dict[str, Any]:
    charges = [{"value": "10", "currencyCode": code} for code in codes]
    return {"data": {"attributes": {"price__limio": charges}}}


def refusal(**members: Any) -> Problem:
    with pytest.raises(RefusedError) as refused:
        prepared(**members)
    assert refused.value.problem.remedy
    return refused.value.problem


def strict(**members: Any) -> Prepared:
    return prepared(tenant="strict", **members)


MIXED: dict[str, tuple[dict[str, Any], str]] = {
    "total and item": (
        {"total": {"currency": "GBP"}, "orderItems": [item(1, "EUR")]},
        "/orderItems/0/price/currency",
    ),
    "two items": ({"orderItems": [item(1), item(1, "EUR")]}, "/orderItems/1/price/currency"),
    "item and charge": (
        {"orderItems": [item(1, offer=charged("GBP", "USD"))]},
        "/orderItems/0/offer/data/attributes/price__limio/1/currencyCode",
    ),
    "total and discount": (
        {
            "total": {"currency": "GBP"},
            "orderDiscount": {"discountOverrides": {"currency": "EUR"}},
        },
        "/orderDiscount/discountOverrides/currency",
    ),
    "total and refund": (
        {
            **CHANGE,
            "order_type": "credit",
            "total": {"currency": "GBP", "amount": 1},
            "refund": {"currency": "EUR"},
        },
        "/refund/currency",
    ),
    "the offer before a switch": (
        {
            **CHANGE,
            "order_type": "change_offer",
            "originalOffer": charged("GBP"),
            "orderItems": [item(1, "EUR")],
        },
        "/originalOffer/data/attributes/price__limio/0/currencyCode",
    ),
}


@pytest.mark.parametrize(("members", "field"), MIXED.values(), ids=MIXED)
def test_an_order_is_in_one_currency(members: dict[str, Any], field: str) -> None:
    problem = refusal(**members)
    assert (problem.code, problem.field) == ("mixed_currencies", field)
    assert "GBP" in problem.message


@pytest.mark.parametrize(
    "members",
    [
        {"total": {"currency": "GBP"}, "orderItems": [item(1, " gbp "), item(1, None)]},
        {"total": {"currency": None}, "orderItems": [item(1, "EUR", offer=charged("EUR", ""))]},
        {"total": {}, "orderItems": [{"price": "x"}, {"offer": {"data": {"attributes": "x"}}}]},
        {"orderItems": [item(1, offer=charged("GBP"))], "originalOffer": charged("EUR")},
        {"orderDiscount": ["x"], "refund": "x", "orderItems": None},
    ],
    ids=["one", "blank", "odd", "not a switch", "nothing"],
)
def test_what_names_one_currency_or_none_is_taken(members: dict[str, Any]) -> None:
    assert prepared(**members).document == members


DIFFERENT: dict[str, tuple[dict[str, Any], str | None]] = {
    "equal": ({"orderItems": [item("25.00")], "total": {"amount": 25}}, None),
    "two": ({"orderItems": [item(9.9), item("24")], "total": {"amount": "33.90"}}, None),
    "cents of floats": ({"orderItems": [item(0.1), item(0.2)], "total": {"amount": 0.3}}, None),
    "a cent off": (
        {"orderItems": [item(9.9), item("24")], "total": {"amount": 33.91}},
        "the items come to 33.90 GBP, the total says 33.91 GBP",
    ),
    "quantity": ({"orderItems": [item("10", quantity=3)], "total": {"amount": 30}}, None),
    "quantity forgotten": (
        {"orderItems": [item("10", quantity="3")], "total": {"amount": 10}},
        "the items come to 30.00 GBP, the total says 10.00 GBP",
    ),
    "yen": (
        {"orderItems": [item("1000", "JPY")], "total": {"amount": "1001"}},
        "the items come to 1000 JPY, the total says 1001 JPY",
    ),
    "thirds": ({"orderItems": [item("33.333", quantity=3)], "total": {"amount": 100}}, None),
    "no currency": (
        {"orderItems": [item(1, None)], "total": {"amount": 2}},
        "the items come to 1.00, the total says 2.00",
    ),
    "free": ({"orderItems": [item(0)], "total": {"amount": 0}}, None),
    "no total": ({"orderItems": [item(5)], "total": {"currency": "GBP"}}, None),
    "no price": ({"orderItems": [item(5), {}], "total": {"amount": 99}}, None),
    "odd quantity": ({"orderItems": [item(5, quantity="few")], "total": {"amount": 9}}, None),
    "no items": ({"total": {"amount": 99}}, None),
    "removed": (
        {
            "orderItems": [item(5), item(7, orderItemActionType="remove")],
            "total": {"amount": 5},
        },
        None,
    ),
    "odd action": (
        {"orderItems": [item(5), item(7, orderItemActionType=[])], "total": {"amount": 5}},
        None,
    ),
    "discount offer": (
        {
            "orderItems": [
                item(5),
                item(50, offer={"data": {"attributes": {"offer_type__limio": "discount"}}}),
            ],
            "total": {"amount": 5},
        },
        None,
    ),
    "huge": ({"orderItems": [item("1e15", quantity="1e15")], "total": {"amount": "1e15"}}, "huge"),
}


@pytest.mark.parametrize(("members", "told"), DIFFERENT.values(), ids=DIFFERENT)
def test_items_and_total_are_compared_as_the_currency_counts(
    members: dict[str, Any], told: str | None
) -> None:
    found = difference(members, "new")
    if told == "huge":
        assert found is not None
    else:
        assert (found and str(found)) == told


def discounted(**overrides: Any) -> dict[str, Any]:
    items = [item(30, offer={"path": "/offers/A", "id": "a"}), item(70, offer={"id": "b"})]
    return {"orderItems": items, "orderDiscount": {"discountOverrides": overrides}}


@pytest.mark.parametrize(
    ("overrides", "total"),
    [
        ({"percentageDiscount": 10}, "90"),
        ({"discountType": "percentage", "percentageDiscount": "12.5", "amountDiscount": 5}, "87.5"),
        ({"amountDiscount": "10.01"}, "89.99"),
        ({"discountType": "amount", "amountDiscount": 1000}, "0"),
        (
            {
                "percentageDiscount": 50,
                "orderItemsWithSpecifiedDiscount": {"discountedOffers": ["/offers/A"]},
            },
            "85",
        ),
        (
            {
                "amountDiscount": 100,
                "orderItemsWithSpecifiedDiscount": {"discountedOffers": [{"id": "b"}]},
            },
            "30",
        ),
    ],
    ids=["percent", "percent by type", "amount", "more than all", "of one", "amount of one"],
)
def test_a_discount_is_taken_off_before(overrides: dict[str, Any], total: str) -> None:
    order = discounted(**overrides)
    assert difference({**order, "total": {"amount": total}}, "new") is None
    other = difference({**order, "total": {"amount": "100"}}, "new")
    assert other is not None
    assert f"{other.items:f}" == f"{float(total):.2f}"


@pytest.mark.parametrize(
    "discount",
    [
        "x",
        {"name": "winter"},
        {"discountOverrides": {"discountType": "percentage"}},
        {
            "discountOverrides": {
                "amountDiscount": 5,
                "orderItemsWithSpecifiedDiscount": {"discountedOffers": ["/offers/C", {"id": {}}]},
            }
        },
    ],
)
def test_a_discount_that_cannot_be_understood_is_no_difference(discount: object) -> None:
    order = {**discounted(), "orderDiscount": discount, "total": {"amount": 1}}
    assert difference(order, "new") is None


@pytest.mark.parametrize("order_type", ["refund", "update_subscription", "cancel_subscription"])
def test_the_total_of_other_orders_may_be_anything(order_type: str) -> None:
    assert difference({"orderItems": [item(5)], "total": {"amount": 1}}, order_type) is None


def test_a_difference_is_refused_under_strict_totals_alone() -> None:
    differs = {"orderItems": [item("25.00")], "total": {"amount": 20, "currency": "GBP"}}
    assert prepared(**differs).document == differs
    with pytest.raises(RefusedError) as refused:
        strict(**differs)
    problem = refused.value.problem
    assert (problem.code, problem.field) == ("totals_differ", "/total/amount")
    assert "25.00 GBP" in problem.message
    assert strict(orderItems=[item(25)], total={"amount": "25.0"}).order_type == "new"


@pytest.mark.parametrize("order_type", ["refund", "credit"])
@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({}, "/total/amount"),
        ({"total": {"amount": 0}}, "/total/amount"),
        ({"total": {"amount": "-5"}}, "/total/amount"),
        ({"total": {"amount": "some"}}, "/total/amount"),
        ({"total": {"amount": True}}, "/total/amount"),
        ({"total": {"amount": 5}, "refund": {"amount": 0}}, "/refund/amount"),
        ({"orderItems": [{}, item(0)]}, "/orderItems/1/price/amount"),
    ],
    ids=["none", "nothing", "less than nothing", "a word", "true", "its own first", "items"],
)
def test_what_gives_money_back_says_how_much(
    order_type: str, members: dict[str, Any], field: str
) -> None:
    problem = refusal(tenant="strict", **CHANGE, order_type=order_type, **members)
    assert (problem.code, problem.field) == ("amount_required", field)


@pytest.mark.parametrize(
    "members",
    [
        {"total": {"amount": 10}},
        {"total": {"amount": "0.01"}},
        {"refund": {"amount": 10, "invoice": "INV-1"}},
        {"orderItems": [item("9.90")], "total": {}},
        {"orderItems": [item("9.90")], "total": {"amount": 5}},
    ],
    ids=["total", "a cent", "refund", "items", "a part"],
)
def test_a_part_of_the_price_may_be_given_back(members: dict[str, Any]) -> None:
    assert strict(**CHANGE, order_type="refund", **members).order_type == "refund"


def test_amounts_are_kept_as_they_were_sent() -> None:
    sent = (
        b'{"external_id":"E","orderItems":[{"price":{"amount":"10.10","currency":"GBP"}},'
        b'{"price":{"amount":0.1,"currency":"GBP"}}],"total":{"amount":10.2,"currency":"gbp"}}'
    )
    assert orjson.dumps(strict(**orjson.loads(sent)).document) == sent
