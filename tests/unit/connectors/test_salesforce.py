from plugins.api import Done, Failed, Reply, Step
from plugins.connectors.salesforce_v3 import SalesforceOptions, external_id, salesforce_v3
from plugins.salesforce import errors
from schemas.steps import ErrorKind

ACCOUNT, CONTACT = "001xx000003DGb2AAG", "003xx000004TMM2AAO"


def step(order, **given):
    options = SalesforceOptions.model_validate(given)
    return Step(id="salesforceV3", order=order, options=options)


def written(reference, record, status=201):
    body = {"id": record, "success": True, "errors": []} if record else None
    return {"referenceId": reference, "httpStatusCode": status, "body": body}


def refused(reference, code, message="no", status=400):
    body = [{"errorCode": code, "message": message}]
    return {"referenceId": reference, "httpStatusCode": status, "body": body}


def composite(*parts):
    return Reply(200, {"compositeResponse": list(parts)})


BOTH = composite(written("account", ACCOUNT), written("contact", CONTACT))


def parts_of(talk, at, reply=BOTH):
    [asked], _ = talk(salesforce_v3.perform(at), reply)
    return {part["referenceId"]: part for part in asked.body["compositeRequest"]}


def test_account_and_contact_are_written_together_or_not_at_all(talk, order):
    [asked], outcome = talk(salesforce_v3.perform(step(order())), BOTH)
    assert asked.path == "/services/data/v62.0/composite"
    assert (asked.body["allOrNone"], asked.body["collateSubrequests"]) == (True, False)
    assert outcome == Done(accountId=ACCOUNT, contactId=CONTACT, crmId=ACCOUNT)


def test_records_are_found_by_our_id_which_is_not_in_the_body(talk, order):
    parts = parts_of(talk, step(order()))
    account, contact = parts["account"], parts["contact"]
    assert account["url"] == "/services/data/v62.0/sobjects/Account/External_Id__c/id-41"
    assert account["body"] == {"Name": "Maren Tidewell"}
    assert contact["url"].endswith("/sobjects/Contact/External_Id__c/id-41")
    assert contact["body"] == {
        "FirstName": "Maren",
        "LastName": "Tidewell",
        "Email": "maren.tidewell@example.com",
        "Phone": "+44 20 7946 0158",
        "AccountId": "@{account.id}",
    }


def test_records_that_the_order_names_get_our_id_and_keep_their_name(talk, order):
    known = order("orders/known-in-crm")
    buyer = {"firstName": "Tobias", "lastName": "Quillfeather"}
    parts = parts_of(talk, step({**known, "customerDetails": buyer}))
    assert parts["account"]["url"].endswith("/sobjects/Account/0015400000Aa1BcAAJ")
    assert parts["account"]["body"] == {"External_Id__c": "id-41"}
    assert parts["contact"]["body"]["AccountId"] == "0015400000Aa1BcAAJ"
    assert parts["contact"]["body"]["External_Id__c"] == "id-41"


def test_updates_by_id_answer_without_a_body(talk, order):
    known = step(order("orders/known-in-crm"))
    reply = composite(written("account", None, 204), written("contact", None, 204))
    _, outcome = talk(salesforce_v3.perform(known), reply)
    assert outcome == Done(
        accountId="0015400000Aa1BcAAJ",
        contactId="0035400000Aa1DeAAJ",
        crmId="0015400000Aa1BcAAJ",
    )


def test_what_is_no_record_id_is_not_put_into_an_address(talk, order):
    parts = parts_of(talk, step(order(changes={"tracking": {"accountId": "../Lead/1"}})))
    assert parts["account"]["url"].endswith("/Account/External_Id__c/id-41")


def test_a_person_account_has_its_contact_read_back(talk, order):
    person = step(
        order(), createPersonAccount=True, accountOptions={"recordTypeName": "Subscriber"}
    )
    read = {"referenceId": "contact", "httpStatusCode": 200, "body": {"PersonContactId": CONTACT}}
    reply = composite(written("account", ACCOUNT), read)
    parts = parts_of(talk, person, reply)
    assert parts["account"]["body"] == {
        "FirstName": "Maren",
        "LastName": "Tidewell",
        "PersonEmail": "maren.tidewell@example.com",
        "Phone": "+44 20 7946 0158",
        "RecordType": {"Name": "Subscriber"},
    }
    assert parts["contact"]["method"] == "GET"
    _, outcome = talk(salesforce_v3.perform(person), reply)
    assert outcome == Done(accountId=ACCOUNT, contactId=CONTACT, crmId=ACCOUNT)


def test_billing_details_are_written_where_wanted(talk, order):
    body = parts_of(talk, step(order(), includeBillingDetails=True))["account"]["body"]
    assert body["BillingStreet"] == "12 Lantern Row, Flat 3"
    assert body["BillingPostalCode"] == "TR99 4ZZ"


def test_an_alerting_duplicate_rule_passes_only_where_wanted(talk, order):
    [asked], _ = talk(salesforce_v3.perform(step(order())), BOTH)
    assert not asked.headers
    [asked], _ = talk(salesforce_v3.perform(step(order(), allowDuplicates=True)), BOTH)
    assert asked.headers["Sforce-Duplicate-Rule-Header"].startswith("allowSave=true")


def test_the_external_id_is_the_owner_else_follows_from_the_customer(order):
    nobody = {**order(), "owner": None}
    first = external_id(nobody, "default")
    shouting = {**nobody, "customerDetails": {"email": "MAREN.TIDEWELL@example.com"}}
    assert external_id(order(), "default") == "id-41"
    assert external_id(shouting, "default") == first
    assert external_id(nobody, "other") != first
    assert "maren" not in first


def test_a_halted_part_reports_the_one_that_failed(talk, order):
    reply = composite(
        refused("account", "PROCESSING_HALTED"), refused("contact", "STRING_TOO_LONG", "LastName")
    )
    _, outcome = talk(salesforce_v3.perform(step(order())), reply)
    assert outcome == Failed(ErrorKind.PERMANENT, "STRING_TOO_LONG", "LastName")


def test_several_records_with_our_id_are_for_people_to_merge(talk, order):
    several = {"referenceId": "account", "httpStatusCode": 300, "body": ["/a", "/b"]}
    _, outcome = talk(salesforce_v3.perform(step(order())), composite(several))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "SEVERAL_RECORDS")


def test_a_row_lock_is_recognised_inside_a_triggers_error():
    message = "OrderTrigger: UNABLE_TO_LOCK_ROW, record unavailable"
    found = errors(Reply(400, [{"errorCode": "CANNOT_INSERT", "message": message}]))
    assert found is not None
    assert found.kind is ErrorKind.CONTENTION


def test_an_order_that_names_nobody_is_refused_before_anything_is_sent(talk, order):
    empty = order(changes={"customerDetails": {}, "billingDetails": {}})
    asked, outcome = talk(salesforce_v3.perform(step(empty)))
    assert not asked
    assert isinstance(outcome, Failed)
    assert "customerDetails.lastName" in outcome.message
