"""Gifts: bought by a debit memo for the buyer, redeemed by a subscription that costs nothing."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from plugins.api import Conversation, Done, Failed, Reply, Request, Step
from plugins.connectors.zuora.account import (
    account_number,
    currency_of,
    existing_number,
    opened,
)
from plugins.connectors.zuora.amounts import amount_of, json_amount, text_amount
from plugins.connectors.zuora.asking import (
    Problem,
    attempted,
    done,
    found,
    is_taken,
    path_of,
)
from plugins.connectors.zuora.custom_fields import given, memo_fields
from plugins.connectors.zuora.envelope import StoppedError, unfit
from plugins.connectors.zuora.numbers import comment_of, debit_memo_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import (
    Method,
    attached,
    made_default,
    method_of,
    profile,
    taken_over,
)
from plugins.connectors.zuora.prices import one_off_charges
from plugins.connectors.zuora.rate_plans import Plans, resolved
from plugins.connectors.zuora.terms import has_term, later, start_of, term_of
from plugins.limio import flag, items, number, offer_type, part, parts, text
from schemas.steps import ErrorKind

_FAILED = frozenset({"Error", "Canceled"})
_TAKEN = frozenset({"Processing", "Processed", "Posted"})


@dataclass(frozen=True, slots=True)
class Bill:
    """What the buyer of a gift owes."""

    currency: str
    amount: Decimal
    body: Mapping[str, Any]


def is_redeemed(step: Step[ZuoraOptions]) -> bool:
    """Whether the order redeems a gift."""
    return flag(step.order.get("isRedeem"))


def is_bought(step: Step[ZuoraOptions]) -> bool:
    """Whether the order buys a gift: it says so, or its offers are of such a type."""
    if is_redeemed(step):
        return False
    if flag(step.order.get("isGift")):
        return True
    gifts = [offer_type(item) in step.options.gift_offer_types for item in items(step.order)]
    if any(gifts) and not all(gifts):
        message = "gifts and other offers in one order: give gifts an entry of their own (`items`)"
        raise unfit("gift_mixed", message)
    return bool(gifts) and all(gifts)


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """An account with its payment method, a debit memo, and the payment where that is wanted."""
    bill, method = (yield from planned(step)), method_of(step)
    account = yield from _account(step, method)
    memo = yield from _billed(step, bill, account)
    paid: dict[str, Any] = {}
    if step.options.collect_payment and method is not None:
        paid = yield from _collected(step, memo, method)
    return Done(**_output(bill.currency, memo), **account, **paid)


def planned(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Bill]:
    """What the buyer will owe; nothing is changed."""
    return _bill(step, (yield from resolved(step)))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """The memo tells, and where it is to be paid at once its balance."""
    memo = yield from read_debit_memo(step, debit_memo_number(step))
    if memo is None:
        return step.not_done()
    if not _is_ours(step, memo):
        return _taken(memo)
    currency = text(memo, "currency") or _currency(step)
    account = given(accountNumber=text(memo, "accountNumber"), accountId=text(memo, "accountId"))
    paid: dict[str, Any] = {}
    if step.options.collect_payment and method_of(step) is not None:
        payment = yield from _payment(step, memo)
        if payment is None and amount_of(memo.get("balance")) > 0:
            return step.not_done()
        paid = given(
            paymentNumber=text(payment, "number"),
            paidAmount=text_amount(amount_of(memo.get("amount")), currency),
        )
    return Done(**_output(currency, memo), **account, **paid)


def read_debit_memo(
    step: Step[ZuoraOptions], memo: str
) -> Generator[Request, Reply, Mapping[str, Any] | None]:
    """A debit memo by its number."""
    reply = yield from found(step, path_of("debit-memos", memo))
    if reply is None:
        return None
    return {**part({"body": reply.body}, "body"), "number": reply["number"]}


def _bill(step: Step[ZuoraOptions], plans: Plans) -> Bill:
    """All gifts of the order on one memo, so that a refund finds them by one number."""
    sold = items(step.order)
    if not sold:
        message = "the order has no orderItems for zuora; check `items` of the plugin's entry"
        raise unfit("items_missing", message, ErrorKind.PERMANENT)
    currency, charges = _currency(step), []
    for item, of in zip(sold, plans, strict=True):
        for charge, amount in one_off_charges(item, of):
            priced = {"amount": json_amount(amount, currency), "quantity": 1}
            charges.append({"productRatePlanChargeId": charge.id, **priced, **_served(step, item)})
    total = sum((amount_of(charge["amount"]) for charge in charges), Decimal(0))
    if total <= 0:
        message = "the gift has no price above 0; check price__limio of its offer"
        raise unfit("amount", message, ErrorKind.PERMANENT)
    today, options = str(step.order["effective_date"]), step.options
    body = given(
        number=debit_memo_number(step),
        effectiveDate=today,
        dueDate=today,
        currency=currency,
        autoPost=True,
        # What is collected at once must not be collected by a payment run after a decline.
        autoPay=method_of(step) is not None and not options.collect_payment,
        reasonCode=options.gift_reason_code,
        comment=comment_of(step),
        charges=charges,
        **memo_fields(step),
    )
    return Bill(currency, total, body)


def _served(step: Step[ZuoraOptions], item: Mapping[str, Any]) -> dict[str, str]:
    start = start_of(step, item)
    if not has_term(item):
        return {"serviceStartDate": start}
    last = later(date.fromisoformat(start), term_of(item)) - timedelta(days=1)
    return {"serviceStartDate": start, "serviceEndDate": last.isoformat()}


def _account(
    step: Step[ZuoraOptions], method: Method | None
) -> Generator[Request, Reply, dict[str, Any]]:
    """One that is there, else one of our own number: then it can only be ours."""
    existing = existing_number(step)
    if existing is not None:
        yield from taken_over(step, existing, method)
        return {"accountNumber": existing}
    body = opened(step, method, in_order=False)
    reply = yield from attempted(step, "POST", path_of("accounts"), body, "create-account")
    if isinstance(reply, Reply):
        account = {"accountNumber": reply["accountNumber"], "accountId": reply["accountId"]}
        default = text(reply.body, "paymentMethodId")
    else:
        there = yield from _adopted(step, reply)
        known = text(there, "basicInfo", "id")
        account = given(accountNumber=account_number(step), accountId=known)
        default = text(there, "billingAndPayment", "defaultPaymentMethodId") or ""
    # The order may have another method by now than when an attempt opened the account.
    if method is not None and default not in (None, method.id):
        yield from attached(step, account_number(step), method)
        yield from made_default(step, account_number(step), method)
    return account


def _adopted(
    step: Step[ZuoraOptions], problem: Problem
) -> Generator[Request, Reply, Mapping[str, Any]]:
    """The account of an earlier attempt; without one the problem ends the step."""
    there = None
    if is_taken(problem):
        there = yield from found(step, path_of("accounts", account_number(step)))
    if there is None:
        raise StoppedError(problem)
    return part({"body": there.body}, "body")


def _billed(
    step: Step[ZuoraOptions], bill: Bill, account: Mapping[str, Any]
) -> Generator[Request, Reply, Mapping[str, Any]]:
    body = {"accountNumber": account["accountNumber"], **bill.body}
    reply = yield from attempted(step, "POST", path_of("debit-memos"), body, "create-debit-memo")
    if isinstance(reply, Reply):
        return {**part({"body": reply.body}, "body"), "number": reply["number"]}
    memo = None
    if is_taken(reply):
        memo = yield from read_debit_memo(step, debit_memo_number(step))
    if memo is None:
        raise StoppedError(reply)
    if not _is_ours(step, memo):
        raise StoppedError(_taken(memo))
    return memo


def _collected(
    step: Step[ZuoraOptions], memo: Mapping[str, Any], method: Method
) -> Generator[Request, Reply, dict[str, Any]]:
    """A memo that is paid is not collected again."""
    currency = text(memo, "currency") or _currency(step)
    amount = text_amount(amount_of(memo.get("amount")), currency)
    if number(memo.get("balance")) == 0 and amount_of(memo.get("amount")) > 0:
        return {"paidAmount": amount}
    paid_by = profile(step, method)
    payment = given(
        paymentMethodId=paid_by["paymentMethodId"], gatewayId=paid_by.get("paymentGatewayId")
    )
    body = {"collect": True, "applyCredit": False, "payment": payment}
    path = path_of("debit-memos", str(memo["number"]), "collect")
    reply = yield from done(step, "POST", path, body, "collect")
    processed = part(reply.body, "processedPayment")
    if text(processed, "status") in _FAILED:
        said = text(processed, "gatewayResponse") or "no reason"
        message = f"the payment of the debit memo {memo['number']} failed at the gateway: {said}"
        raise StoppedError(Failed(ErrorKind.DECLINED, "payment_failed", message))
    return given(paymentNumber=text(processed, "number"), paidAmount=amount)


def _payment(
    step: Step[ZuoraOptions], memo: Mapping[str, Any]
) -> Generator[Request, Reply, Mapping[str, Any] | None]:
    """The payment of a memo: all payments of a new account are for its gift."""
    account = text(memo, "accountId")
    if existing_number(step) is not None or account is None:
        return None
    reply = yield from found(step, path_of("payments"), {"accountId": account})
    amount = amount_of(memo.get("amount"))
    taken = [
        one
        for one in parts(reply.body if reply else None, "payments")
        if text(one, "status") in _TAKEN and amount_of(one.get("amount")) == amount
    ]
    return next(iter(taken), None)


def _is_ours(step: Step[ZuoraOptions], memo: Mapping[str, Any]) -> bool:
    return text(memo, "comment") == comment_of(step)


def _taken(memo: Mapping[str, Any]) -> Failed:
    message = f"the debit memo {memo['number']} is not this order's; its comment would say so"
    return Failed(ErrorKind.PERMANENT, "memo_number_taken", message)


def _currency(step: Step[ZuoraOptions]) -> str:
    return currency_of(step, next(iter(items(step.order)), None))


def _output(currency: str, memo: Mapping[str, Any]) -> dict[str, Any]:
    amount = text_amount(amount_of(memo.get("amount")), currency)
    numbers = {"debitMemoNumber": str(memo["number"]), "amount": amount, "currency": currency}
    return given(status=text(memo, "status"), **numbers)
