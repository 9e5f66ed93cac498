import pytest

from plugins.api import Done, Failed, NotDone, Reply, Unknown
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.envelope import errors
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_talk import ORDER_DONE, ORDERED, step


def refusal(*codes, status=200, message="m"):
    reasons = [{"code": code, "message": message} for code in codes]
    return Reply(status, {"success": False, "reasons": reasons})


def test_http_200_is_not_success(talk, order):
    _, outcome = talk(zuora.perform(step(order())), refusal(53100320))
    assert outcome == Failed(ErrorKind.PERMANENT, "53100320", "m")


def test_reasons_beside_success_are_no_failure(talk, order):
    reply = Reply(200, {**ORDERED.body, "reasons": [{"code": 53100320, "message": "m"}]})
    _, outcome = talk(zuora.perform(step(order())), reply)
    assert isinstance(outcome, Done)


def test_an_expired_token_is_left_to_the_transport():
    assert errors(refusal(90000011, status=401)) is None


def test_a_server_error_leaves_it_open():
    assert errors(refusal(53100320, status=500)) == Unknown("53100320", "m")


def placed(account="W-7Q2KX5M9ADLP", status="Completed"):
    order = {
        "orderNumber": "7Q2KX5M9ADLP",
        "existingAccountNumber": account,
        "status": status,
        "subscriptions": [{"subscriptionNumber": "SUBK3V7Q2WXA"}],
    }
    return Reply(200, {"success": True, "order": order})


SUMMARY = Reply(
    200, {"success": True, "basicInfo": {"id": "8ad1"}, "invoices": [{"invoiceNumber": "INV1"}]}
)


def test_an_order_that_came_into_being_is_adopted(talk, order):
    asked, outcome = talk(zuora.look_up(step(order())), placed(), SUMMARY)
    assert [request.path for request in asked] == [
        "/v1/orders/7Q2KX5M9ADLP",
        "/v1/accounts/W-7Q2KX5M9ADLP/summary",
    ]
    assert outcome == Done(**ORDER_DONE, accountId="8ad1")


def test_the_invoices_of_an_existing_account_are_not_taken_for_the_orders(talk, order):
    at = step(order(), mapped={"accountNumber": "W-1"})
    asked, outcome = talk(zuora.look_up(at), placed("W-1"))
    assert len(asked) == 1
    assert isinstance(outcome, Done)
    assert "invoiceNumbers" not in outcome.output


@pytest.mark.parametrize(
    "reply", [Reply(404, None), refusal(50000040), refusal(50000040, status=404)]
)
def test_an_absent_order_may_be_sent_again(talk, order, reply):
    _, outcome = talk(zuora.look_up(step(order())), reply)
    assert outcome == NotDone()


def test_an_order_of_another_account_is_not_adopted(talk, order):
    _, outcome = talk(zuora.look_up(step(order())), placed("W-SOMEBODY"))
    assert isinstance(outcome, Failed)
    assert outcome.code == "order_number_taken"


def test_a_cancelled_order_is_not_adopted(talk, order):
    _, outcome = talk(zuora.look_up(step(order())), placed(status="Cancelled"))
    assert isinstance(outcome, Failed)
    assert outcome.code == "order_not_in_force"


def test_keys_go_on_post_and_patch_only_and_hold_for_a_day():
    manifest = zuora.manifest
    assert manifest.key_methods == {"POST", "PATCH"}
    assert manifest.key_valid_for_s == 86_400
