import pytest

from plugins.api import Done, Failed, Reply, Step
from plugins.connectors.salesforce_v3 import SalesforceOptions, salesforce_v3
from schemas.steps import ErrorKind

ACCOUNT, CONTACT = "001xx000003DGb2AAG", "003xx000004TMM2AAO"
OTHER = "001xx000003DGb9AAG"
DATA = "/services/data/v62.0/sobjects"


def step(order, **given):
    options = SalesforceOptions.model_validate(given)
    return Step(id="salesforceV3", order=order, options=options)


def written(reference, record):
    body = {"id": record, "success": True, "errors": []}
    return {"referenceId": reference, "httpStatusCode": 201, "body": body}


def refused(reference, code, message="no", **more):
    body = [{"errorCode": code, "message": message, **more}]
    return {"referenceId": reference, "httpStatusCode": 400, "body": body}


def matched(reference, *records, member="duplicateResult"):
    found = [{"matchConfidence": how, "record": {"Id": record}} for record, how in records]
    result = {"allowSave": False, "matchResults": [{"matchRecords": found}]}
    return refused(reference, "DUPLICATES_DETECTED", **{member: result})


def composite(*parts):
    return Reply(200, {"compositeResponse": list(parts)})


def halted(reference):
    return refused(reference, "PROCESSING_HALTED")


def parts_of(request):
    return {part["referenceId"]: part for part in request.body["compositeRequest"]}


@pytest.mark.parametrize("member", ["duplicateResult", "duplicateResut"])
def test_an_account_that_the_org_matches_is_handed_on_and_left_as_it_is(talk, order, member):
    first = composite(matched("account", (ACCOUNT, 90.0), member=member), halted("contact"))
    second = composite(written("contact", CONTACT))
    asked, outcome = talk(salesforce_v3.perform(step(order())), first, second)
    assert [request.call for request in asked] == ["upsert-customer", "upsert-customer-2"]
    assert parts_of(asked[1]).keys() == {"contact"}
    assert parts_of(asked[1])["contact"]["body"]["AccountId"] == ACCOUNT
    assert outcome.output["crmId"] == ACCOUNT
    assert outcome.output["matched"] == ["account"]
    assert outcome.output["warnings"]


def test_a_contact_that_the_org_matches_brings_its_account(talk, order):
    first = composite(halted("account"), matched("contact", (CONTACT, 100)))
    owner = Reply(200, {"AccountId": ACCOUNT})
    asked, outcome = talk(salesforce_v3.perform(step(order())), first, owner)
    assert (asked[1].method, asked[1].path) == ("GET", f"{DATA}/Contact/{CONTACT}")
    assert outcome.output["accountId"] == ACCOUNT
    assert outcome.output["contactId"] == CONTACT
    assert outcome.output["matched"] == ["account", "contact"]


def test_a_matched_contact_without_an_account_gets_the_buyers(talk, order):
    first = composite(halted("account"), matched("contact", (CONTACT, 100)))
    moved = {"referenceId": "contact", "httpStatusCode": 204, "body": None}
    second = composite(written("account", ACCOUNT), moved)
    alone = Reply(200, {"AccountId": None})
    asked, outcome = talk(salesforce_v3.perform(step(order())), first, alone, second)
    assert parts_of(asked[2])["contact"]["body"] == {"AccountId": "@{account.id}"}
    assert (outcome.output["accountId"], outcome.output["contactId"]) == (ACCOUNT, CONTACT)


def test_a_matched_contact_is_never_moved_from_an_account_that_it_has(talk, order):
    known = step(order(changes={"tracking": {"accountId": ACCOUNT}}))
    first = composite(halted("account"), matched("contact", (CONTACT, 100)))
    second = composite({"referenceId": "account", "httpStatusCode": 204, "body": None})
    asked, outcome = talk(salesforce_v3.perform(known), first, second)
    assert parts_of(asked[1]).keys() == {"account"}
    assert (outcome.output["accountId"], outcome.output["contactId"]) == (ACCOUNT, CONTACT)


def test_a_contact_that_the_order_names_stays_with_its_account(talk, order):
    known = step(order(changes={"tracking": {"contactId": CONTACT}}))
    done = {"httpStatusCode": 204, "body": None}
    written_ = composite({"referenceId": "account", **done}, {"referenceId": "contact", **done})
    asked, outcome = talk(
        salesforce_v3.perform(known), Reply(200, {"AccountId": ACCOUNT}), written_
    )
    assert asked[0].path == f"{DATA}/Contact/{CONTACT}"
    assert parts_of(asked[1])["account"]["url"] == f"{DATA}/Account/{ACCOUNT}"
    assert parts_of(asked[1])["contact"]["body"]["AccountId"] == ACCOUNT
    assert outcome.output["crmId"] == ACCOUNT


def test_a_matched_person_account_has_its_contact_read_back(talk, order):
    first = composite(matched("account", (ACCOUNT, 100)), halted("contact"))
    read = {"referenceId": "contact", "httpStatusCode": 200, "body": {"PersonContactId": CONTACT}}
    person = step(order(), createPersonAccount=True)
    asked, outcome = talk(salesforce_v3.perform(person), first, composite(read))
    assert parts_of(asked[1])["contact"]["url"].startswith(f"{DATA}/Account/{ACCOUNT}")
    assert (outcome.output["accountId"], outcome.output["contactId"]) == (ACCOUNT, CONTACT)


