"""The org's duplicate rules: whom they stop, and whom they let pass."""

import pytest

from waybill.sandbox.salesforce_records import Records, RefusedError


def person(email: str) -> dict[str, str]:
    return {"LastName": "Byron", "PersonEmail": email}


def test_a_second_person_of_one_address_is_a_duplicate_with_the_first_ones_id():
    records = Records()
    first = records.create("Account", person("ada@duplicate.test"))
    with pytest.raises(RefusedError) as refused:
        records.upsert("Account", "External_Id__c", "2", person("ADA@duplicate.test"))
    (fault,) = refused.value.faults
    (result,) = fault.more["duplicateResult"]["matchResults"]
    assert fault.code == "DUPLICATES_DETECTED"
    assert [one["record"]["Id"] for one in result["matchRecords"]] == [first]


def test_an_alerting_rule_lets_pass_on_request_a_blocking_one_never():
    records = Records()
    records.lets_duplicates_pass = True
    for domain in ("duplicate.test", "blocked.test"):
        records.create("Contact", {"LastName": "Byron", "Email": f"ada@{domain}"})
    records.create("Contact", {"LastName": "King", "Email": "ada@duplicate.test"})
    with pytest.raises(RefusedError):
        records.create("Contact", {"LastName": "King", "Email": "ada@blocked.test"})


def test_companies_are_watched_by_their_name_and_nobody_else_is():
    records = Records()
    records.create("Account", {"Name": "Duplicate Ltd"})
    with pytest.raises(RefusedError):
        records.create("Account", {"Name": "duplicate ltd"})
    records.create("Account", {"Name": "Byron Ltd"})
    records.create("Account", {"Name": "Byron Ltd"})
