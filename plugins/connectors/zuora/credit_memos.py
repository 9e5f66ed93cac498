"""Credit memos: what a customer gets back, booked once under a number of ours."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from plugins.api import Failed, Reply, Request, Step
from plugins.connectors.zuora.amounts import amount_of, json_amount, payable, text_amount
from plugins.connectors.zuora.asking import attempted, found, is_taken, path_of
from plugins.connectors.zuora.custom_fields import given, memo_fields
from plugins.connectors.zuora.envelope import StoppedError, unfit
from plugins.connectors.zuora.gift import read_debit_memo
from plugins.connectors.zuora.numbers import comment_of, credit_memo_number, debit_memo_number
from plugins.connectors.zuora.options import RatePlanIds, ZuoraOptions
from plugins.connectors.zuora.rate_plans import Charge, offered, resolved
from plugins.connectors.zuora.reference_fields import reason_code
from plugins.connectors.zuora.subscription import Subscription, read
from plugins.limio import flag, items, number, offer_type, part, text
from schemas.steps import ErrorKind

_ONE_TIME, _RECURRING, _REFUND = "OneTime", "Recurring", "refund"


@dataclass(frozen=True, slots=True)
class Owed:
    """What is given back, to whom, and on which charge it is booked.

    `method`: what the subscription is paid by, where it has a payment method of its own.
    """

    account: str
    amount: Decimal
    currency: str
    charge: str
    method: str | None = None


@dataclass(frozen=True, slots=True)
class CreditMemo:
    """A memo as Zuora has it: what was paid out of it, and what it was applied to."""

    number: str
    id: str | None
    account: str | None
    account_id: str | None
    amount: Decimal
    refunded: Decimal
    applied: Decimal
    currency: str | None
    comment: str | None


def owed(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Owed]:
    """From the subscription, or from the debit memo of a gift; nothing is changed."""
    if flag(step.order.get("isGift")):
        return (yield from _owed_for_gift(step))
    subscription = yield from read(step)
    currency = text(step.order, "total", "currency") or subscription.currency
    if currency is None:
        raise unfit("currency_missing", "no currency: send total.currency", ErrorKind.PERMANENT)
    _require_same(currency, subscription.currency, f"the subscription {subscription.number}")
    amount = amount_wanted(step, currency)
    _require_at_most(step, amount, _price_of(subscription), currency)
    charge = yield from _charge(step)
    own = text(subscription.custom_fields, step.options.apm_payment_method_field)
    method = own if step.options.apm else None
    return Owed(subscription.account_number, amount, currency, charge, method)


def amount_wanted(step: Step[ZuoraOptions], currency: str) -> Decimal:
    """What the order says that is given back, else its total, else what its items cost."""
    order = step.order
    for place in ("refund", "total"):
        stated = part(order, place).get("amount")
        if stated is not None:
            return payable(stated, f"{place}.amount", currency)
    costs = [number(part(item, "price").get("amount")) for item in items(order)]
    total = sum((cost for cost in costs if cost is not None), Decimal(0))
    return payable(str(total), "total.amount", currency)


def credited(
    step: Step[ZuoraOptions], wanted: Owed, *, kept_open: bool
) -> Generator[Request, Reply, CreditMemo]:
    """The memo, made now or by an earlier attempt. `kept_open`: no bill run may use it up."""
    body = given(
        accountNumber=wanted.account,
        number=credit_memo_number(step),
        autoPost=True,
        currency=wanted.currency,
        effectiveDate=str(step.order["effective_date"]),
        excludeFromAutoApplyRules=kept_open,
        reasonCode=reason_code(step),
        comment=comment_of(step),
        charges=[
            {
                "productRatePlanChargeId": wanted.charge,
                "amount": json_amount(wanted.amount, wanted.currency),
                "serviceStartDate": str(step.order["effective_date"]),
            }
        ],
        **memo_fields(step),
    )
    reply = yield from attempted(step, "POST", path_of("credit-memos"), body, "create-credit-memo")
    if isinstance(reply, Reply):
        return _memo(reply)
    memo = None
    if is_taken(reply):
        memo = yield from read_credit_memo(step)
    if memo is None:
        raise StoppedError(reply)
    require_ours(step, memo)
    return memo


def read_credit_memo(step: Step[ZuoraOptions]) -> Generator[Request, Reply, CreditMemo | None]:
    """The order's memo, if there is one."""
    reply = yield from found(step, path_of("credit-memos", credit_memo_number(step)))
    return None if reply is None else _memo(reply)


