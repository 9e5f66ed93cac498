"""What each order action does to a subscription in the sandbox's Zuora, and what it refuses."""

from typing import Any

import pytest

from tests.unit.zuora_tenant import YEAR, Tenant, charge_id, plan_id
from waybill.sandbox.testing import zuora_order
from waybill.sandbox.zuora.refusals import RefusedError

END = ("CancelSubscription", {"cancellationPolicy": "EndOfCurrentTerm"})
RENEW = ("RenewSubscription", {})


def on(day: str) -> dict[str, Any]:
    return {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": day}


@pytest.fixture
def tenant() -> Tenant:
    made = Tenant()
    made.buy()
    return made


def remove(tenant: Tenant) -> tuple[str, dict[str, str]]:
    return ("RemoveProduct", {"ratePlanId": tenant.held.rate_plans[0].id})


def test_a_switch_removes_the_old_plan_and_adds_the_new_one(tenant: Tenant):
    term = {"termType": "TERMED", "period": 6, "periodType": "Month", "startDate": "2026-04-01"}
    tenant.change(
        ("TermsAndConditions", {"lastTerm": term, "autoRenew": False}),
        remove(tenant),
        ("AddProduct", {"productRatePlanId": plan_id("UK-UK Bundle Annual")}),
    )
    shown = tenant.state["subscriptions"]["S-1"]
    assert [(p["ratePlanName"], p["lastChangeType"]) for p in shown["ratePlans"]] == [
        ("UK-UK A Monthly", "Remove"),
        ("UK-UK Bundle Annual", "Add"),
    ]
    assert (shown["termStartDate"], shown["termEndDate"]) == ("2026-04-01", "2026-10-01")
    assert (shown["autoRenew"], shown["version"]) == (False, 4)


def test_a_plan_is_removed_only_once(tenant: Tenant):
    gone = remove(tenant)
    tenant.change(gone)
    with pytest.raises(RefusedError, match="was removed from S-1") as refused:
        tenant.change(gone, orderNumber="O-again")
    assert refused.value.category == 30


def test_an_order_happens_as_a_whole_or_not_at_all(tenant: Tenant):
    before = tenant.state
    with pytest.raises(RefusedError, match="ffffffff"):
        tenant.change(remove(tenant), ("AddProduct", {"productRatePlanId": "f" * 32}))
    assert tenant.state == before


def test_change_plan_is_both_in_one_action(tenant: Tenant):
    selector = {"ratePlanId": tenant.held.rate_plans[0].id, "subType": "Upgrade"}
    new = {"productRatePlanId": plan_id("UK-UK Bundle Annual")}
    tenant.change(
        ("ChangePlan", {**selector, "newProductRatePlan": new, "effectivePolicy": "SpecificDate"})
    )
    assert [plan.change for plan in tenant.held.rate_plans] == ["Remove", "Add"]


def test_an_update_makes_a_new_segment_of_the_charge(tenant: Tenant):
    plan = tenant.held.rate_plans[0]
    price = {"recurringFlatFee": {"listPrice": 12}}
    change = {"productRatePlanChargeId": charge_id("UK-UK A Monthly"), "pricing": price}
    tenant.change(("UpdateProduct", {"ratePlanId": plan.id, "chargeUpdates": [change]}))
    shown = tenant.state["subscriptions"]["S-1"]["ratePlans"][0]
    (charge,) = shown["ratePlanCharges"]
    assert (shown["lastChangeType"], charge["price"], charge["segment"]) == ("Update", 12, 2)


def test_a_cancellation_to_come_leaves_the_subscription_active_until_its_day(tenant: Tenant):
    tenant.change(END)
    shown = tenant.state["subscriptions"]["S-1"]
    assert shown["status"] == "Active"
    assert shown["statusHistory"][-1] == {"status": "Cancelled", "startDate": "2027-03-01"}
    tenant.advance("2027-02-28")
    assert tenant.held.status == "Active"
    tenant.advance("2027-03-01")
    assert tenant.held.status == "Cancelled"


def test_a_cancellation_of_today_is_done_at_once(tenant: Tenant):
    tenant.change(("CancelSubscription", on("2026-04-01")))
    assert tenant.held.status == "Cancelled"


def test_the_end_of_the_last_invoice_period_is_where_the_charges_are_billed_to(tenant: Tenant):
    tenant.change(("CancelSubscription", {"cancellationPolicy": "EndOfLastInvoicePeriod"}))
    assert str(tenant.held.cancelled_on) == "2026-04-01"


@pytest.mark.parametrize(
    ("day", "said"), [("2026-02-01", "earlier than the start"), ("2027-03-02", "term end date")]
)
def test_no_action_lies_outside_the_term(tenant: Tenant, day: str, said: str):
    with pytest.raises(RefusedError, match=said) as refused:
        tenant.change(("AddProduct", {"productRatePlanId": plan_id("Crossword Monthly")}), on=day)
    assert refused.value.category == 20


@pytest.mark.parametrize("second", [END, RENEW, ("AddProduct", {"productRatePlanId": "0" * 32})])
def test_a_cancelled_subscription_takes_no_change(tenant: Tenant, second: Any):
    tenant.change(("CancelSubscription", on("2026-04-01")))
    with pytest.raises(RefusedError, match="already cancelled") as refused:
        tenant.change(second, orderNumber="O-2")
    assert refused.value.category == 30


CLEARED = ("TermsAndConditions", {"clearingScheduledCancelDate": True})


@pytest.mark.parametrize("next_", [RENEW, CLEARED])
def test_an_order_that_cancels_stands_in_the_way_until_it_is_deleted(tenant: Tenant, next_: Any):
    tenant.change(END)
    with pytest.raises(RefusedError, match="delete that order"):
        tenant.change(next_, orderNumber="O-2")


def test_a_scheduled_cancellation_stands_in_the_way_until_it_is_cleared(tenant: Tenant):
    tenant.change(("TermsAndConditions", {"scheduledCancelDate": "2026-12-01"}))
    assert tenant.state["subscriptions"]["S-1"]["scheduledCancelDate"] == "2026-12-01"
    with pytest.raises(RefusedError, match="is cancelled as of"):
        tenant.change(RENEW, orderNumber="O-2")
    tenant.change(CLEARED, orderNumber="O-3")
    tenant.change(RENEW, orderNumber="O-4")
    assert str(tenant.held.term_end) == "2028-03-01"


def test_renewing_twice_adds_two_terms(tenant: Tenant):
    tenant.change(RENEW)
    tenant.change(RENEW, orderNumber="O-2")
    assert str(tenant.held.term_end) == "2029-03-01"


def test_a_renewal_term_and_evergreen_are_set_before_the_renewal(tenant: Tenant):
    terms = {"renewalTerms": [{"period": 1, "periodType": "Month"}]}
    tenant.change(("TermsAndConditions", terms), RENEW)
    assert str(tenant.held.term_end) == "2027-04-01"
    tenant.change(
        ("TermsAndConditions", {"renewalSetting": "RENEW_TO_EVERGREEN"}), RENEW, orderNumber="O-2"
    )
    assert (tenant.held.term_type, tenant.held.term_end) == ("EVERGREEN", None)
    with pytest.raises(RefusedError, match="evergreen"):
        tenant.change(RENEW, orderNumber="O-3")


def test_a_suspended_subscription_only_resumes_or_ends(tenant: Tenant):
    stop = {"suspendPolicy": "SpecificDate", "suspendSpecificDate": "2026-04-01"}
    tenant.change(("Suspend", stop))
    assert tenant.held.status == "Suspended"
    with pytest.raises(RefusedError, match="is suspended"):
        tenant.change(RENEW, orderNumber="O-2")
    go = {"resumePolicy": "SpecificDate", "resumeSpecificDate": "2026-05-01", "extendsTerm": True}
    tenant.change(("Resume", go), orderNumber="O-3")
    assert (tenant.held.status, str(tenant.held.term_end)) == ("Active", "2027-03-31")


def test_an_owner_transfer_moves_the_subscription(tenant: Tenant):
    with pytest.raises(RefusedError, match="Cannot find the account WB-2"):
        tenant.change(("OwnerTransfer", {"destinationAccountNumber": "WB-2"}))
    tenant.order(zuora_order("2"))
    tenant.change(("OwnerTransfer", {"destinationAccountNumber": "WB-2"}))
    assert tenant.state["accounts"]["WB-2"]["subscriptions"] == ["S-2", "S-1"]
    assert tenant.state["accounts"]["WB-1"]["subscriptions"] == []


def test_the_subscription_must_be_the_accounts(tenant: Tenant):
    tenant.order(zuora_order("2"))
    with pytest.raises(RefusedError, match="not of the account WB-2"):
        tenant.change(RENEW, existingAccountNumber="WB-2")


def test_a_closed_period_takes_no_order(tenant: Tenant):
    tenant.books.closed_through = tenant.held.begins.replace(month=6)
    with pytest.raises(RefusedError, match="closed accounting period"):
        tenant.change(RENEW)


def test_a_term_without_a_length_is_refused():
    term = {name: value for name, value in YEAR.items() if name != "period"}
    with pytest.raises(RefusedError, match="period"):
        Tenant().buy(term=term)
