"""What the sandbox's Zuora sells, and how Object Query finds it."""

from typing import Any

import pytest

from tests.unit.zuora_tenant import Tenant
from waybill.sandbox.testing import zuora_order
from waybill.sandbox.zuora.catalog import Catalog
from waybill.sandbox.zuora.queries import Filter
from waybill.sandbox.zuora.refusals import RefusedError

FROM_ELSEWHERE, CHARGE = "0" * 31 + "1", "0" * 31 + "2"


@pytest.mark.parametrize(
    ("name", "kind", "model", "period", "price"),
    [
        ("Winter Discount", "Recurring", "DiscountPercentage", "Month", 20),
        ("10 Pounds Off", "Recurring", "DiscountPercentage", "Month", 20),
        ("A Gift", "OneTime", "FlatFee", None, 10),
        ("Our Refund", "OneTime", "FlatFee", None, 0),
        ("Free Trial", "Recurring", "FlatFee", "Subscription_Term", 0),
        ("News Monthly", "Recurring", "FlatFee", "Month", 10),
        ("News Annual", "Recurring", "FlatFee", "Annual", 10),
        ("News", "Recurring", "FlatFee", "Subscription_Term", 10),
    ],
)
def test_a_plan_is_made_to_order_by_its_name(
    name: str, kind: str, model: str, period: str | None, price: float
):
    plan = Catalog().plan_named(name)
    assert plan is not None
    (charge,) = plan["productRatePlanCharges"]
    (priced,) = charge["pricing"]
    assert (charge["type"], charge["model"], charge["billingPeriod"]) == (kind, model, period)
    assert price in priced.values()


def test_some_plans_are_not_there():
    catalog = Catalog()
    assert catalog.plan_named("Unknown Plan") is None
    assert catalog.plan("f" * 32) is None
    assert catalog.charge("f" * 32) is None


def ordered(charge: str, pricing: dict[str, Any]) -> dict[str, Any]:
    body = zuora_order()
    created = body["subscriptions"][0]["orderActions"][0]["createSubscription"]
    override = {"productRatePlanChargeId": charge, "pricing": pricing}
    entry = {"productRatePlanId": FROM_ELSEWHERE, "chargeOverrides": [override]}
    created["subscribeToRatePlans"] = [entry]
    return body


def test_a_plan_from_elsewhere_has_the_charges_that_orders_name():
    tenant = Tenant()
    made = tenant.order(ordered(CHARGE, {"recurringPerUnit": {"listPrice": 4, "quantity": 3}}))
    assert made["paidAmount"] == "12.00"
    plan = tenant.catalog.plan(FROM_ELSEWHERE)
    assert plan is not None
    assert [one["id"] for one in plan["productRatePlanCharges"]] == [CHARGE]


def test_a_plan_of_the_house_has_its_own_charges_only():
    tenant = Tenant()
    plan = tenant.catalog.plan_named("UK-UK A Monthly")
    assert plan is not None
    body = ordered(CHARGE, {"recurringFlatFee": {"listPrice": 4}})
    created = body["subscriptions"][0]["orderActions"][0]["createSubscription"]
    created["subscribeToRatePlans"][0]["productRatePlanId"] = plan["id"]
    with pytest.raises(RefusedError, match="has no charge"):
        tenant.order(body)


RECORD = {"name": "Ada", "amount": 10, "active": True}


@pytest.mark.parametrize(
    "text",
    [
        "name.EQ:Ada",
        "NAME.EQ:Ada",
        "name.SW:Ad",
        "name.IN:[Eve,Ada]",
        "amount.GE:10",
        "active.EQ:true",
    ],
)
def test_a_filter_compares_as_its_field_does(text: str):
    assert Filter(text).admits(RECORD)


@pytest.mark.parametrize(
    "text", ["name.NE:Ada", "name.IN:[Eve]", "amount.LT:10", "active.EQ:false", "missing.EQ:x"]
)
def test_a_filter_leaves_out_what_does_not_fit(text: str):
    assert not Filter(text).admits(RECORD)


def test_a_filter_that_is_none_is_not_guessed_at():
    with pytest.raises(ValueError, match="LIKE"):
        Filter("name.LIKE:x")
