"""When the call of a step gets another key although nobody answered that it failed for good.

Partners keep a server error under a key as they keep a success, so a repetition gets nothing but
that error. A look-up that finds nothing ends the doubt: it is claimed that the call failed, which
gives it another key. Who writes such a claim has sent nothing in its attempt, so that it is true
whoever else takes the attempt over. What earlier attempts sent may take its time: the next one
waits for it, and looks once more before it sends.
"""

from datetime import datetime

from schemas.steps import ErrorKind, Failure, OnUnknown, WaybillStep
from streams.core.decisions import RunStep
from streams.core.order import Order
from streams.core.retry import next_attempt_at

NOT_DONE = "not_done"
DEADLINES = 2
"""So many of the step's deadlines later nothing is under way any more that was sent before."""

_MAY_GO_ON = frozenset(
    {
        *("timeout", "disconnected", "no_answer", "reply_cut"),
        *("request_timeout", "in_progress", "bad_gateway", "unavailable", "gateway_timeout"),
    }
)
"""The partner itself has not answered: it may be at it still, and dedupes by the same key."""
_OURS = frozenset({"output_too_large", "connector_error", "partner_surprise"})
"""The partner did its work; what we made of its answer is in doubt."""


def renews(order: Order, run: RunStep, step: WaybillStep, now: datetime, deadline_s: float) -> bool:
    """Whether the attempt only finds out if the call in doubt needs another key.

    Never where a request may go on, nor where no attempt would follow. The log tells, so that
    each worker that has the attempt finds the same.
    """
    opened = order.opened
    failure = opened.failure
    if run.compensate or not run.doubt or step.on_unknown is not OnUnknown.LOOK_UP:
        return False
    if failure is None or failure.call is None or failure.code in _MAY_GO_ON | _OURS:
        return False
    following = next_attempt_at(
        step.retry,
        ErrorKind.TRANSIENT,
        tries=order.tries,
        # Who takes it over must not send where the other has only looked, however late it is.
        since=now if run.recover else opened.failing_since or now,
        now=now,
        jitter=0.0,
        retry_after_s=DEADLINES * deadline_s,
    )
    return following is not None


def is_renewed(order: Order, run: RunStep, step: WaybillStep) -> bool:
    """Whether the call has got another key since a look-up found nothing."""
    failure = order.opened.failure
    if run.compensate or failure is None or step.on_unknown is not OnUnknown.LOOK_UP:
        return False
    return failure.definite and failure.code == NOT_DONE


def claim(doubtful: Failure) -> Failure:
    """That the call in doubt has failed."""
    return Failure(
        kind=ErrorKind.TRANSIENT,
        code=NOT_DONE,
        message="a look-up found that nothing came of the request; it gets another key",
        buyer_message=doubtful.buyer_message,
        call=doubtful.call,
    )
