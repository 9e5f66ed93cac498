"""Scripted changes of addresses, payment methods and contacts."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply
from plugins.connectors.zuora.examples.scene import (
    ACCOUNT,
    ACCOUNT_ID,
    BUYER,
    FIND,
    HOME,
    HOSTED_PAGE,
    METHOD,
    NUMBER,
    READ,
    changed,
    order,
    ordered,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_BILL_TO, _SOLD_TO, _NEW = ("8ad0a1f29c01f4b3019c0a5cfb1f00" + end for end in ("41", "42", "43"))
_OLD_METHOD = "8ad0a2b69c3d1e4f019c4b7722aa5509"
_ACCOUNT = f"GET /v1/accounts/{ACCOUNT}"
_OK = Reply(200, {"success": True})
_MADE = Reply(200, {"success": True, "id": _NEW})
_DAY = "2026-04-15"
_MOVED = order("change_address", deliveryDetails=HOME)
_PAYS = order("change_payment", payment=HOSTED_PAGE, billingDetails=HOME)
_RENAMED = order("update_customer_details")


def _account(default: str = _OLD_METHOD, **contacts: dict[str, Any]) -> Reply:
    person = {"firstName": "Otti", "lastName": "Brand", "personalEmail": "otti@example.org"}
    document = {
        "success": True,
        "basicInfo": {"id": ACCOUNT_ID, "accountNumber": ACCOUNT},
        "billingAndPayment": {"defaultPaymentMethodId": default, "currency": "GBP"},
        "billToContact": {"id": _BILL_TO, **person, **contacts.get("bill_to", {})},
        "soldToContact": {"id": _SOLD_TO, **person, **contacts.get("sold_to", {})},
    }
    return Reply(200, document)


_IN_PLACE = {"id": _NEW, "nickname": f"{NUMBER}-delivery"}
_BILLED = {"id": _NEW, "nickname": f"{NUMBER}-billing"}
_NAMED = {
    "firstName": BUYER["firstName"],
    "lastName": BUYER["lastName"],
    "personalEmail": BUYER["email"],
}
_BEFORE = {READ: subscription(), _ACCOUNT: _account()}
_PAID = {
    "accountNumber": ACCOUNT,
    "paymentMethodId": METHOD,
    "contactId": _NEW,
    "billToContactId": _NEW,
}
_WITH_METHOD = {
    **_BEFORE,
    "attach-payment-method": _OK,
    "create-billing-contact": _MADE,
    "update-account": _OK,
}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a new delivery address is a contact that becomes Sold To",
        step=step(_MOVED),
        replies={**_BEFORE, "create-delivery-contact": _MADE, "update-account": _OK},
        expected=Done(accountNumber=ACCOUNT, contactId=_NEW, soldToContactId=_NEW),
        found={READ: subscription(), _ACCOUNT: _account(sold_to=_IN_PLACE)},
        missing=_BEFORE,
    ),
    Example(
        name="a new delivery address of one subscription alone",
        step=step(_MOVED, contactsPer="subscription"),
        replies={**_BEFORE, "create-delivery-contact": _MADE, "create-order": ordered()},
        expected=Done(**changed(_DAY, contactId=_NEW, soldToContactId=_NEW)),
        missing={FIND: Reply(404, None)},
    ),
    Example(
        name="a change of address without an address",
        step=step(order("change_address", addressType="billing")),
        replies={READ: subscription(), _ACCOUNT: _account()},
        expected=Failed(ErrorKind.PERMANENT, "address_missing", ""),
    ),
    Example(
        name="a new payment method becomes the default, and its address Bill To",
        step=step(_PAYS),
        replies=_WITH_METHOD,
        expected=Done(**_PAID),
        found={READ: subscription(), _ACCOUNT: _account(METHOD, bill_to=_BILLED)},
        missing=_BEFORE,
    ),
    Example(
        name="a new payment method that the payment manager is told, instead of the old one",
        step=step(_PAYS, apm=True, paymentGateway="Adyen UK", keepPaymentMethods=False),
        replies={
            **_WITH_METHOD,
            "update-subscription-fields": _OK,
            "remove-payment-method": _OK,
        },
        expected=Done(**_PAID),
    ),
    Example(
        name="a new payment method in the subscription's payment profile",
        step=step(_PAYS, paymentProfiles=True),
        replies={**_WITH_METHOD, "update-payment-profile": _OK},
        expected=Done(**_PAID),
    ),
    Example(
        name="a change of payment without a method",
        step=step(order("change_payment", payment={"type": "invoice"})),
        replies={},
        expected=Failed(ErrorKind.PERMANENT, "payment_method_missing", ""),
    ),
    Example(
        name="a new name and e-mail address reach both contacts",
        step=step(_RENAMED),
        replies={**_BEFORE, "update-billToContact": _OK, "update-soldToContact": _OK},
        expected=Done(
            accountNumber=ACCOUNT,
            contactId=_BILL_TO,
            billToContactId=_BILL_TO,
            soldToContactId=_SOLD_TO,
        ),
        found={READ: subscription(), _ACCOUNT: _account(bill_to=_NAMED, sold_to=_NAMED)},
        missing=_BEFORE,
    ),
)
