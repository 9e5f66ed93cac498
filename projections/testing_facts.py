"""Facts for histories in tests: results of every kind, and commands that people might send."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from schemas.commands import CommandKind, Revision
from schemas.events import (
    CommandReceived,
    CompensationFailed,
    CompensationSucceeded,
    Result,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepSucceeded,
)
from schemas.steps import Body, Callout, ErrorKind, Failure, Sealed, WaybillStep
from streams.core.decide import RunStep
from streams.core.order import Order, State

Choose = Callable[[int], int]
"""`choose(n)` is a number from 0 to n - 1; the history follows from the choices alone."""

OUTCOMES = 12
REFUSED, UNKNOWN, AGAIN, UNKNOWN_AGAIN, DEFERRED, STOPPED, LEFT = 0, 1, 6, 7, 8, 9, 11
"""What becomes of an attempt; with the other numbers up to `OUTCOMES` it succeeds.

With `LEFT` it does, too, and leaves something for a person.
"""

STAGE = "zuora@partner.example"
_DELAY = timedelta(seconds=30)
_MEANT = (None, None, "zuora", "salesforceV3", "warehouse", "entitlements")


def result(run: RunStep, order: Order, at: datetime, outcome: int) -> Result:
    """The result of an attempt that was due."""
    if outcome == DEFERRED:
        return StepDeferred(
            step=run.step, attempt=run.attempt, reason="breaker", stage=STAGE, until=at + _DELAY
        )
    if outcome == STOPPED and order.pending:
        return StepDeferred(step=run.step, attempt=run.attempt, reason="command")
    return _undone(run, at, outcome) if run.compensate else _done(run, at, outcome)


def _done(run: RunStep, at: datetime, outcome: int) -> Result:
    named: dict[str, Any] = {"step": run.step, "attempt": run.attempt}
    named["callouts"] = (_callout(run.step, run.attempt, at),)
    failure = _failure(outcome)
    if outcome == REFUSED:
        return StepFailed(failure=failure, **named)
    if outcome == UNKNOWN:
        return StepInDoubt(failure=failure, **named)
    if outcome in {AGAIN, UNKNOWN_AGAIN}:
        unknown = outcome == UNKNOWN_AGAIN
        return StepFailed(failure=failure, next_attempt_at=at + _DELAY, unknown=unknown, **named)
    output: dict[str, Any] = {"accountId": f"A-{outcome}", "secretToken": "s3cret"}
    if outcome == LEFT:
        output |= {"follow_up": {"code": "by_hand", "message": "do it"}, "warnings": ["late"]}
    return StepSucceeded(output=output, **named)


def _undone(run: RunStep, at: datetime, outcome: int) -> Result:
    named: dict[str, Any] = {"step": run.step, "attempt": run.attempt}
    named["callouts"] = (_callout(run.step, run.attempt, at),)
    if outcome in {REFUSED, UNKNOWN, AGAIN}:
        again = at + _DELAY if outcome == AGAIN else None
        return CompensationFailed(failure=_failure(outcome), next_attempt_at=again, **named)
    return CompensationSucceeded(**named)


def command(order: Order, number: int, choose: Choose) -> CommandReceived:
    """The order's `number`th command, more often than not a sensible one."""
    kinds = _SENSIBLE.get(order.state, _STOPPING) if choose(3) else tuple(CommandKind)
    kind = kinds[choose(len(kinds))]
    given = f"bulk-{choose(3)}/{number}" if choose(2) else f"c-{number}"
    revision = None
    if kind is CommandKind.AMEND or (kind is CommandKind.RETRY and choose(3) == 0):
        revision = _revision(order, number, choose, amends=kind is CommandKind.AMEND)
    step = _MEANT[choose(len(_MEANT))] if kind in _ABOUT_STEPS else None
    return CommandReceived(
        command=given,
        kind=kind,
        reason=f"because of {number}",
        step=step,
        output={"accountId": "by hand"} if kind is CommandKind.RESOLVE else None,
        revision=revision,
    )


_PERSON = (CommandKind.RETRY, CommandKind.SKIP, CommandKind.RESOLVE, CommandKind.CANCEL)
_STOPPING = (CommandKind.PAUSE, CommandKind.CANCEL, CommandKind.AMEND)
_SENSIBLE: Mapping[State, Sequence[CommandKind]] = {
    State.FAILED: _PERSON,
    State.IN_DOUBT: _PERSON,
    State.WAITING: (CommandKind.RETRY, CommandKind.CANCEL, CommandKind.PAUSE),
    State.PAUSED: (CommandKind.RESUME,),
    State.QUEUED: (CommandKind.RELEASE,),
    State.POST_PROCESSING: (CommandKind.FORCE_COMPLETE, CommandKind.PAUSE),
    State.COMPLETED: (CommandKind.RETRY, CommandKind.RESOLVE),
}
_ABOUT_STEPS = frozenset({CommandKind.RETRY, CommandKind.SKIP, CommandKind.RESOLVE})


def _revision(order: Order, number: int, choose: Choose, *, amends: bool) -> Revision:
    accepted = order.accepted
    waybill: Sequence[WaybillStep] = accepted.waybill
    if waybill and choose(3) == 0:
        waybill = (*waybill[:-1], replace(waybill[-1], options=f'{{"number": {number}}}'))
    revision = Revision(
        config_version=accepted.config_version + choose(2),
        axes=accepted.axes,
        waybill=tuple(waybill),
        base=accepted.fingerprint if choose(4) else b"another",
        changed=("orderItems",) if amends else (),
    )
    if not amends:
        return revision
    document: Mapping[str, Any] = {"orderItems": [{"name": "Yearly", "quantity": number}]}
    sealed = Sealed(
        paths=("/customerDetails",), key_id="k", subject="s", nonce=b"m" * 12, ciphertext=b"\x00d"
    )
    return replace(
        revision,
        document=orjson.dumps(document).decode(),
        sealed=(sealed,),
        fingerprint=b"amended" + number.to_bytes(25),
    )


def _failure(outcome: int) -> Failure:
    if outcome == AGAIN:
        kind, code = ErrorKind.RATE_LIMITED, "rate_limited"
    elif outcome == REFUSED:
        kind, code = ErrorKind.DECLINED, "card_declined"
    else:
        kind, code = ErrorKind.TRANSIENT, "timed_out"
    return Failure(
        kind=kind,
        code=code,
        message="the partner said no",
        buyer_message="Please try another card.",
        call="charge",
        definite=outcome in {REFUSED, AGAIN},
    )


def _callout(step: str, attempt: int, at: datetime) -> Callout:
    return Callout(
        call="charge",
        attempt=attempt,
        method="POST",
        url=f"https://partner.example/{step}",
        status=200,
        started_at=at - timedelta(milliseconds=12),
        duration_ms=12.4,
        request=Body(of="order", length=100, sha256="a" * 64),
        response=Body(text='{"ok": true}', length=12, sha256="b" * 64),
        key="key-1",
    )
