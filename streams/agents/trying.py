"""Has the conversations of one attempt: while an outcome is unknown, repeats or looks up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from plugins.api import Conversation, Manifest, NotDone, Step
from plugins.perform import Assignment, Guard, InDoubt, Performed, TurnedAwayError
from schemas.steps import ErrorKind, Failure, OnUnknown, WaybillStep
from streams.agents.equipment import Equipment
from streams.agents.turn import Misfit, NotSentError, StopWantedError, Turn
from streams.core import renewing
from streams.core.decide import RunStep, is_announced

LONGEST_STEP_S = 45.0
TRIES = 3
FIRST_PAUSE_S = 0.25
SETTLING = frozenset({ErrorKind.PERMANENT, ErrorKind.DECLINED})
"""Refusals that a partner gives to a repeated key only if they were the first answer, too."""
NEVER_AGAIN = frozenset({"output_too_large", "connector_error"})
"""Doubts of our own making: sending again would end in them again."""
RESOLVED = frozenset({OnUnknown.REPEAT, OnUnknown.LOOK_UP})
"""Treatments under which an unknown outcome is found out without asking a person."""

NOT_DONE = InDoubt("not_done", "nothing came of the request, and it could not be sent again yet")
"""What a look-up found, where what follows from it has to wait. By the time that this is read,
another worker may have sent it, so that the next attempt looks again.
"""
LOOKED_BEFORE = InDoubt("not_done", "nothing had come of the request before it got another key")
KEY_EXPIRED = InDoubt("key_expired", "its key is no longer valid")

Talk: TypeAlias = Callable[[Step[Any]], Conversation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt: what was decided, the step's entry, and what its conversations need.

    `opened_at` is when the first attempt of the step opened. `renews`: where a look-up finds
    nothing, the attempt ends with `NotDone`. `renewed`: that has been, and the key is another one.
    """

    run: RunStep
    step: WaybillStep
    assignment: Assignment
    turn: Turn
    opened_at: datetime
    renews: bool = False
    renewed: bool = False

    @property
    def talk(self) -> Talk:
        """The conversation that does it, or undoes it."""
        connector = self.assignment.connector
        if not self.run.compensate:
            return connector.perform
        if connector.compensation is None:
            raise Misfit(f"the step {self.step.id} cannot be undone: its plugin has no way to")
        return connector.compensation


