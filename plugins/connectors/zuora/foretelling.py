"""What orders would do that change no subscription: sell one, bill a gift, give money back."""

from datetime import date

from plugins.api import Conversation, Done, Step
from plugins.connectors.zuora import gift, new_order
from plugins.connectors.zuora.account import currency_of
from plugins.connectors.zuora.amounts import text_amount
from plugins.connectors.zuora.credit_memos import owed
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.previewing import asked, documents_of
from plugins.connectors.zuora.subscription import today_of
from plugins.connectors.zuora.terms import start_of
from plugins.limio import items, part

_NOT_IN_PREVIEW = frozenset({"newAccount"})
_PLACE = ("address1", "address2", "city", "state", "county", "postalCode", "country")


def new(step: Step[ZuoraOptions]) -> Conversation:
    """Zuora's preview of the order; an account that is not there yet is described instead."""
    if gift.is_bought(step):
        return (yield from _gift(step))
    body = yield from new_order.planned(step)
    currency = currency_of(step, next(iter(items(step.order)), None))
    sold_to = part(body, "newAccount", "soldToContact")
    account = {
        "currency": currency,
        "billCycleDay": part(body, "newAccount").get("billCycleDay", 0),
        "soldToContact": {name: sold_to[name] for name in _PLACE if name in sold_to},
    }
    order = {name: value for name, value in body.items() if name not in _NOT_IN_PREVIEW}
    if "newAccount" in body:
        order["previewAccountInfo"] = given(**account)
    starts = [start_of(step, item) for item in items(step.order)]
    through = max(date.fromisoformat(max(starts)), today_of(step))
    result = yield from asked(step, order, through)
    return Done(effectiveDate=min(starts), **documents_of(result, currency))


def money_back(step: Step[ZuoraOptions]) -> Conversation:
    """A refund and a credit give what the order says, or are refused as they would be."""
    back = yield from owed(step)
    today = today_of(step).isoformat()
    amount = text_amount(back.amount, back.currency)
    entry = {"date": today, "amount": amount, "description": "credit"}
    return Done(effectiveDate=today, currency=back.currency, futureCharges=[], credits=[entry])


def _gift(step: Step[ZuoraOptions]) -> Conversation:
    """It is billed at once, and delivered by a subscription when it is redeemed."""
    bill = yield from gift.planned(step)
    today = today_of(step).isoformat()
    amount = text_amount(bill.amount, bill.currency)
    entry = {"date": today, "amount": amount, "description": "gift"}
    return Done(effectiveDate=today, currency=bill.currency, futureCharges=[entry], credits=[])
