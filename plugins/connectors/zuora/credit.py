"""Credit: a credit memo that the next invoice uses up."""

from plugins.api import Conversation, Done, Step
from plugins.connectors.zuora.credit_memos import (
    credited,
    memo_output,
    owed,
    read_credit_memo,
    require_ours,
)
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import text


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One memo, of a number that is ours."""
    wanted = yield from owed(step)
    memo = yield from credited(step, wanted, kept_open=False)
    return Done(**memo_output(memo, wanted.currency))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """By the memo's number."""
    memo = yield from read_credit_memo(step)
    if memo is None:
        return step.not_done()
    require_ours(step, memo)
    currency = memo.currency or text(step.order, "total", "currency") or ""
    return Done(**memo_output(memo, currency))
