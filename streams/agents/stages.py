"""Performs steps: builds what a conversation needs, and makes a fact of what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import orjson

from plugins.addressing import Addressing, NoConnectionError
from plugins.api import Done, Manifest, NotDone, Options, Step
from plugins.perform import Assignment, InDoubt, Performed, Performer
from schemas.events import Result, StepFailed, StepInDoubt, StepSkipped, StepSucceeded
from schemas.expressions import evaluated
from schemas.steps import ErrorKind, Failure, OnUnknown, Sealed, WaybillStep
from streams.agents import metrics
from streams.agents.keyring import KeyRing
from streams.agents.opening import ErasedError, Opening
from streams.core import ids
from streams.core.decide import RunStep, is_announced
from streams.core.order import Order
from streams.core.sealing import NONCE_BYTES, UnsealingError, seal

LONGEST_STEP_S = 45.0
TRIES = 3
FIRST_PAUSE_S = 0.25
MAX_CALLOUTS = 20
SETTLING = frozenset({ErrorKind.PERMANENT, ErrorKind.DECLINED})
"""Refusals that a partner gives to a repeated key only if they were the first answer, too."""
NEVER_AGAIN = frozenset({"output_too_large", "connector_error"})
"""Doubts of our own making: sending again would end in them again."""
BUYER_MESSAGE = (
    "We could not complete your order. You have not been charged again; please try later."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What stages work with. `now` is UTC, `monotonic` seconds, `jitter` in [0, 1)."""

    addressing: Addressing
    performer: Performer
    keys: KeyRing
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    jitter: Callable[[], float]


IsMine: TypeAlias = Callable[[], bool]
"""Whether the attempt is still this process's to send."""


class NotSentError(Exception):
    """It took too long until it could be sent, or the order belongs to another worker now."""


class Misfit(Exception):  # noqa: N818 (a finding, not a fault of ours)
    """The step cannot even be tried: its configuration does not fit the order."""


