"""Performs steps: builds what a conversation needs, and makes a fact of what came of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from plugins.api import Connector, Done, Manifest, NotDone, Options, Step
from plugins.perform import Assignment, InDoubt, Performed, Performer
from schemas.connections import Connection, Connections
from schemas.events import Result, StepFailed, StepInDoubt, StepSkipped, StepSucceeded
from schemas.expressions import evaluated
from schemas.steps import ErrorKind, Failure, OnUnknown, Sealed, WaybillStep
from streams.agents import metrics
from streams.agents.keyring import KeyRing
from streams.agents.opening import ErasedError, Opening
from streams.core import ids
from streams.core.decide import RunStep
from streams.core.order import Order
from streams.core.sealing import NONCE_BYTES, UnsealingError, seal

LONGEST_STEP_S = 45.0
REPEATS = 3
FIRST_PAUSE_S = 0.25
MAX_CALLOUTS = 20
BUYER_MESSAGE = (
    "We could not complete your order. You have not been charged again; please try later."
)


class Registry(Protocol):
    """The connectors, by plugin name."""

    def get(self, name: str) -> Connector:
        """The connector of that name."""

    def validate_options(self, name: str, options: Mapping[str, Any]) -> Options:
        """The options as the connector's model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What stages work with. `session_s`: how long a silent worker may still be sending."""

    registry: Registry
    performer: Performer
    connections: Connections
    keys: KeyRing
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    jitter: Callable[[], float]
    session_s: float


class Misfit(Exception):  # noqa: N818 (a finding, not a fault of ours)
    """The step cannot even be tried: its configuration does not fit the order."""


class Stages:
    """Performs attempts; every attempt ends in a result."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._opening = Opening(equipment.keys)
        self._options: dict[tuple[str, str], Options] = {}

    async def __call__(self, order: Order, run: RunStep) -> Result:
        """The result of one attempt."""
        step = next(step for step in order.accepted.waybill if step.id == run.step)
        started = self._equipment.monotonic()
        try:
            result = await self._attempt(order, run, step)
        except (Misfit, ErasedError, UnsealingError) as problem:
            result = _failed(run, _misconfigured(str(problem)))
        outcome = type(result).__name__.removeprefix("Step").lower()
        metrics.STEP_ATTEMPTS.labels(step.plugin, outcome).inc()
        metrics.STEP_SECONDS.labels(step.plugin).observe(self._equipment.monotonic() - started)
        return result

    async def _attempt(self, order: Order, run: RunStep, step: WaybillStep) -> Result:
        assignment = await self._assignment(order, run, step)
        if assignment is None:
            return StepSkipped(step=step.id, attempt=run.attempt, reason=f"not when {step.when}")
        performed = await self._performed(order, run, step, assignment)
        return await self._result(order, run, step, performed)

    async def _assignment(self, order: Order, run: RunStep, step: WaybillStep) -> Assignment | None:
        opened = await self._opening.of(order)
        document, order_json = opened.view(step.items)
        context = await self._opening.context(order)
        root = {**document, "order": document, "context": context}
        if step.when is not None and not _picked(step.when, root):
            return None
        connector = self._connector(step.plugin)
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
            connection=self._connection(order, connector.manifest, options),
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
            await self._outlast(opened_at, assignment.deadline_s)
            performed = Performed(InDoubt("taken_over", "the worker that sent it went away"))
        elif self._key_expired(connector.manifest, opened_at):
            performed = Performed(InDoubt("key_expired", "its key is no longer valid"))
            step = replace(step, on_unknown=OnUnknown.LOOK_UP)
        else:
            performed = await self._equipment.performer.perform(assignment, connector.perform)
        return await self._without_doubt(step, assignment, performed)

    async def _without_doubt(
        self, step: WaybillStep, assignment: Assignment, performed: Performed
    ) -> Performed:
        """Repeats or looks up while the outcome is unknown and time is left."""
        until = self._equipment.monotonic() + LONGEST_STEP_S
        pause = FIRST_PAUSE_S
        for _ in range(REPEATS):
            left = until - self._equipment.monotonic()
            if not isinstance(performed.outcome, InDoubt) or left < pause:
                break
            if step.on_unknown not in {OnUnknown.REPEAT, OnUnknown.LOOK_UP}:
                break
            await asyncio.sleep(pause * (0.5 + self._equipment.jitter() / 2))
            pause *= 4
            timed = replace(assignment, deadline_s=min(assignment.deadline_s, left))
            performed = await self._again(step, timed, performed)
        return performed

    async def _again(
        self, step: WaybillStep, assignment: Assignment, before: Performed
    ) -> Performed:
        perform, connector = self._equipment.performer.perform, assignment.connector
        if step.on_unknown is OnUnknown.REPEAT:
            return _joined(before, await perform(assignment, connector.perform))
        if connector.look_up is None:
            return before
        found = await perform(assignment, connector.look_up)
        if isinstance(found.outcome, NotDone):
            found = _joined(found, await perform(assignment, connector.perform))
        elif isinstance(found.outcome, Failure):
            doubt = InDoubt("look_up_failed", found.outcome.message, found.outcome.call)
            found = Performed(doubt, found.callouts)
        return _joined(before, found)

    async def _outlast(self, opened_at: datetime, deadline_s: float) -> None:
        """Waits until the process that announced the attempt can no longer be sending it."""
        equipment = self._equipment
        quiet = opened_at + timedelta(seconds=deadline_s + equipment.session_s)
        await asyncio.sleep(max(0.0, (quiet - equipment.now()).total_seconds()))

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
        personal = self._connector(step.plugin).manifest.personal
        hidden = {name: output[name] for name in personal if name in output}
        if not hidden:
            return output, ()
        subject = next((part.subject for part in order.accepted.sealed), order.id)
        keys = await self._equipment.keys.made(order.tenant, [subject])
        nonce = self._equipment.random_bytes(NONCE_BYTES)
        clear = {name: value for name, value in output.items() if name not in hidden}
        return clear, (seal(hidden, order.id, keys[subject], nonce),)

    def _connector(self, plugin: str) -> Connector:
        try:
            return self._equipment.registry.get(plugin)
        except LookupError as problem:
            raise Misfit(str(problem)) from problem

    def _options_of(self, step: WaybillStep) -> Options:
        known = self._options.get((step.plugin, step.options))
        if known is None:
            try:
                known = self._equipment.registry.validate_options(
                    step.plugin, orjson.loads(step.options)
                )
            except Exception as problem:
                raise Misfit(f"the options of {step.id} are refused: {problem}") from problem
            self._options[step.plugin, step.options] = known
        return known

    def _connection(self, order: Order, manifest: Manifest, options: Options) -> Connection:
        find = self._equipment.connections.find
        endpoint = manifest.endpoint(options) if manifest.endpoint is not None else None
        if endpoint is not None:
            host = urlsplit(endpoint)
            named = find(order.tenant, order.accepted.mode, host.netloc) or find(
                order.tenant, order.accepted.mode, host.hostname or ""
            )
            return named or Connection(base_url=f"{host.scheme}://{host.netloc}")
        name = manifest.connection or manifest.name
        found = find(order.tenant, order.accepted.mode, name)
        if found is None:
            raise Misfit(f"there is no connection {name!r} in mode {order.accepted.mode!r}")
        return found


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
