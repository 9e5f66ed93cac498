"""What Zuora takes in a body, rule by rule."""

import copy
from typing import Any

import pytest

from waybill.sandbox.rules import Found, Kind
from waybill.sandbox.zuora.order_bodies import order_body
from waybill.sandbox.zuora.people_bodies import account_body

PLAN = "0123456789abcdef0123456789abcdef"
BUYER = {"firstName": "Ada", "lastName": "Byron", "personalEmail": "ada@example.test"}
ORDER: dict[str, Any] = {
    "orderDate": "2026-03-01",
    "orderNumber": "O-1",
    "newAccount": {
        "accountNumber": "WB-1",
        "name": "Ada Byron",
        "currency": "GBP",
        "billCycleDay": 0,
        "billToContact": {**BUYER, "postalCode": "N1 1AA"},
        "customFields": {"Shop__c": "uk"},
    },
    "subscriptions": [
        {
            "orderActions": [
                {
                    "type": "CreateSubscription",
                    "triggerDates": [{"name": "ContractEffective", "triggerDate": "2026-03-01"}],
                    "createSubscription": {
                        "subscriptionNumber": "S-1",
                        "terms": {"initialTerm": {"termType": "TERMED"}},
                        "subscribeToRatePlans": [
                            {
                                "productRatePlanId": PLAN,
                                "chargeOverrides": [
                                    {
                                        "productRatePlanChargeId": PLAN,
                                        "pricing": {"recurringFlatFee": {"listPrice": 25.0}},
                                    }
                                ],
                            }
                        ],
                    },
                }
            ]
        }
    ],
    "processingOptions": {"runBilling": True, "billingOptions": {"targetDate": "2026-03-01"}},
}
ACTION = "subscriptions[0].orderActions[0]"
CREATED = f"{ACTION}.createSubscription"
PRICE = f"{CREATED}.subscribeToRatePlans[0].chargeOverrides[0].pricing.recurringFlatFee.listPrice"
ABSENT = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The order with one member changed, added or (ABSENT) left out."""
    order = copy.deepcopy(ORDER)
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    place: Any = order
    for step in way:
        place = place[int(step)] if step.isdecimal() else place[step]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return order


def found_in(body: Any) -> Found:
    found: Found = []
    order_body(body, "", found)
    return found


def test_a_full_order_passes():
    assert found_in(ORDER) == []


@pytest.mark.parametrize(
    "path",
    [
        "orderDate",
        "newAccount.name",
        "newAccount.currency",
        "newAccount.billCycleDay",
        "newAccount.billToContact",
        "newAccount.billToContact.lastName",
        f"{ACTION}.type",
        f"{ACTION}.createSubscription",
        f"{CREATED}.terms",
        f"{CREATED}.terms.initialTerm.termType",
    ],
)
def test_a_required_member_is_missed_by_name(path: str):
    found = found_in(changed(path, ABSENT))
    assert [violation.kind for violation in found] == [Kind.MISSING]
    assert path in found[0].message


@pytest.mark.parametrize(
    "path",
    [
        "orderdate",
        "collectPayments",
        "newAccount.billToContact.zipCode",
        "processingOptions.collectPayments",
        f"{CREATED}.Shop__x",
        "newAccount.customFields.shop",
    ],
)
def test_an_unknown_member_is_refused_by_name(path: str):
    found = found_in(changed(path, "x"))
    assert [(violation.kind, violation.at) for violation in found] == [(Kind.UNKNOWN, path)]


@pytest.mark.parametrize("path", ["newAccount.Shop__c", "newAccount.billToContact.Vip__c"])
def test_custom_fields_may_stand_where_zuora_has_them_at_the_top(path: str):
    assert found_in(changed(path, "x")) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("orderDate", "2026-03-01T00:00:00Z"),
        ("orderDate", "2026-02-30"),
        ("orderDate", 20260301),
        ("orderNumber", "O/1"),
        ("orderNumber", None),
        ("newAccount.accountNumber", "A-1"),
        ("newAccount.billCycleDay", "0"),
        ("newAccount.autoPay", "true"),
        ("newAccount.billToContact.personalEmail", "ada"),
        ("newAccount.billToContact.postalCode", "N" * 21),
        ("processingOptions.billingOptions.targetDate", ""),
        ("subscriptions", {}),
        (PRICE, "25.00"),
        (PRICE, True),
        (f"{CREATED}.terms.initialTerm.termType", "TERM"),
        (f"{CREATED}.subscribeToRatePlans[0].productRatePlanId", "UK-UK A Quarterly"),
        (f"{ACTION}.triggerDates[0].name", "Contract"),
        (f"{ACTION}.type", "Create"),
        (f"{ACTION}.type", ["CreateSubscription"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(path: str, value: Any):
    found = found_in(changed(path, value))
    assert [(violation.kind, violation.at) for violation in found] == [(Kind.VALUE, path)]


def test_a_member_must_go_with_the_type_of_its_action():
    cancel = {"cancellationPolicy": "EndOfCurrentTerm"}
    found = found_in(changed(f"{ACTION}.cancelSubscription", cancel))
    assert "does not go with the type CreateSubscription" in found[0].message


def test_a_postcode_is_a_zip_code_in_an_account_outside_an_order():
    account = {"name": "Ada", "currency": "GBP", "billToContact": {**BUYER, "zipCode": "N1 1AA"}}
    found: Found = []
    account_body(account, "", found)
    assert found == []
    account["billToContact"] = {**BUYER, "postalCode": "N1 1AA"}
    account_body(account, "", found)
    assert [(v.kind, v.at) for v in found] == [(Kind.UNKNOWN, "billToContact.postalCode")]


@pytest.mark.parametrize("body", [None, [], "order", 1])
def test_a_body_that_is_no_object_is_refused(body: Any):
    assert [violation.kind for violation in found_in(body)] == [Kind.VALUE]