class Stages:
    """Performs attempts; every attempt ends in a result."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._opening = Opening(equipment.keys)

    async def __call__(self, order: Order, run: RunStep, is_mine: IsMine) -> Result:
        """The result of one attempt; `NotSentError` where it was not sent after all."""
        step = next(step for step in order.accepted.waybill if step.id == run.step)
        started = self._equipment.monotonic()
        try:
            result = await self._attempt(order, run, step, is_mine)
        except (Misfit, ErasedError, UnsealingError, NoConnectionError) as problem:
            result = _failed(run, _misconfigured(str(problem)))
        outcome = type(result).__name__.removeprefix("Step").lower()
        metrics.attempt(step.plugin, outcome, self._equipment.monotonic() - started)
        return result

    async def _attempt(
        self, order: Order, run: RunStep, step: WaybillStep, is_mine: IsMine
    ) -> Result:
        assignment = await self._assignment(order, run, step)
        if assignment is None:
            return StepSkipped(step=step.id, attempt=run.attempt, reason=f"not when {step.when}")
        if is_announced(step):
            guard = self._guard(is_mine, assignment.deadline_s)
            assignment = replace(assignment, before_sending=guard)
        performed = await self._performed(order, run, step, assignment)
        return await self._result(order, run, step, performed)

    async def _assignment(self, order: Order, run: RunStep, step: WaybillStep) -> Assignment | None:
        opened = await self._opening.of(order)
        document, order_json = opened.view(step.items)
        context = await self._opening.context(order)
        root = {**document, "order": document, "context": context}
        if step.when is not None and not _picked(step.when, root):
            return None
        addressing, mode = self._equipment.addressing, order.accepted.mode
        connector = addressing.registry.get(step.plugin)
        options = self._options_of(step)
        mapped = orjson.loads(step.map) if step.map is not None else {}
        return Assignment(
            connector=connector,
            step=Step(
                id=step.id,
                order=document,
                options=options,
                context=context,
                mapped={name: _picked(text, root) for name, text in mapped.items()},
                tenant=order.tenant,
            ),
            connection=addressing.connection(order.tenant, mode, step.plugin, step.options),
            attempt=run.attempt,
            key_of=partial(_key_of, order, step.id),
            order_json=order_json,
            scrubber=opened.scrubber,
            deadline_s=_deadline(step, connector.manifest, options),
            trace=order.trace,
        )

    async def _performed(
        self, order: Order, run: RunStep, step: WaybillStep, assignment: Assignment
    ) -> Performed:
        connector = assignment.connector
        opened_at = order.progress[order.position].started or order.created
        if run.recover:
            await asyncio.sleep(2 * assignment.deadline_s)
            performed = Performed(InDoubt("taken_over", "the worker that sent it went away"))
        elif self._key_expired(connector.manifest, opened_at):
            performed = Performed(InDoubt("key_expired", "its key is no longer valid"))
            step = replace(step, on_unknown=OnUnknown.LOOK_UP)
        else:
            performed = await self._equipment.performer.perform(assignment, connector.perform)
        return await self._without_doubt(step, assignment, performed)

    def _guard(self, is_mine: IsMine, deadline_s: float) -> Callable[[], Awaitable[None]]:
        """Sends nothing late: whoever takes over waits for twice the deadline, then looks up."""
        until = self._equipment.monotonic() + deadline_s

        async def before_sending() -> None:
            if not is_mine() or self._equipment.monotonic() > until:
                raise NotSentError

        return before_sending

    async def _without_doubt(
        self, step: WaybillStep, assignment: Assignment, performed: Performed
    ) -> Performed:
        """Repeats or looks up while the outcome is unknown and time is left."""
        until = self._equipment.monotonic() + LONGEST_STEP_S
        pause = FIRST_PAUSE_S
        for left_tries in range(TRIES, 0, -1):
            left = until - self._equipment.monotonic()
            if not _may_try(step, performed) or left < pause:
                break
            await asyncio.sleep(pause * (0.5 + self._equipment.jitter() / 2))
            pause *= 4
            timed = replace(assignment, deadline_s=min(assignment.deadline_s, left))
            looking = step.on_unknown is OnUnknown.LOOK_UP or left_tries == 1
            found = await (self._looked_up if looking else self._repeated)(timed)
            performed = _joined(performed, found)
        return performed

    async def _repeated(self, assignment: Assignment) -> Performed:
        """With the same keys. What does not tell of the first try leaves it in doubt."""
        again = await self._equipment.performer.perform(assignment, assignment.connector.perform)
        if isinstance(again.outcome, Failure) and again.outcome.kind not in SETTLING:
            return replace(again, outcome=_doubt_about(again.outcome))
        return again

    async def _looked_up(self, assignment: Assignment) -> Performed:
        perform, connector = self._equipment.performer.perform, assignment.connector
        if connector.look_up is None:
            return await self._repeated(assignment)
        found = await perform(assignment, connector.look_up)
        if isinstance(found.outcome, NotDone):
            return _joined(found, await perform(assignment, connector.perform))
        if isinstance(found.outcome, Failure):
            return replace(found, outcome=_doubt_about(found.outcome))
        return found

    def _key_expired(self, manifest: Manifest, opened_at: datetime) -> bool:
        valid = manifest.key_valid_for_s
        return valid is not None and self._equipment.now() - opened_at > timedelta(seconds=valid)

    async def _result(
        self, order: Order, run: RunStep, step: WaybillStep, performed: Performed
    ) -> Result:
        callouts = performed.callouts[-MAX_CALLOUTS:]
        outcome = performed.outcome
        if isinstance(outcome, Done):
            output, sealed = await self._sealed(order, step, outcome.output)
            return StepSucceeded(
                step=run.step,
                attempt=run.attempt,
                output=output,
                sealed=sealed,
                callouts=callouts,
            )
        if isinstance(outcome, Failure):
            return replace(_failed(run, outcome), callouts=callouts)
        failure = _in_doubt(outcome)
        if step.on_unknown is OnUnknown.FAIL:
            return replace(_failed(run, failure), callouts=callouts)
        return StepInDoubt(step=run.step, attempt=run.attempt, failure=failure, callouts=callouts)

    async def _sealed(
        self, order: Order, step: WaybillStep, output: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], tuple[Sealed, ...]]:
        registry = self._equipment.addressing.registry
        personal = registry.get(step.plugin).manifest.personal
        hidden = {name: output[name] for name in personal if name in output}
        if not hidden:
            return output, ()
        subject = next((part.subject for part in order.accepted.sealed), order.id)
        keys = await self._equipment.keys.made(order.tenant, [subject])
        nonce = self._equipment.random_bytes(NONCE_BYTES)
        clear = {name: value for name, value in output.items() if name not in hidden}
        return clear, (seal(hidden, order.id, keys[subject], nonce),)

    def _options_of(self, step: WaybillStep) -> Options:
        try:
            return self._equipment.addressing.options(step.plugin, step.options)
        except Exception as problem:
            raise Misfit(f"the step {step.id} does not fit its plugin: {problem}") from problem


def _may_try(step: WaybillStep, performed: Performed) -> bool:
    return (
        isinstance(performed.outcome, InDoubt)
        and performed.outcome.code not in NEVER_AGAIN
        and step.on_unknown in {OnUnknown.REPEAT, OnUnknown.LOOK_UP}
    )


def _doubt_about(failure: Failure) -> InDoubt:
    return InDoubt(failure.code, failure.message, failure.call)


def _picked(expression: str, root: Mapping[str, Any]) -> Any:
    try:
        return evaluated(expression, root)
    except ValueError as problem:
        raise Misfit(str(problem)) from problem


def _key_of(order: Order, step: str, call: str) -> str:
    generation = order.generations.get(f"{step}/{call}", 0)
    return ids.call_key(order.tenant, order.id, step, call, generation)


def _deadline(step: WaybillStep, manifest: Manifest, options: Options) -> float:
    wanted = step.timeout_s
    if wanted is None:
        wanted = manifest.timeout_s if manifest.deadline_s is None else manifest.deadline_s(options)
    return min(LONGEST_STEP_S, wanted)


def _joined(before: Performed, after: Performed) -> Performed:
    return replace(after, callouts=before.callouts + after.callouts)


def _failed(run: RunStep, failure: Failure) -> StepFailed:
    return StepFailed(step=run.step, attempt=run.attempt, failure=failure)


def _misconfigured(message: str) -> Failure:
    return Failure(
        kind=ErrorKind.MISCONFIGURED,
        code="misconfigured",
        message=message,
        buyer_message=BUYER_MESSAGE,
        definite=False,
    )


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
