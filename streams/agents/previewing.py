"""Asks partners what an order would do before there is one; nothing is written and nothing done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from plugins import judging
from plugins.addressing import Addressing, NoConnectionError
from plugins.api import Conversation, Done, Request, Step
from plugins.perform import Assignment, InDoubt, Performer, TurnedAwayError
from plugins.relaying import relayed
from schemas.expressions import fields
from schemas.steps import ErrorKind, Failure, Phase, WaybillStep
from streams.agents.fitting import deadline_s, mapped, picked
from streams.agents.opening import Opened
from streams.agents.turn import Misfit
from streams.core import ids
from streams.core.intake import Prepared, effective_date

PATIENCE_S = 5.0
"""So long may a question wait for its stage: somebody is looking at a checkout."""

LONGEST_S = 25.0
"""All questions of one preview together."""

_HARMLESS = frozenset({"GET", "HEAD", "POST"})

_Talk: TypeAlias = Callable[[Step[Any]], Conversation]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one step would do, as its connector says it; None or empty: it cannot tell."""

    step: WaybillStep
    members: Mapping[str, Any] | None


class UnforeseenError(Exception):
    """A step would fail, or its partner does not say what it would do.

    `retry_after_s` is when asking again may help, where that is known.
    """

    def __init__(
        self, step: WaybillStep, failure: Failure, retry_after_s: float | None = None
    ) -> None:
        super().__init__(failure.message)
        self.step = step
        self.failure = failure
        self.retry_after_s = retry_after_s


class Previewing:
    """Has the previewing conversations of an order's waybill, within the limits of each stage.

    `now` is the time of day in UTC, `monotonic` gives seconds.
    """

    def __init__(
        self,
        addressing: Addressing,
        performer: Performer,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._addressing = addressing
        self._performer = performer
        self._now = now
        self._monotonic = monotonic

    async def __call__(self, prepared: Prepared) -> Sequence[Foreseen]:
        """What each step of the waybill would do. `UnforeseenError` at the first that fails."""
        opened = Opened(_document(prepared, self._now()))
        until = self._monotonic() + LONGEST_S
        return [
            Foreseen(step, await self._members(prepared, opened, step, until))
            for step in prepared.resolution.waybill
        ]

    async def _members(
        self, prepared: Prepared, opened: Opened, step: WaybillStep, until: float
    ) -> Mapping[str, Any] | None:
        try:
            return await self._step(prepared, opened, step, until)
        except UnforeseenError as problem:
            if step.critical and step.phase is Phase.MAIN:
                raise
            return {"warnings": [f"{step.plugin} may fail: {problem.failure.buyer_message}"]}

    async def _step(
        self, prepared: Prepared, opened: Opened, step: WaybillStep, until: float
    ) -> Mapping[str, Any] | None:
        foretell = self._addressing.registry.get(step.plugin).previewer
        if foretell is None:
            return None
        try:
            assignment = self._assignment(prepared, opened, step, until - self._monotonic())
            if assignment is None:
                return None
            performed = await self._performer.perform(assignment, _only_asking(foretell))
        except (Misfit, NoConnectionError) as problem:
            raise UnforeseenError(step, _misfit(problem)) from problem
        except TurnedAwayError as refused:
            raise UnforeseenError(step, _turned_away(refused), refused.after_s) from refused
        match performed.outcome:
            case Done(output=output):
                return output
            case Failure() as failure:
                raise UnforeseenError(step, failure, performed.retry_after_s)
            case outcome:
                raise UnforeseenError(step, _unclear(outcome), performed.retry_after_s)

    def _assignment(
        self, prepared: Prepared, opened: Opened, step: WaybillStep, left_s: float
    ) -> Assignment | None:
        """None where the order would skip the step."""
        document, order_json = opened.view(step.items)
        root = {**document, "order": document, "context": {}}
        if step.when is not None and _tells_now(step.when) and not picked(step.when, root):
            return None
        addressing, tenant = self._addressing, prepared.submission.tenant
        connector = addressing.registry.get(step.plugin)
        options = addressing.options(step.plugin, step.options)
        return Assignment(
            connector=connector,
            step=Step(
                id=step.id,
                order=document,
                options=options,
                mapped=mapped(step, root),
                tenant=tenant,
            ),
            connection=addressing.connection(tenant, prepared.mode, step.plugin, step.options),
            attempt=1,
            key_of=lambda call: f"preview-{call}",
            order_json=order_json,
            scrubber=opened.scrubber,
            deadline_s=max(0.0, min(left_s, deadline_s(step, connector.manifest, options))),
            patience_s=max(0.0, min(left_s, PATIENCE_S)),
            trace=prepared.submission.trace,
        )


def _document(prepared: Prepared, now: datetime) -> dict[str, Any]:
    """The order as its steps would see it, if it were accepted now."""
    return {
        **prepared.document,
        "id": prepared.order_id,
        "order_type": prepared.order_type,
        "order_reference": ids.order_reference(prepared.order_id),
        "subscriptionReference": prepared.subscription_reference,
        "owner": prepared.owner,
        "effective_date": effective_date(prepared.document, now),
    }


def _tells_now(condition: str) -> bool:
    """Whether it can be answered without what steps hand on: there were none yet."""
    named = fields(condition)
    return named is not None and "context" not in named


def _only_asking(foretell: _Talk) -> _Talk:
    """Stops a connector that would change something: its fault must not cost anybody money."""

    def harmless(request: Request) -> Request:
        if request.call is not None or request.method not in _HARMLESS:
            raise ValueError(f"a preview changes nothing, so {request.path} is not sent")
        return request

    return lambda step: relayed(foretell(step), harmless)


def _misfit(problem: Exception) -> Failure:
    return _failure(ErrorKind.MISCONFIGURED, "misconfigured", str(problem))


def _turned_away(refused: TurnedAwayError) -> Failure:
    busy = refused.reason in {"rate", "busy"}
    kind = ErrorKind.RATE_LIMITED if busy else ErrorKind.TRANSIENT
    return _failure(kind, f"stage_{refused.reason}", str(refused))


def _unclear(outcome: object) -> Failure:
    if isinstance(outcome, InDoubt):
        return _failure(ErrorKind.MISCONFIGURED, outcome.code, outcome.message)
    return _failure(ErrorKind.MISCONFIGURED, "unclear", "the preview ended without an answer")


def _failure(kind: ErrorKind, code: str, message: str) -> Failure:
    words = judging.BUYER_MESSAGES[kind]
    return Failure(kind=kind, code=code, message=message, buyer_message=words, definite=False)
