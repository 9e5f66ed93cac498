import pytest

from plugins.api import Done, Failed, NotDone, Unknown
from plugins.connectors.zuora import zuora
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_shapes import COMMENT
from tests.unit.connectors.zuora_talk import (
    ABSENT,
    FEE,
    METHOD,
    OK,
    attributes,
    created,
    paths,
    refused,
    said,
    says_no,
    step,
)

OPENED = said(accountId="8acc", accountNumber="W-7Q2KX5M9ADLP")
TAKEN = says_no(51700330, "The number already exists.")


def debit(balance=55, **members):
    return said(
        **{
            "number": "DM-SUBK3V7Q2WXA",
            "accountNumber": "W-7Q2KX5M9ADLP",
            "accountId": "8acc",
            "amount": 55,
            "balance": balance,
            "currency": "GBP",
            "comment": COMMENT,
            "status": "Posted",
            **members,
        }
    )


def there(method):
    basic = {"id": "8acc", "accountNumber": "W-7Q2KX5M9ADLP"}
    return said(basicInfo=basic, billingAndPayment={"defaultPaymentMethodId": method})


COLLECTED = said(processedPayment={"number": "P-1", "status": "Processed", "amount": 55})


@pytest.fixture
def gift(order):
    return lambda **changes: order(changes={"isGift": True, **changes})


def test_a_gift_is_an_account_with_its_method_and_a_debit_memo(talk, gift):
    mapped = {"customFields": {"account": {"Key__c": "a"}, "memo": {"Key__c": "m"}}}
    at = step(gift(giftCode="G-1"), mapped=mapped, customFields=["GiftCode__c"])
    asked, outcome = talk(zuora.perform(at), OPENED, debit())
    assert paths(asked) == ["POST /v1/accounts", "POST /v1/debit-memos"]
    account = asked[0].body
    assert account["hpmCreditCardPaymentMethodId"] == METHOD
    assert (account["autoPay"], account["Key__c"]) == (True, "a")
    assert account["billToContact"]["zipCode"] == "TR99 4ZZ"
    assert "customFields" not in account
    assert asked[1].body == {
        "accountNumber": "W-7Q2KX5M9ADLP",
        "number": "DM-SUBK3V7Q2WXA",
        "effectiveDate": "2026-11-20",
        "dueDate": "2026-11-20",
        "currency": "GBP",
        "autoPost": True,
        "autoPay": True,
        "reasonCode": "Gifting",
        "comment": COMMENT,
        "GiftCode__c": "G-1",
        "Key__c": "m",
        "charges": [
            {
                "productRatePlanChargeId": FEE,
                "amount": 55,
                "quantity": 1,
                "serviceStartDate": "2026-12-01",
                "serviceEndDate": "2027-02-28",
            }
        ],
    }
    assert outcome == Done(
        status="Posted",
        debitMemoNumber="DM-SUBK3V7Q2WXA",
        amount="55.00",
        currency="GBP",
        accountNumber="W-7Q2KX5M9ADLP",
        accountId="8acc",
    )


def test_the_type_of_its_offers_makes_a_gift_as_well(talk, order):
    typed = order()
    attributes(typed)["offer_type__limio"] = "present"
    at = step(typed, giftOfferTypes=["present"])
    asked, _ = talk(zuora.perform(at), OPENED, debit())
    assert paths(asked)[1] == "POST /v1/debit-memos"


def test_a_gift_beside_another_offer_needs_an_entry_of_its_own(talk, order):
    mixed = order("orders/two-offers")
    attributes(mixed)["offer_type__limio"] = "gift"
    assert refused(talk, step(mixed)).code == "gift_mixed"


def test_a_gift_without_a_price_is_refused(talk, gift):
    free = gift()
    attributes(free)["price__limio"][0]["value"] = "0"
    outcome = refused(talk, step(free))
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "amount")


def test_what_is_collected_at_once_is_not_left_to_a_payment_run(talk, gift):
    at = step(gift(), collectPayment=True, paymentGatewayId="8ae9")
    asked, outcome = talk(zuora.perform(at), OPENED, debit(), COLLECTED)
    assert asked[1].body["autoPay"] is False
    assert asked[2].path == "/v1/debit-memos/DM-SUBK3V7Q2WXA/collect"
    paid_by = {"paymentMethodId": METHOD, "gatewayId": "8ae9"}
    assert asked[2].body == {"collect": True, "applyCredit": False, "payment": paid_by}
    assert (outcome.output["paymentNumber"], outcome.output["paidAmount"]) == ("P-1", "55.00")


