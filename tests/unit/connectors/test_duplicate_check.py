import pytest

from plugins.api import Done, PartnerSurpriseError, Reply, Step
from plugins.connectors.duplicate_subscription_check import (
    CheckOptions,
    duplicate_subscription_check,
)
from schemas.steps import ErrorKind

CRM = "001xx000003DGb2AAG"
CHECKED = Done(checked=["HJ.DIGITAL", "HJ.PRINT"])
ACCOUNTS = Reply(200, {"data": [{"id": "8ad1", "accountNumber": "W-1"}]})
NOBODY = Reply(200, {"data": []})


def step(order, crm=CRM, **given):
    options = CheckOptions.model_validate(given)
    context = {"salesforceV3": {"crmId": crm}} if crm else {}
    return Step(id="check", order=order, options=options, context=context)


def subscriptions(*held, **more):
    return Reply(200, {"success": True, "subscriptions": list(held), **more})


def held(status="Active", number="SUBOLD", **plan):
    plans = [plan or {"productSku": "HJ.DIGITAL", "lastChangeType": "New"}]
    return {"subscriptionNumber": number, "status": status, "ratePlans": plans}


def outcome_of(talk, order, *replies, **given):
    return talk(duplicate_subscription_check.perform(step(order, **given)), *replies)[1]


def test_zuora_is_asked_for_the_accounts_of_the_crm_id(talk, order):
    asked, outcome = talk(duplicate_subscription_check.perform(step(order())), NOBODY)
    assert [(one.method, one.path, one.query["filter[]"]) for one in asked] == [
        ("GET", "/object-query/accounts", f"crmid.EQ:{CRM}")
    ]
    assert outcome == CHECKED


def test_who_has_the_product_is_stopped_with_words_for_the_buyer(talk, order):
    outcome = outcome_of(talk, order(), ACCOUNTS, subscriptions(held()))
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "duplicate_subscription")
    assert "SUBOLD" in outcome.message
    assert "already" in outcome.buyer_message
    own = outcome_of(talk, order(), ACCOUNTS, subscriptions(held()), buyerMessage="No.")
    assert own.buyer_message == "No."


@pytest.mark.parametrize(
    "found",
    [
        held(status="Cancelled"),
        held(productSku="ANOTHER", productName="Another"),
        held(productSku="HJ.DIGITAL", lastChangeType="Remove"),
        held(number="SUBK3V7Q2WXA"),
        held(number="SUBK3V7Q2WXA-2"),
    ],
    ids=["cancelled", "another product", "removed", "this order's", "this order's second"],
)
def test_what_is_in_nobodys_way(talk, order, found):
    assert outcome_of(talk, order(), ACCOUNTS, subscriptions(found)) == CHECKED


@pytest.mark.parametrize(
    "plan", [{"productSku": "hj.print"}, {"productName": "Harbour Journal Print"}]
)
def test_a_product_is_known_by_code_or_name(talk, order, plan):
    outcome = outcome_of(talk, order(), ACCOUNTS, subscriptions(held(**plan)))
    assert outcome.code == "duplicate_subscription"


def test_a_single_products_rate_plan_tells_it_a_bundles_does_not(talk, order):
    sold = order()
    bundle = held(ratePlanName="UK-UK Bundle Quarterly")
    assert outcome_of(talk, sold, ACCOUNTS, subscriptions(bundle)) == CHECKED
    [item] = sold["orderItems"]
    single = {**sold, "orderItems": [{**item, "products": item["products"][:1]}]}
    outcome = outcome_of(talk, single, ACCOUNTS, subscriptions(bundle))
    assert outcome.code == "duplicate_subscription"


def test_all_pages_of_all_accounts_are_read(talk, order):
    accounts = Reply(200, {"data": [{"accountNumber": "W-1"}, {"id": "8ad2"}]})
    first = subscriptions(held(status="Cancelled"), nextPage="https://rest.example.test/next")
    asked, outcome = talk(
        duplicate_subscription_check.perform(step(order())),
        accounts,
        first,
        subscriptions(),
        subscriptions(held()),
    )
    assert [(one.path, one.query.get("page")) for one in asked[1:]] == [
        ("/v1/subscriptions/accounts/W-1", "1"),
        ("/v1/subscriptions/accounts/W-1", "2"),
        ("/v1/subscriptions/accounts/8ad2", "1"),
    ]
    assert outcome.code == "duplicate_subscription"


def test_only_products_that_may_be_bought_once_are_checked(talk, order):
    free = order()
    for product in free["orderItems"][0]["products"]:
        product["attributes"]["block_multiple__limio"] = False
    assert talk(duplicate_subscription_check.perform(step(free))) == ([], Done(checked=[]))
    outcome = outcome_of(talk, free, ACCOUNTS, subscriptions(held()), allProducts=True)
    assert outcome.code == "duplicate_subscription"


def test_changes_pass(talk, order):
    change = order(changes={"order_type": "change_offer"})
    assert talk(duplicate_subscription_check.perform(step(change))) == ([], Done(checked=[]))


def test_without_a_crm_id_the_configuration_is_wrong(talk, order):
    outcome = outcome_of(talk, order(changes={"tracking": {}}), crm=None)
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "crm_id_missing")


@pytest.mark.parametrize("crm", ["001,002", "001] or", "a b"])
def test_what_is_no_id_is_not_put_into_a_query(talk, order, crm):
    assert outcome_of(talk, order(), crm=crm).code == "crm_id_missing"


def test_a_list_of_the_tenants_own_is_asked_instead(talk, order):
    at = "https://crm.example.org/subscriptions"
    found = {"subscription": "S-1", "status": "active", "products": ["hj.print"]}
    [asked], outcome = talk(
        duplicate_subscription_check.perform(step(order(), endpoint=at)),
        Reply(200, {"items": [found]}),
    )
    assert (asked.path, asked.query) == (at, {"crmId": CRM})
    assert outcome.code == "duplicate_subscription"
    assert "S-1" in outcome.message


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, "text"])
def test_an_answer_that_cannot_be_read_is_not_an_empty_one(talk, order, body):
    with pytest.raises(PartnerSurpriseError):
        outcome_of(talk, order(), Reply(200, body))