class Trying:
    """Performs attempts within their time.

    An announced attempt sends nothing that could still be under way when another worker, having
    taken the order over, looks up what came of it: that is twice the deadline after its start.
    """

    def __init__(self, equipment: Equipment) -> None:
        self._with = equipment

    async def attempt(self, task: Task) -> Performed:
        """What came of it; `TurnedAwayError`, `StopWantedError`, `NotSentError`: nothing sent."""
        talk, doubt = task.talk, self._doubt(task)
        if task.run.recover:
            await asyncio.sleep(2 * task.assignment.deadline_s)
        started = self._with.monotonic()
        if doubt is not None:
            return await self._without_doubt(task, talk, Performed(doubt), started)
        performed = await self._first(task, talk, started)
        if not isinstance(performed.outcome, InDoubt):
            return performed
        return await self._without_doubt(task, talk, performed, started)

    async def _first(self, task: Task, talk: Talk, started: float) -> Performed:
        assignment, performer, turn = task.assignment, self._with.performer, task.turn
        guard, patience_s = None, assignment.patience_s
        if is_announced(task.step):
            guard = self._guard(task, started + assignment.deadline_s)
            patience_s = min(patience_s, assignment.deadline_s)

        async def before_sending() -> None:
            if turn.stop_wanted():
                raise StopWantedError
            if guard is not None:
                await guard()
            elif not turn.is_mine():
                raise NotSentError

        performed = await performer.perform(assignment, talk, before_sending, patience_s)
        if performed.unsent:
            stage = performer.stage_of(assignment)
            if stage.is_doubtful:
                raise TurnedAwayError(stage.name, "breaker", stage.state().open_s)
        return performed

    def _doubt(self, task: Task) -> InDoubt | None:
        """Why nothing may be sent before it is known what was."""
        run, step, connector = task.run, task.step, task.assignment.connector
        if run.recover:
            return InDoubt("taken_over", "the worker that sent it went away")
        if step.on_unknown in RESOLVED and run.doubt:
            return InDoubt("unknown_before", "it is not known what became of the attempt before")
        if task.renewed:
            return LOOKED_BEFORE
        if not run.compensate and self._key_expired(connector.manifest, task.opened_at):
            return KEY_EXPIRED
        return None

    def _guard(self, task: Task, until: float) -> Guard:
        """Sends nothing late, where a repetition could do harm."""

        async def before_sending() -> None:
            if not task.turn.is_mine() or self._with.monotonic() > until:
                raise NotSentError

        return before_sending

    async def _without_doubt(
        self, task: Task, talk: Talk, performed: Performed, started: float
    ) -> Performed:
        """Repeats or looks up while the outcome is unknown and time is left."""
        monotonic = self._with.monotonic
        until = monotonic() + LONGEST_STEP_S
        pause, sent = FIRST_PAUSE_S, bool(performed.callouts)
        waits, unsent = sent, not sent and not task.run.recover
        for left_tries in range(TRIES, 0, -1):
            if not _may_try(task.step, performed) or until - monotonic() < pause:
                break
            if waits:
                await asyncio.sleep(pause * (0.5 + self._with.jitter() / 2))
                pause *= 4
            waits = True
            try:
                found = await self._again(task, talk, started, until, last=left_tries == 1)
            except TurnedAwayError:
                if unsent:
                    raise
                if task.step.retry is not None:
                    break
                continue
            except NotSentError:
                break
            performed, unsent = _joined(performed, found), False
        return performed

    async def _again(
        self, task: Task, talk: Talk, started: float, until: float, *, last: bool
    ) -> Performed:
        """Once more, within what is left of the attempt's time."""
        assignment = task.assignment
        left = until - self._with.monotonic()
        timed = replace(
            assignment,
            deadline_s=min(assignment.deadline_s, left),
            patience_s=min(assignment.patience_s, left),
        )
        expired = self._key_expired(assignment.connector.manifest, task.opened_at)
        looking = task.step.on_unknown is OnUnknown.LOOK_UP or last or expired
        again = self._in_time(task, timed, started)
        if task.run.compensate or not looking:
            return await self._repeated(again, talk)
        return await self._looked_up(task, timed, again, may_repeat=not expired)

    def _in_time(self, task: Task, timed: Assignment, started: float) -> Assignment:
        """What is sent once more in an announced attempt must have ended within its window."""
        if not is_announced(task.step):
            return timed
        end = started + 2 * task.assignment.deadline_s
        room = max(0.0, end - self._with.monotonic())
        deadline_s = min(timed.deadline_s, room / 2)
        guard = self._guard(task, end - deadline_s)
        return replace(timed, deadline_s=deadline_s, before_sending=guard)

    async def _repeated(self, assignment: Assignment, talk: Talk) -> Performed:
        """With the same keys. What does not tell of the first try leaves it in doubt."""
        again = await self._with.performer.perform(assignment, talk)
        if isinstance(again.outcome, Failure) and again.outcome.kind not in SETTLING:
            return replace(again, outcome=_doubt_about(again.outcome))
        return again

    async def _looked_up(
        self, task: Task, timed: Assignment, again: Assignment, *, may_repeat: bool
    ) -> Performed:
        perform, connector = self._with.performer.perform, timed.connector
        if connector.look_up is None:
            if may_repeat:
                return await self._repeated(again, connector.perform)
            return Performed(KEY_EXPIRED, requests=0)
        found = await perform(timed, connector.look_up)
        match found.outcome:
            case NotDone():
                return await self._found_nothing(task, found, again)
            case Failure() as failure:
                return replace(found, outcome=_doubt_about(failure))
            case _:
                return found

    async def _found_nothing(self, task: Task, found: Performed, again: Assignment) -> Performed:
        if task.renews:
            settled_s = renewing.DEADLINES * task.assignment.deadline_s
            return replace(found, retry_after_s=settled_s)
        return _joined(found, await self._after_all(again))

    async def _after_all(self, again: Assignment) -> Performed:
        """A look-up found that nothing was done: it is sent, if it may be sent now."""
        try:
            return await self._with.performer.perform(again, again.connector.perform)
        except (TurnedAwayError, NotSentError):
            return Performed(NOT_DONE, requests=0)

    def _key_expired(self, manifest: Manifest, opened_at: datetime) -> bool:
        valid = manifest.key_valid_for_s
        return valid is not None and self._with.now() - opened_at > timedelta(seconds=valid)


def _may_try(step: WaybillStep, performed: Performed) -> bool:
    return (
        isinstance(performed.outcome, InDoubt)
        and performed.outcome is not NOT_DONE
        and performed.outcome.code not in NEVER_AGAIN
        and step.on_unknown in RESOLVED
    )


def _doubt_about(failure: Failure) -> InDoubt:
    return InDoubt(failure.code, failure.message, failure.call)


def _joined(before: Performed, after: Performed) -> Performed:
    return replace(after, callouts=before.callouts + after.callouts)