def test_a_decline_inside_a_success_is_the_buyers_to_settle(talk, gift):
    declined = said(processedPayment={"status": "Error", "gatewayResponse": "Do not honor"})
    at = step(gift(), collectPayment=True)
    _, outcome = talk(zuora.perform(at), OPENED, debit(), declined)
    assert (outcome.kind, outcome.code) == (ErrorKind.DECLINED, "payment_failed")


def test_what_an_earlier_attempt_opened_and_billed_is_adopted(talk, gift):
    at = step(gift(), collectPayment=True)
    replies = (TAKEN, there(METHOD), TAKEN, debit(balance=0))
    asked, outcome = talk(zuora.perform(at), *replies)
    assert not any(request.path.endswith("collect") for request in asked)
    assert outcome.output["paidAmount"] == "55.00"


def test_an_account_of_an_earlier_attempt_takes_the_card_that_the_order_has_now(talk, gift):
    answered = said(**{**OPENED.body, "paymentMethodId": "8adold"})
    for before in ((TAKEN, there("8adold")), (answered,)):
        asked, _ = talk(zuora.perform(step(gift())), *before, OK, OK, debit())
        assert paths(asked)[len(before) : len(before) + 2] == [
            f"PUT /v1/payment-methods/{METHOD}",
            "PUT /v1/accounts/W-7Q2KX5M9ADLP",
        ]


def test_a_memo_of_somebody_elses_is_not_adopted(talk, gift):
    replies = (OPENED, TAKEN, debit(comment="another"))
    _, outcome = talk(zuora.perform(step(gift())), *replies)
    assert isinstance(outcome, Failed)
    assert outcome.code == "memo_number_taken"


def test_an_account_that_exists_takes_the_new_method(talk, gift):
    asked, _ = talk(zuora.perform(step(gift(), accountNumber="A1")), OK, OK, debit())
    assert paths(asked) == [
        f"PUT /v1/payment-methods/{METHOD}",
        "PUT /v1/accounts/A1",
        "POST /v1/debit-memos",
    ]


def test_a_refused_account_ends_the_step_without_a_memo(talk, gift):
    asked, outcome = talk(zuora.perform(step(gift())), says_no(51100320))
    assert len(asked) == 1
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "51100320")


def test_after_an_unknown_outcome_the_memo_tells(talk, gift):
    _, outcome = talk(zuora.look_up(step(gift())), debit())
    assert outcome.output["debitMemoNumber"] == "DM-SUBK3V7Q2WXA"
    assert outcome.output["accountNumber"] == "W-7Q2KX5M9ADLP"
    _, outcome = talk(zuora.look_up(step(gift())), ABSENT)
    assert outcome == NotDone()
    _, outcome = talk(zuora.look_up(step(gift())), debit(comment="another"))
    assert outcome.code == "memo_number_taken"


@pytest.mark.parametrize(
    ("payments", "is_done"), [([], False), ([{"status": "Processing", "amount": 55}], True)]
)
def test_a_payment_that_is_under_way_is_not_asked_for_again(talk, gift, payments, is_done):
    at = step(gift(), collectPayment=True)
    _, outcome = talk(zuora.look_up(at), debit(), said(payments=payments))
    assert isinstance(outcome, Done if is_done else NotDone)


def test_a_gift_is_redeemed_for_nothing_once_and_without_a_method(body, order):
    redeeming = order(changes={"isRedeem": True, "isGift": True})
    sent = body(step(redeeming, collectPayment=True))
    assert sent["newAccount"]["autoPay"] is False
    assert "hpmCreditCardPaymentMethodId" not in sent["newAccount"]
    assert sent["processingOptions"] == {"runBilling": False}
    assert created(sent)["terms"]["autoRenew"] is False
    [plan] = created(sent)["subscribeToRatePlans"]
    assert plan["chargeOverrides"][0]["pricing"]["recurringFlatFee"]["listPrice"] == 0


def test_an_answer_that_says_neither_is_no_account(talk, gift):
    _, outcome = talk(zuora.perform(step(gift())), says_no(51100360))
    assert isinstance(outcome, Unknown)
