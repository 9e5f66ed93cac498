"""Change of payment: the new method becomes the account's, and its address the Bill To."""

from collections.abc import Generator, Mapping
from typing import Any, Final

from plugins.api import Conversation, Done, Reply, Request, Step
from plugins.connectors.zuora.account import read_account
from plugins.connectors.zuora.asking import attempted, done, is_absent, path_of
from plugins.connectors.zuora.contacts import contact, created
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.envelope import StoppedError, unfit
from plugins.connectors.zuora.numbers import contact_nickname
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import (
    Method,
    apm_fields,
    attached,
    held,
    method_of,
    told_to_subscription,
)
from plugins.connectors.zuora.subscription import Subscription, read
from plugins.limio import part, text
from schemas.steps import ErrorKind

_BILLING: Final = "billing"


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """Attach, make it the default, tell the subscription, and let the old one go if wanted.

    With payment profiles the account's default stays: the subscription has its own method.
    """
    method = _new(step)
    subscription = yield from read(step)
    number = subscription.account_number
    account = yield from read_account(step, number)
    yield from attached(step, number, method)
    contact_id = yield from _contact(step, number, account)
    changes: dict[str, Any] = given(billToContactId=contact_id)
    if not step.options.payment_profiles:
        changes |= {"defaultPaymentMethodId": method.id, "autoPay": True}
    if changes:
        yield from done(step, "PUT", path_of("accounts", number), changes, "update-account")
    yield from told_to_subscription(step, subscription.number, subscription.id, method)
    yield from _removed(step, account, method)
    return Done(**_output(number, method, contact_id))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """All of it sets a state: what is not yet so may be set again."""
    method = _new(step)
    subscription = yield from read(step)
    account = yield from read_account(step, subscription.account_number)
    bill_to = part(account, "billToContact")
    ours = text(bill_to, "nickname") == contact_nickname(step, _BILLING)
    contact_id = text(bill_to, "id") if ours else None
    is_set = (
        (ours or not part(step.order, "billingDetails"))
        and (yield from _is_default(step, account, method))
        and _is_told(step, subscription, method)
    )
    if not is_set:
        return step.not_done()
    return Done(**_output(subscription.account_number, method, contact_id))


def _new(step: Step[ZuoraOptions]) -> Method:
    method = method_of(step)
    if method is None:
        message = (
            "the order names no payment method: send payment.zuora.refId (of the hosted page) or "
            "payment.zuora.paymentMethodId"
        )
        words = "Please enter a payment method."
        raise unfit("payment_method_missing", message, ErrorKind.PERMANENT, words)
    return method


def _contact(
    step: Step[ZuoraOptions], number: str, account: Mapping[str, Any]
) -> Generator[Request, Reply, str | None]:
    """The address that came with the method."""
    address = part(step.order, "billingDetails")
    if not address:
        return None
    body = contact(step, address, part(account, "billToContact"), in_order=False)
    return (yield from created(step, number, _BILLING, body))


def _removed(
    step: Step[ZuoraOptions], account: Mapping[str, Any], method: Method
) -> Generator[Request, Reply, None]:
    """What was the default before; one that is gone was removed by an earlier attempt."""
    options, old = step.options, text(account, "billingAndPayment", "defaultPaymentMethodId")
    if options.keep_payment_methods or options.payment_profiles or old in (None, method.id):
        return
    path = path_of("payment-methods", str(old))
    reply = yield from attempted(step, "DELETE", path, None, "remove-payment-method")
    if not isinstance(reply, Reply) and not is_absent(reply):
        raise StoppedError(reply)


def _is_default(
    step: Step[ZuoraOptions], account: Mapping[str, Any], method: Method
) -> Generator[Request, Reply, bool]:
    if not step.options.payment_profiles:
        return text(account, "billingAndPayment", "defaultPaymentMethodId") == method.id
    had = yield from held(step, text(account, "basicInfo", "accountNumber") or "")
    return method.id in {one.id for one in had}


def _is_told(step: Step[ZuoraOptions], subscription: Subscription, method: Method) -> bool:
    """A payment profile cannot be read; setting it again does no harm."""
    if step.options.payment_profiles:
        return False
    fields = apm_fields(step, method)
    return all(subscription.custom_fields.get(name) == value for name, value in fields.items())


def _output(number: str, method: Method, contact_id: str | None) -> dict[str, Any]:
    return given(
        accountNumber=number,
        paymentMethodId=method.id,
        contactId=contact_id,
        billToContactId=contact_id,
    )
