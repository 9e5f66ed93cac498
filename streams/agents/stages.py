"""Performs steps: builds what a conversation needs, and makes a fact of what came of it."""

from contextlib import nullcontext
from datetime import timedelta
from functools import partial

from plugins.addressing import NoConnectionError
from plugins.api import Options, Step
from plugins.perform import Assignment, TurnedAwayError
from plugins.stage import Stage
from schemas.connections import Connection
from schemas.events import (
    CompensationFailed,
    Result,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepSkipped,
)
from schemas.steps import WaybillStep
from streams.agents import metrics
from streams.agents.equipment import Equipment
from streams.agents.fitting import deadline_s, mapped, picked
from streams.agents.opening import ErasedError, Opening
from streams.agents.outcomes import Outcomes, misconfigured, poisonous
from streams.agents.trying import Task, Trying
from streams.agents.turn import Misfit, NotSentError, StopWantedError, Turn
from streams.core import ids
from streams.core.decide import RunStep, is_announced
from streams.core.order import Order
from streams.core.renewing import is_renewed, renews
from streams.core.sealing import UnsealingError

__all__ = ["Equipment", "Stages"]

_UNSENT = (StepSkipped, StepDeferred)
_FAILURES = (StepFailed, StepInDoubt, CompensationFailed)


class Stages:
    """Performs attempts; every attempt ends in a result."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._opening = Opening(equipment.keys)
        self._trying = Trying(equipment)
        self._outcomes = Outcomes(equipment)
        self._book = equipment.performer.stages

    async def __call__(self, order: Order, run: RunStep, turn: Turn) -> Result:
        """The result of one attempt; `NotSentError` where it was not sent after all."""
        step = next(step for step in order.accepted.waybill if step.id == run.step)
        started = self._equipment.monotonic()
        hand, held = self._equipment.in_hand, _held(order, run)
        if hand is not None and hand.is_poison(held):
            return poisonous(run, step.on_unknown)
        try:
            result = await self._attempt(order, run, step, turn)
        except (Misfit, ErasedError, UnsealingError, NoConnectionError) as problem:
            result = misconfigured(run, str(problem))
        except StopWantedError:
            return StepDeferred(step=run.step, attempt=run.attempt, reason="command")
        except TurnedAwayError as refused:
            self._check_turn(step, turn, started)
            return self._deferred(order, run, refused)
        if hand is not None:
            hand.survived(held)
        outcome = type(result).__name__.removeprefix("Step").lower()
        metrics.attempt(step.plugin, outcome, self._equipment.monotonic() - started)
        return result

    def admits(self, stage: str, tenant: str, wanted: int) -> int:
        """How many of `wanted` deferred orders the tenant's stage takes now."""
        return self._book.admits(stage, tenant, wanted)

    def share(self, fraction: float) -> None:
        """Which part of the deployment's limits is this worker's."""
        self._book.share(fraction)

    async def _attempt(self, order: Order, run: RunStep, step: WaybillStep, turn: Turn) -> Result:
        connection = self._connection(order, step)
        stage = self._book.of(order.tenant, step.plugin, connection)
        if not run.recover and (step.when is None or run.compensate):
            # Before the order is opened: what piles up behind a partner must cost little.
            refused = stage.refusal(self._equipment.monotonic())
            if refused is not None:
                raise refused
        assignment = await self._assignment(order, run, step, connection)
        if assignment is None:
            return StepSkipped(step=step.id, attempt=run.attempt, reason=f"not when {step.when}")
        opened_at = order.opened.started or order.created
        connector, allowed_s = assignment.connector, assignment.deadline_s
        keyed = connector.look_up is not None and connector.manifest.key_header is not None
        performed = await self._trying.attempt(
            Task(
                run=run,
                step=step,
                assignment=assignment,
                turn=turn,
                opened_at=opened_at,
                renews=keyed and renews(order, run, step, self._equipment.now(), allowed_s),
                renewed=keyed and is_renewed(order, run, step),
            )
        )
        result = await self._outcomes.result(order, run, step, performed)
        _note(stage, result)
        return result

    async def _assignment(
        self, order: Order, run: RunStep, step: WaybillStep, connection: Connection
    ) -> Assignment | None:
        opened = await self._opening.of(order)
        document, order_json = opened.view(step.items)
        context = await self._opening.context(order)
        root = {**document, "order": document, "context": context}
        if step.when is not None and not run.compensate and not picked(step.when, root):
            return None
        connector = self._equipment.addressing.registry.get(step.plugin)
        options = self._options_of(step)
        key_step = f"{step.id}:compensate" if run.compensate else step.id
        hand = self._equipment.in_hand
        return Assignment(
            connector=connector,
            step=Step(
                id=step.id,
                order=document,
                options=options,
                context=context,
                mapped=mapped(step, root),
                tenant=order.tenant,
            ),
            connection=connection,
            attempt=run.attempt,
            key_of=partial(_key_of, order, step.id, key_step),
            order_json=order_json,
            scrubber=await self._opening.scrubber(order),
            deadline_s=deadline_s(step, connector.manifest, options),
            trace=order.trace,
            in_hand=nullcontext() if hand is None else hand.hold(_held(order, run)),
        )

    def _connection(self, order: Order, step: WaybillStep) -> Connection:
        self._options_of(step)
        addressing, mode = self._equipment.addressing, order.accepted.mode
        return addressing.connection(order.tenant, mode, step.plugin, step.options)

    def _options_of(self, step: WaybillStep) -> Options:
        try:
            return self._equipment.addressing.options(step.plugin, step.options)
        except Exception as problem:
            raise Misfit(f"the step {step.id} does not fit its plugin: {problem}") from problem

    def _check_turn(self, step: WaybillStep, turn: Turn, started: float) -> None:
        """An announced attempt is put off only where no other worker can have sent it."""
        if not is_announced(step):
            return
        manifest = self._equipment.addressing.registry.get(step.plugin).manifest
        allowed_s = deadline_s(step, manifest, self._options_of(step))
        late = self._equipment.monotonic() - started > allowed_s
        if late or not turn.is_mine():
            raise NotSentError

    def _deferred(self, order: Order, run: RunStep, refused: TurnedAwayError) -> StepDeferred:
        self._book.deferred(order.tenant, refused.stage, refused.reason)
        after = refused.after_s
        until = None if after is None else self._equipment.now() + timedelta(seconds=after)
        return StepDeferred(
            step=run.step,
            attempt=run.attempt,
            reason=refused.reason,
            stage=refused.stage,
            until=until,
        )


def _note(stage: Stage, result: Result) -> None:
    if isinstance(result, _UNSENT):
        return
    failed = isinstance(result, _FAILURES)
    stage.tried(failed=failed, took_ms=sum(one.duration_ms for one in result.callouts))


def _held(order: Order, run: RunStep) -> str:
    """Names the attempt where it is told what a process died of."""
    undoing = " undone" if run.compensate else ""
    return f"order {order.id}, run {run.run}, step {run.step}{undoing}, attempt {run.attempt}"


def _key_of(order: Order, step: str, key_step: str, call: str) -> str:
    """Another key after each definite failure of the call, and after what it did was undone."""
    generations = order.generations
    generation = generations.get(f"{key_step}/{call}", 0) + generations.get(f"{step}/", 0)
    return ids.call_key(order.tenant, order.id, key_step, call, generation)
