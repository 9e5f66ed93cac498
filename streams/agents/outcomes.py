"""Makes facts of what came of attempts, and says when the next one opens."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from plugins.api import Done, NotDone
from plugins.perform import InDoubt, Performed
from plugins.recording import without
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    Result,
    StepFailed,
    StepInDoubt,
    StepSucceeded,
)
from schemas.steps import ErrorKind, Failure, OnUnknown, Sealed, WaybillStep
from streams.agents.equipment import Equipment
from streams.agents.in_hand import POISON
from streams.agents.trying import NEVER_AGAIN, RESOLVED
from streams.core.decide import RunStep
from streams.core.order import Order
from streams.core.renewing import claim
from streams.core.retry import next_attempt_at
from streams.core.sealing import NONCE_BYTES, seal

MAX_CALLOUTS = 20
BUYER_MESSAGE = (
    "We could not complete your order. You have not been charged again; please try later."
)


class Outcomes:
    """What is written about an attempt when it has ended."""

    def __init__(self, equipment: Equipment) -> None:
        self._with = equipment

    async def result(
        self, order: Order, run: RunStep, step: WaybillStep, performed: Performed
    ) -> Result:
        """The fact."""
        outcome = performed.outcome
        if isinstance(outcome, Done):
            return await self._succeeded(order, run, step, performed, outcome)
        unknown = not isinstance(outcome, Failure)
        failure = outcome if isinstance(outcome, Failure) else _in_doubt(outcome)
        due = self._due(order, step, failure, performed, unknown=unknown)
        if isinstance(outcome, NotDone) and due is not None:
            unknown, failure = False, claim(order.opened.failure or failure)
        callouts = performed.callouts[-MAX_CALLOUTS:]
        if run.compensate:
            return CompensationFailed(
                step=run.step,
                attempt=run.attempt,
                failure=failure,
                next_attempt_at=due,
                unknown=unknown,
                callouts=callouts,
            )
        if unknown and due is None and step.on_unknown is not OnUnknown.FAIL:
            return StepInDoubt(
                step=run.step, attempt=run.attempt, failure=failure, callouts=callouts
            )
        return StepFailed(
            step=run.step,
            attempt=run.attempt,
            failure=failure,
            next_attempt_at=due,
            unknown=unknown and due is not None,
            callouts=callouts,
        )

    async def _succeeded(
        self, order: Order, run: RunStep, step: WaybillStep, performed: Performed, done: Done
    ) -> Result:
        callouts = performed.callouts[-MAX_CALLOUTS:]
        if run.compensate:
            return CompensationSucceeded(step=run.step, attempt=run.attempt, callouts=callouts)
        hidden = self._hidden(step, done.output)
        output, sealed = done.output, await self._sealed(order, hidden)
        if hidden:
            output = {name: value for name, value in output.items() if name not in hidden}
            callouts = without(callouts, hidden)
        return StepSucceeded(
            step=run.step, attempt=run.attempt, output=output, sealed=sealed, callouts=callouts
        )

    def _due(
        self,
        order: Order,
        step: WaybillStep,
        failure: Failure,
        performed: Performed,
        *,
        unknown: bool,
    ) -> datetime | None:
        """When the next attempt opens by itself."""
        if unknown and (step.on_unknown not in RESOLVED or failure.code in NEVER_AGAIN):
            return None
        opened, now = order.opened, self._with.now()
        return next_attempt_at(
            step.retry,
            failure.kind,
            tries=order.tries,
            since=opened.failing_since or now,
            now=now,
            jitter=self._with.jitter(),
            retry_after_s=performed.retry_after_s,
        )

    def _hidden(self, step: WaybillStep, output: Mapping[str, Any]) -> dict[str, Any]:
        """What of the output must not stand in clear."""
        manifest = self._with.addressing.registry.get(step.plugin).manifest
        return {name: output[name] for name in manifest.sealed_outputs if name in output}

    async def _sealed(self, order: Order, hidden: Mapping[str, Any]) -> tuple[Sealed, ...]:
        if not hidden:
            return ()
        subject = next((part.subject for part in order.accepted.sealed), order.id)
        keys = await self._with.keys.made(order.tenant, [subject])
        nonce = self._with.random_bytes(NONCE_BYTES)
        return (seal(hidden, order.id, keys[subject], nonce),)


def misconfigured(run: RunStep, message: str) -> Result:
    """The attempt could not even be tried, and no other one can be."""
    failure = Failure(
        kind=ErrorKind.MISCONFIGURED,
        code="misconfigured",
        message=message,
        buyer_message=BUYER_MESSAGE,
        definite=False,
    )
    made = CompensationFailed if run.compensate else StepFailed
    return made(step=run.step, attempt=run.attempt, failure=failure)


def poisonous(run: RunStep, on_unknown: OnUnknown | None) -> Result:
    """Too many processes died of the attempt; what they had done before, nobody knows."""
    failure = Failure(
        kind=ErrorKind.PERMANENT,
        code=POISON.code,
        message=POISON.message,
        buyer_message=BUYER_MESSAGE,
        definite=False,
    )
    if run.compensate:
        return CompensationFailed(step=run.step, attempt=run.attempt, failure=failure, unknown=True)
    made = StepFailed if on_unknown is OnUnknown.FAIL else StepInDoubt
    return made(step=run.step, attempt=run.attempt, failure=failure)


def _in_doubt(outcome: InDoubt | NotDone) -> Failure:
    known = outcome if isinstance(outcome, InDoubt) else InDoubt("not_done", "nothing came of it")
    return Failure(
        kind=ErrorKind.TRANSIENT,
        code=known.code,
        message=known.message,
        buyer_message=BUYER_MESSAGE,
        call=known.call,
        definite=False,
    )