def test_of_several_matches_the_surest_counts(talk, order):
    first = composite(matched("account", (OTHER, 60.0), (ACCOUNT, 95.0)), halted("contact"))
    second = composite(written("contact", CONTACT))
    _, outcome = talk(salesforce_v3.perform(step(order())), first, second)
    assert outcome.output["accountId"] == ACCOUNT


def test_matches_that_are_alike_are_for_people_to_merge(talk, order):
    first = composite(matched("account", (OTHER, 90.0), (ACCOUNT, 90.0)), halted("contact"))
    _, outcome = talk(salesforce_v3.perform(step(order())), first)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "several_matches")
    assert ACCOUNT in outcome.message
    assert OTHER in outcome.message


def test_a_match_that_may_not_be_seen_is_not_guessed(talk, order):
    _, outcome = talk(salesforce_v3.perform(step(order())), composite(matched("account")))
    assert outcome.code == "several_matches"


def test_without_the_orgs_rules_a_duplicate_is_a_refusal(talk, order):
    at = step(order(), useDuplicateRules=False)
    _, outcome = talk(salesforce_v3.perform(at), composite(matched("account", (ACCOUNT, 100))))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "DUPLICATES_DETECTED")


def test_a_record_that_the_order_names_does_without_our_id_where_another_has_it(talk, order):
    taken = "duplicate value found: External_Id__c duplicates value on record with id: 001"
    known = step(order("orders/known-in-crm"))
    done = {"httpStatusCode": 204, "body": None}
    second = composite({"referenceId": "account", **done}, {"referenceId": "contact", **done})
    first = composite(refused("account", "DUPLICATE_VALUE", taken), halted("contact"))
    asked, outcome = talk(salesforce_v3.perform(known), first, second)
    assert all("External_Id__c" not in part["body"] for part in parts_of(asked[1]).values())
    assert outcome.output["crmId"] == "0015400000Aa1BcAAJ"
    assert "merge" in outcome.output["warnings"][0]


@pytest.mark.parametrize(
    "message",
    [
        "duplicate value found: External_Id__c duplicates value on record with id: 001",
        "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
    ],
)
def test_two_first_upserts_that_race_are_worth_another_attempt(talk, order, message):
    first = composite(refused("account", "DUPLICATE_VALUE", message), halted("contact"))
    _, outcome = talk(salesforce_v3.perform(step(order())), first)
    assert outcome == Failed(ErrorKind.CONTENTION, "DUPLICATE_VALUE", message)


def test_the_value_of_another_unique_field_does_not_become_free_by_waiting(talk, order):
    message = "duplicate value found: Loyalty_Number__c duplicates value on record with id: 001"
    first = composite(halted("account"), refused("contact", "DUPLICATE_VALUE", message))
    _, outcome = talk(salesforce_v3.perform(step(order())), first)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "DUPLICATE_VALUE")


def test_an_address_that_the_orgs_picklists_do_not_have_is_left_out_loudly(talk, order):
    message = "There's a problem with this country, even though it may appear correct."
    first = composite(refused("account", "FIELD_INTEGRITY_EXCEPTION", message), halted("contact"))
    second = composite(written("account", ACCOUNT), written("contact", CONTACT))
    billed = step(order(), includeBillingDetails=True)
    asked, outcome = talk(salesforce_v3.perform(billed), first, second)
    assert "BillingCountry" in parts_of(asked[0])["account"]["body"]
    assert "BillingCountry" not in parts_of(asked[1])["account"]["body"]
    assert "billing address" in outcome.output["warnings"][0]


def test_a_change_that_names_nobody_looks_up_whose_it_is(talk, order):
    cancel = order(
        changes={
            "order_type": "cancel_subscription",
            "customerDetails": {},
            "billingDetails": {},
            "tracking": {},
        }
    )
    [asked], outcome = talk(
        salesforce_v3.perform(step(cancel)),
        Reply(200, {"Id": CONTACT, "AccountId": ACCOUNT}),
    )
    assert (asked.method, asked.path) == ("GET", f"{DATA}/Contact/External_Id__c/id-41")
    assert outcome == Done(accountId=ACCOUNT, contactId=CONTACT, crmId=ACCOUNT)
    _, outcome = talk(salesforce_v3.perform(step(cancel)), Reply(404, [{"errorCode": "NOT_FOUND"}]))
    assert outcome.output.keys() == {"warnings"}


def test_a_change_that_names_its_records_asks_nothing(talk, order):
    named = {"accountId": ACCOUNT, "contactId": CONTACT}
    changes = {"order_type": "renew", "customerDetails": {}, "billingDetails": {}}
    cancel = order(changes={**changes, "tracking": named})
    asked, outcome = talk(salesforce_v3.perform(step(cancel)))
    assert asked == []
    assert outcome.output["crmId"] == ACCOUNT
