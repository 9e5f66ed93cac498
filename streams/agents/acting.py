"""Does what the core decided: performs attempts and writes facts, each once at a time."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from schemas.events import (
    CompensationFailed,
    Event,
    Fact,
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
    Result,
    StepInDoubt,
    StepSkipped,
    StepStarted,
)
from schemas.steps import ErrorKind, Failure
from streams.agents.journal import AGAIN_AFTER_S
from streams.agents.means import Means
from streams.agents.partition import Key
from streams.agents.turn import NotSentError, Turn
from streams.core.decide import Append, Decision, Rest, RunStep
from streams.core.evolve import evolve
from streams.core.order import Order
from streams.kafka.writer import Place

log = logging.getLogger(__name__)

UNRECORDABLE = Failure(
    kind=ErrorKind.PERMANENT,
    code="unrecordable",
    message="the step ended with a result that the log cannot hold",
    buyer_message="We could not process your order. Please contact customer service.",
    definite=False,
)
_FOLLOWING: tuple[type[Fact], ...] = (
    StepStarted,
    StepSkipped,
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
)
"""Facts that may be written along with the result that they follow from: the fold asks whether
they are due, whatever became of that result."""


class Acting:
    """Tasks in flight by what they are about, across rebalances within the process.

    `ask` gives what is next for an order, `again` is told of orders to be decided again, and
    `unread` tells whether what stands at a place is still to be read back.
    """

    def __init__(
        self,
        means: Means,
        ask: Callable[[Order], Decision],
        again: Callable[[str], None],
        unread: Callable[[Place], bool],
    ) -> None:
        self._means = means
        self._ask = ask
        self._again = again
        self._unread = unread
        self._running: dict[Key, asyncio.Future[Any]] = {}
        self._written: dict[Key, Place] = {}

    @property
    def in_flight(self) -> int:
        """How many tasks there are."""
        return len(self._running)

    def is_done(self, key: Key) -> bool:
        """Whether it is under way, or written and not read back yet."""
        if key in self._running:
            return True
        place = self._written.get(key)
        return place is not None and self._unread(place)

    def perform(self, order: Order, run: RunStep, key: Key, turn: Turn) -> None:
        """Performs an attempt and writes its result, unless that is under way."""
        if not self.is_done(key):
            self._running[key] = asyncio.ensure_future(self._perform(order, run, key, turn))

    def append(self, decision: Append, key: Key) -> None:
        """Writes a fact, unless that is under way."""
        if not self.is_done(key):
            self._append(decision.order, key, self._means.journal.event(*_told(decision)))

    async def drain(self, seconds: float) -> None:
        """Gives what is in flight `seconds` to end."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        for task in self._running.values():
            task.cancel()

    def forget_written(self) -> None:
        """What has come back is no longer waited for."""
        self._written = {k: place for k, place in self._written.items() if self._unread(place)}

    async def _perform(self, order: Order, run: RunStep, key: Key, turn: Turn) -> None:
        place = None
        try:
            result = await self._means.stages(order, run, turn)
            place = await self._record(order, result)
        except NotSentError:
            log.warning("a step was not sent in time", extra={"order": order.id})
        except Exception:
            log.exception("a step ended without a result", extra={"order": order.id})
        finally:
            self._ended(order, key, place)

    async def _record(self, order: Order, result: Result) -> Place:
        journal = self._means.journal
        try:
            event = journal.event(order, result)
            written = journal.append(event)
            self._write_ahead(order, event)
            return await journal.ensured(event, written)
        except (ValueError, TypeError, OverflowError):
            # It has happened and cannot be told; performing it again would end the same way.
            log.exception("a result cannot be recorded", extra={"order": order.id})
            kind = CompensationFailed if order.compensating else StepInDoubt
            doubt = kind(step=result.step, attempt=result.attempt, failure=UNRECORDABLE)
            return await journal.write(journal.event(order, doubt))

    def _write_ahead(self, order: Order, event: Event) -> None:
        """Writes what follows from a result together with it: that saves reading it back first.

        Should another result have been first, the fold ignores what does not follow from that.
        """
        folded = evolve(order, event, order.offset)
        while folded is not None and not folded.pending:
            decision = self._ask(folded)
            if not isinstance(decision, Append) or not isinstance(decision.fact, _FOLLOWING):
                return
            key = key_of(folded, decision)
            if key is None or self.is_done(key):
                return
            following = self._means.journal.event(*_told(decision))
            self._append(folded, key, following)
            folded = evolve(folded, following, folded.offset)

    def _append(self, order: Order, key: Key, event: Event) -> None:
        appended = self._means.journal.append(event)
        self._running[key] = appended
        appended.add_done_callback(lambda ack: self._appended(order, key, ack))

    def _appended(self, order: Order, key: Key, ack: "asyncio.Future[Any]") -> None:
        problem = None if ack.cancelled() else ack.exception()
        if problem is None and not ack.cancelled():
            self._ended(order, key, ack.result())
            return
        log.warning("a decision is written again: %r", problem, extra={"order": order.id})
        asyncio.get_running_loop().call_later(AGAIN_AFTER_S, lambda: self._ended(order, key, None))

    def _ended(self, order: Order, key: Key, written: Place | None) -> None:
        del self._running[key]
        if written is not None and self._unread(written):
            self._written[key] = written
        else:
            self._again(order.id)


def key_of(order: Order, decision: Decision) -> Key | None:
    """What is under way once the decision is acted upon."""
    match decision:
        case RunStep():
            return ("run", *decision.attempt_id)
        case Append():
            about = order if decision.order.id == order.id else decision.order
            return ("append", about.id, about.run, about.sequence)
        case Rest():
            return None


def _told(decision: Append) -> tuple[Order, Fact]:
    return decision.order, decision.fact
