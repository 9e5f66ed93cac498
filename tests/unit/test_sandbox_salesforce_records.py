"""The org's records: ids, external ids, references and the way back."""

from typing import Any

import pytest

from waybill.sandbox.salesforce_query import parse
from waybill.sandbox.salesforce_records import Records, RefusedError, with_check


def refusal(action: Any, *arguments: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        action(*arguments)
    return refused.value.faults[0].code


@pytest.mark.parametrize("known", ["0015400000k3Y70AAE", "0035400000kbH8CAAU"])
def test_the_check_characters_are_salesforces_own(known: str):
    assert with_check(known[:15]) == known


def test_an_upsert_creates_once_then_updates():
    records = Records()
    key, created, changed = records.upsert("Account", "Ext__c", "c-1", {"Name": "Ada"})
    assert (key[:3], len(key), created, changed) == ("001", 18, True, True)
    assert records.upsert("Account", "Ext__c", "c-1", {"Name": "Ada"}) == (key, False, False)
    assert records.upsert("Account", "Ext__c", "C-1", {"Name": "Bob"}) == (key, False, True)


def test_contacts_have_their_own_prefix():
    assert Records().create("Contact", {"LastName": "Byron"}).startswith("003")


def test_the_id_of_an_upserted_record_is_the_same_after_a_restart():
    first, second = Records(), Records()
    second.create("Account", {"Name": "Somebody else"})
    body = {"Name": "Ada"}
    assert first.upsert("Account", "E__c", "1", body) == second.upsert("Account", "E__c", "1", body)


def test_the_parent_can_be_named_by_its_external_id():
    records = Records()
    account, _, _ = records.upsert("Account", "Ext__c", "c-1", {"Name": "Ada"})
    contact = records.create("Contact", {"LastName": "Byron", "Account": {"Ext__c": "c-1"}})
    assert (records.get("Contact", contact) or {})["AccountId"] == account
    orphan = {"LastName": "Byron", "Account": {"Ext__c": "c-2"}}
    assert refusal(records.create, "Contact", orphan) == "INVALID_FIELD"


def test_a_well_formed_id_from_outside_is_a_record_the_org_had_before():
    records = Records()
    assert records.update("Account", "0015400000k3Y70", {"Ext__c": "c-1"})
    assert records.upsert("Account", "Ext__c", "c-1", {})[0] == "0015400000k3Y70AAE"


def test_a_person_account_brings_its_contact():
    records = Records()
    body = {"FirstName": "Ada", "LastName": "Byron", "RecordType": {"Name": "Person"}}
    account = records.get("Account", records.create("Account", body))
    assert account is not None
    assert account["PersonContactId"].startswith("003")


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("Account", {}, "REQUIRED_FIELD_MISSING"),
        ("Contact", {"FirstName": "Ada"}, "REQUIRED_FIELD_MISSING"),
        ("Account", {"Name": "Ada", "Nickname": "A"}, "INVALID_FIELD"),
        ("Contact", {"LastName": "B", "PersonEmail": "a@b"}, "INVALID_FIELD"),
        ("Account", {"Name": "A", "CreatedDate": "now"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Account", {"Name": "A" * 256}, "STRING_TOO_LONG"),
        ("Account", {"Name": 7}, "JSON_PARSER_ERROR"),
        ("Account", {"Name": "A", "AnnualRevenue": "7"}, "JSON_PARSER_ERROR"),
        ("Contact", {"LastName": "B", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ("Contact", {"LastName": "B", "AccountId": "0035400000kbH8C"}, "MALFORMED_ID"),
        ("Wish", {"Name": "A"}, "NOT_FOUND"),
    ],
)
def test_what_salesforce_refuses_has_its_code(kind: str, body: dict[str, Any], code: str):
    assert refusal(Records().create, kind, body) == code


def test_an_external_id_must_be_a_custom_field_and_stay_out_of_the_body():
    records = Records()
    assert refusal(records.upsert, "Account", "Name", "c", {"Name": "A"}) == "NOT_FOUND"
    assert refusal(records.upsert, "Account", "E__c", "c", {"E__c": "c"}) == "INVALID_FIELD"


def test_two_records_never_share_an_external_id():
    records = Records()
    records.upsert("Account", "E__c", "c-1", {"Name": "Ada"})
    assert refusal(records.create, "Account", {"Name": "B", "E__c": "c-1"}) == "DUPLICATE_VALUE"


def test_changes_can_be_taken_back():
    records = Records()
    key, _, _ = records.upsert("Account", "E__c", "c-1", {"Name": "Ada"})
    records.begin()
    records.upsert("Account", "E__c", "c-1", {"Name": "Bob"})
    records.upsert("Account", "E__c", "c-2", {"Name": "Eve"})
    records.roll_back()
    assert records.get("Account", key) == {"Id": key, "Name": "Ada", "E__c": "c-1"}
    assert records.find("Account", "E__c", "c-2") == []
    assert [found["Id"] for found in records.find("Account", "Name", "ada")] == [key]


def test_a_query_is_read_with_its_escapes():
    query = parse(r"SELECT Id, Name FROM Account WHERE Name='O\'Hara' AND E__c = 'a\\b' LIMIT 2")
    assert query is not None
    assert query.fields == ["Id", "Name"]
    assert query.conditions == [("Name", "O'Hara"), ("E__c", "a\\b")]
    assert query.limit == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT FROM Account",
        "SELECT Id FROM Account WHERE Name=O'Hara'",
        "SELECT Id FROM Account WHERE Name='a' OR Name='b'",
        "SELECT Id FROM Account WHERE Name='a'' LIMIT 1",
        "DELETE FROM Account",
    ],
)
def test_what_is_no_query_is_not_read(text: str):
    assert parse(text) is None
