"""What Zuora answers to those who give money back or change addresses, and their orders."""

from plugins.api import Reply
from tests.unit.connectors.zuora_talk import METHOD, PLAN, said

ACCOUNT, CHARGE = "A00000012", "c" * 32
COMMENT = "order order-1"


def change(order, order_type, **members):
    """An order about the subscription of the others' talk, with nothing to sell."""
    bare = {"orderItems": [], "billingDetails": None, "deliveryDetails": None, "payment": None}
    return order(changes={**bare, "order_type": order_type, **members})


def subscription(price=55, **members):
    charge = {"number": "C-1", "name": "Fee", "type": "Recurring", "price": price}
    plan = {
        "id": "8ad9",
        "productRatePlanId": PLAN,
        "ratePlanName": "R",
        "ratePlanCharges": [charge],
    }
    return said(
        id="8ad09b7d8292b85d0182a4d6f875225a",
        subscriptionNumber="SUBK3V7Q2WXA",
        accountNumber=ACCOUNT,
        accountId="8acc",
        status="Active",
        version=1,
        currency="GBP",
        termType="TERMED",
        termStartDate="2026-10-01",
        termEndDate="2027-10-01",
        ratePlans=[{**plan, "lastChangeType": "Add"}],
        **members,
    )


def account(default="8adold", bill_to=None, sold_to=None):
    person = {"firstName": "Maren", "lastName": "Tidewell", "personalEmail": "m@example.com"}
    return said(
        basicInfo={"id": "8acc", "accountNumber": ACCOUNT},
        billingAndPayment={"defaultPaymentMethodId": default, "currency": "GBP"},
        billToContact={"id": "8bill", **person, **(bill_to or {})},
        soldToContact={"id": "8sold", **person, **(sold_to or {})},
    )


def methods(kind="CreditCard", status="Active"):
    card = {"id": METHOD, "type": kind, "status": status, "isDefault": True}
    return said(defaultPaymentMethodId=METHOD, creditcard=[card])


def refund_plan(*charges):
    listed = charges or ({"id": CHARGE, "name": "Refund", "chargeType": "OneTime"},)
    plan = {"id": PLAN, "name": "Refund", "productRatePlanCharges": list(listed)}
    return Reply(200, {"data": [plan]})


def memo(amount=10, **members):
    return said(
        **{
            "id": "8memo",
            "number": "CM-7Q2KX5M9ADLP",
            "accountNumber": ACCOUNT,
            "accountId": "8acc",
            "amount": amount,
            "refundAmount": 0,
            "currency": "GBP",
            "comment": COMMENT,
            "status": "Posted",
            **members,
        }
    )