def require_ours(step: Step[ZuoraOptions], memo: CreditMemo) -> None:
    """A memo of that number that another made is not adopted."""
    same = memo.currency is None or amount_wanted(step, memo.currency) == memo.amount
    if memo.comment != comment_of(step) or not same:
        message = f"the credit memo {memo.number} is not this order's; see its comment and amount"
        raise StoppedError(Failed(ErrorKind.PERMANENT, "memo_number_taken", message))


def memo_output(memo: CreditMemo, currency: str) -> dict[str, Any]:
    """What memos hand on."""
    return given(
        creditMemoNumber=memo.number,
        accountNumber=memo.account,
        amount=text_amount(memo.amount, currency),
        currency=currency,
    )


def _memo(reply: Reply) -> CreditMemo:
    body = part({"body": reply.body}, "body")
    return CreditMemo(
        number=str(reply["number"]),
        id=text(body, "id"),
        account=text(body, "accountNumber"),
        account_id=text(body, "accountId"),
        amount=amount_of(reply["amount"]),
        refunded=amount_of(body.get("refundAmount")),
        applied=amount_of(body.get("appliedAmount")),
        currency=text(body, "currency"),
        comment=text(body, "comment"),
    )


def _owed_for_gift(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Owed]:
    """A gift that is not redeemed has no subscription, only its debit memo."""
    memo = yield from read_debit_memo(step, debit_memo_number(step))
    if memo is None:
        number = debit_memo_number(step)
        message = f"Zuora has no debit memo {number}; check forSubscription of the gift's refund"
        raise unfit("gift_unknown", message, ErrorKind.PERMANENT)
    currency = text(memo, "currency") or text(step.order, "total", "currency") or ""
    _require_same(text(step.order, "total", "currency") or currency, currency, "the gift")
    amount = amount_wanted(step, currency)
    _require_at_most(step, amount, amount_of(memo.get("amount")), currency)
    charge = yield from _charge(step, gift=True)
    return Owed(str(memo["accountNumber"]), amount, currency, charge)


def _charge(step: Step[ZuoraOptions], *, gift: bool = False) -> Generator[Request, Reply, str]:
    """Zuora books a memo on a charge: of the refund offer, of the gift, or of the option's plan."""
    option = step.options.refund_rate_plan
    if isinstance(option, RatePlanIds) and option.charges and not gift:
        return next(iter(option.charges.values()))
    offer = _offer(step, gift=gift)
    if offer is None:
        message = "no rate plan to book the money on: set the option refundRatePlan"
        raise unfit("refund_rate_plan_missing", message)
    [plans] = yield from resolved(step, [offer], charged=True)
    return _one_off([charge for plan in plans for charge in plan.charges], plans[0].name).id


def _offer(step: Step[ZuoraOptions], *, gift: bool) -> Mapping[str, Any] | None:
    sold = items(step.order)
    named = [one for one in sold if offer_type(one) == _REFUND]
    option = step.options.refund_rate_plan
    if option is not None and not gift:
        ids = option.id if isinstance(option, RatePlanIds) else None
        key = {"productRatePlanId": ids} if ids else {"rate_plan__zuora": option}
        named.append({"offer": {"data": {"attributes": key}}})
    named += [{"offer": part(step.order, "originalOffer")}, *sold]
    return next((one for one in named if offered(step.options, one)), None)


def _one_off(charges: list[Charge], plan: str | None) -> Charge:
    one_off = [charge for charge in charges if charge.type == _ONE_TIME] or charges
    if len(one_off) == 1:
        return one_off[0]
    message = f"the rate plan {plan!r} has {len(one_off)} charges to book the money on, not one"
    raise unfit("refund_charge", f"{message}; name it in the option refundRatePlan")


def _price_of(subscription: Subscription) -> Decimal | None:
    charges = [c for plan in subscription.active_plans for c in plan.charges if not c.is_discount]
    prices = [c.price * (c.quantity or 1) for c in charges if c.price is not None]
    return sum(prices, Decimal(0)) if prices and len(prices) == len(charges) else None


def _require_same(wanted: str, theirs: str | None, whose: str) -> None:
    if theirs is not None and wanted != theirs:
        message = f"the order gives back {wanted}, but {whose} is in {theirs}"
        raise unfit("currency_differs", message, ErrorKind.PERMANENT)


def _require_at_most(
    step: Step[ZuoraOptions], amount: Decimal, price: Decimal | None, currency: str
) -> None:
    if price is None or amount <= price or step.options.refund_above_price:
        return
    message = (
        f"{amount} {currency} is more than the {price} {currency} that was paid for; "
        "the option refundAbovePrice allows that"
    )
    raise unfit("refund_too_large", message, ErrorKind.PERMANENT)
