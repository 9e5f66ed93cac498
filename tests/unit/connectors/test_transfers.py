import pytest

from plugins.api import Done, NoOptions, Reply, Step, Unknown
from plugins.connectors.transfer_contact import TransferOptions, transfer_contact
from plugins.connectors.transfer_ownership import transfer_ownership
from schemas.steps import ErrorKind

CRM, CONTACT = "001xx000003DGb2AAG", "003xx000004TMM2AAO"
MADE, HERS, NUMBER = "W-7Q2KX5M9ADLP", "W-HERS", "7Q2KX5M9ADLP-transferOwnership"
SOLD = {
    "salesforceV3": {"crmId": CRM, "contactId": CONTACT},
    "zuora": {"subscriptionNumbers": ["SUB1", "SUB2"], "accountNumber": MADE},
}


def step(order, context=SOLD, **mapped):
    return Step(
        id="transferOwnership", order=order, options=NoOptions(), context=context, mapped=mapped
    )


def of(account, **more):
    return Reply(200, {"success": True, "accountNumber": account, **more})


def accounts(*numbers):
    return Reply(200, {"data": [{"accountNumber": number} for number in numbers]})


ORDERED = Reply(200, {"success": True, "orderNumber": NUMBER, "status": "Completed"})


def test_all_that_was_sold_goes_to_the_customers_account_in_one_order(talk, order):
    asked, outcome = talk(
        transfer_ownership.perform(step(order())), of(MADE), of(MADE), accounts(MADE, HERS), ORDERED
    )
    body = asked[-1].body
    assert (body["orderNumber"], body["existingAccountNumber"]) == (NUMBER, MADE)
    moved = {}
    for subscription in body["subscriptions"]:
        [action] = subscription["orderActions"]
        moved[subscription["subscriptionNumber"]] = action["ownerTransfer"]
        assert action["type"] == "OwnerTransfer"
        assert {one["triggerDate"] for one in action["triggerDates"]} == {"2026-11-20"}
    to = {"destinationAccountNumber": HERS, "destinationInvoiceAccountNumber": HERS}
    assert moved == {"SUB1": to, "SUB2": to}
    assert outcome == Done(
        transferred=["SUB1", "SUB2"], accountNumber=HERS, orderNumber=NUMBER, status="Completed"
    )


def test_who_has_no_other_account_keeps_this_one(talk, order):
    asked, outcome = talk(
        transfer_ownership.perform(step(order())), of(MADE), of(MADE), accounts(MADE)
    )
    assert all(one.method == "GET" for one in asked)
    assert outcome == Done(transferred=[], accountNumber=MADE)


def test_the_entry_can_name_both_sides(talk, order):
    at = step(order(), subscriptionNumber="SUB9", accountNumber=HERS)
    asked, outcome = talk(transfer_ownership.perform(at), of("W-OLD"), ORDERED)
    assert [one.path for one in asked] == ["/v1/subscriptions/SUB9", "/v1/orders"]
    assert outcome.output["transferred"] == ["SUB9"]


def test_several_accounts_of_the_customer_are_for_a_person_to_choose_from(talk, order):
    _, outcome = talk(
        transfer_ownership.perform(step(order())), of(MADE), of(MADE), accounts(HERS, "W-3", MADE)
    )
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "several_accounts")


def test_what_an_earlier_attempt_did_is_not_done_back(talk, order):
    moved = {"type": "OwnerTransfer", "ownerTransfer": {"destinationAccountNumber": HERS}}
    made = {
        "status": "Completed",
        "subscriptions": [{"subscriptionNumber": "SUB1", "orderActions": [moved]}],
    }
    asked, outcome = talk(
        transfer_ownership.perform(step(order())),
        of(HERS, orderNumber=NUMBER),
        Reply(200, {"success": True, "order": made}),
    )
    assert all(one.method == "GET" for one in asked)
    assert outcome.output["transferred"] == ["SUB1"]
    assert outcome.output["accountNumber"] == HERS


def test_an_order_with_our_number_that_is_no_transfer_is_not_adopted(talk, order):
    alien = {"status": "Completed", "subscriptions": [{"subscriptionNumber": "SUB9"}]}
    reply = Reply(200, {"success": True, "order": alien})
    _, outcome = talk(transfer_ownership.look_up(step(order())), reply)
    assert outcome.code == "order_number_taken"


def test_an_answer_about_another_order_leaves_it_open(talk, order):
    other = Reply(200, {"success": True, "orderNumber": "ANOTHER"})
    at = step(order(), subscriptionNumber="SUB9", accountNumber=HERS)
    _, outcome = talk(transfer_ownership.perform(at), of("W-OLD"), other)
    assert isinstance(outcome, Unknown)


def test_a_subscription_that_zuora_does_not_have_cannot_be_transferred(talk, order):
    missing = Reply(404, {"success": False, "reasons": [{"code": 50000040, "message": "none"}]})
    _, outcome = talk(transfer_ownership.perform(step(order())), missing)
    assert outcome.code == "subscription_unknown"


def test_nobody_to_transfer_to_is_a_fault_of_the_configuration(talk, order):
    context = {"zuora": {"subscriptionNumbers": ["SUB1"]}}
    _, outcome = talk(transfer_ownership.perform(step(order(), context)), of(MADE))
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "crm_id_missing")


def contact_step(order, context=SOLD):
    return Step(id="transferContact", order=order, options=TransferOptions(), context=context)


@pytest.mark.parametrize(("held", "moved"), [(CRM, False), (CRM[:15], False), ("001other", True)])
def test_a_contact_is_moved_where_it_is_elsewhere(talk, order, held, moved):
    replies = [Reply(200, {"AccountId": held})]
    replies += [Reply(204, None)] if moved else []
    replies += [Reply(200, {"External_Id__c": "id-hers"})]
    asked, outcome = talk(transfer_contact.perform(contact_step(order())), *replies)
    assert [one.body for one in asked if one.method == "PATCH"] == (
        [{"AccountId": CRM}] if moved else []
    )
    assert outcome == Done(accountId=CRM, moved=moved, contactId=CONTACT, newOwner="id-hers")


def test_a_contact_goes_nowhere_without_an_account(talk, order):
    asked, outcome = talk(transfer_contact.perform(contact_step(order(), context={})))
    assert asked == []
    assert outcome.code == "crm_id_missing"
