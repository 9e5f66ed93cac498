"""What exactly a command would do to an order: the core is asked, and what it says put into words.

The command is folded onto the order as it stands, and the core decides on until the order goes on
its way. So what an operator is told beforehand cannot differ from what the worker does with the
same order; only the order may have moved on in between.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeGuard

from projections.consequence_words import Turn, doing, following, runs, still_to_come, words_of
from schemas.commands import CommandKind
from schemas.envelope import Envelope
from schemas.events import (
    CommandReceived,
    CommandRejected,
    CompensationSucceeded,
    Event,
    Fact,
    StepStarted,
    StepSucceeded,
)
from streams.core.decide import Append, Rest, RunStep, Surroundings, decide
from streams.core.evolve import evolve
from streams.core.follow_ups import follow_ups
from streams.core.order import DONE, ENDED, Order

_WORKER = "foretelling"
_STEERING = frozenset({CommandKind.RETRY, CommandKind.SKIP, CommandKind.RESOLVE})
_MOST_TURNS = 2_000
"""More than any order takes: it has some hundred steps at most."""


class Consequences(NamedTuple):
    """`refused` says why the command comes to nothing; `sentences` what happens, in order.

    `code` says for programs what `refused` says for people.
    """

    refused: str | None
    sentences: tuple[str, ...]
    code: str | None = None


def consequences(
    order: Order, asked: CommandReceived, lane: Iterable[Order], now: datetime
) -> Consequences:
    """What `asked` does to `order` as it stands.

    `lane` are the unfinished orders of its lane. Where an attempt is under way the command waits
    for it, and where something is undone before, that is taken to succeed: the sentences say so.
    """
    before = {other.id: other for other in lane}
    course = _Course(order, asked, {**before, order.id: order}, max(now, order.updated))
    course.take(order, asked)
    sentences = tuple(course.told())
    return Consequences(course.refused, sentences, course.code)


def steps_meant(order: Order, kind: CommandKind) -> list[str]:
    """The steps that such a command may be about, as they stand in the waybill."""
    if kind not in _STEERING:
        return []
    left = {index for index, _ in follow_ups(order)} if kind is CommandKind.RESOLVE else set()
    return [
        step.id
        for index, (step, one) in enumerate(
            zip(order.accepted.waybill, order.progress, strict=True)
        )
        if one.status not in DONE or index in left
    ]


@dataclass(slots=True)
class _Course:
    """The order on its way from the command on."""

    order: Order
    asked: CommandReceived
    lane: dict[str, Order]
    now: datetime
    refused: str | None = None
    code: str | None = None
    has_waited: bool = False
    offset: int = field(init=False)

    def __post_init__(self) -> None:
        self.offset = max(one.last for one in self.lane.values())

    def take(self, about: Order, fact: Fact) -> Turn:
        """Folds the fact."""
        self.offset += 1
        after = evolve(about, self._event(about, fact), self.offset)
        assert after is not None
        self.lane[about.id] = after
        if about.id == self.order.id:
            self.order = after
        return Turn(about, after, fact, self.asked)

    def told(self) -> Iterator[str]:
        for _ in range(_MOST_TURNS):
            around = Surroundings(_WORKER, self.now, list(self.lane.values()))
            decision = decide(self.order, around)
            if isinstance(decision, Rest) or (isinstance(decision, RunStep) and self._is_answered):
                yield from self._goes_on(decision)
                return
            if isinstance(decision, RunStep):
                self.has_waited = True
                yield from self._awaited(decision)
                continue
            if self._rejects(decision.fact):
                yield from self._rejected(decision.fact)
                return
            yield from self._appended(decision)

    @property
    def _is_answered(self) -> bool:
        return self.order.command(self.asked.command) is None

    def _rejects(self, fact: Fact) -> TypeGuard[CommandRejected]:
        return isinstance(fact, CommandRejected) and fact.command == self.asked.command

    def _rejected(self, fact: CommandRejected) -> Iterator[str]:
        """Refused now, or only once what it waits for is over."""
        if self.has_waited:
            yield f"Then it is rejected, and the order stays as it is: {fact.reason}."
        else:
            self.refused, self.code = fact.reason, fact.code

    def _appended(self, decision: Append) -> Iterator[str]:
        turn = self.take(decision.order, decision.fact)
        assert turn.after is not turn.before, "the core decides nothing that does not apply"
        if not isinstance(decision.fact, StepStarted):
            yield from words_of(turn)

    def _awaited(self, decision: RunStep) -> Iterator[str]:
        """What has to be over before the command is answered; it is taken to succeed."""
        yield doing(self.order, decision)
        step, attempt = decision.step, decision.attempt
        self.take(
            self.order,
            CompensationSucceeded(step=step, attempt=attempt)
            if decision.compensate
            else StepSucceeded(step=step, attempt=attempt, output={}),
        )

    def _goes_on(self, decision: Rest | RunStep) -> Iterator[str]:
        order = self.order
        if isinstance(decision, RunStep):
            yield runs(order, decision)
            yield from still_to_come(order, decision)
        elif order.state not in ENDED:
            yield from following(order)
        else:
            waiting = sum(1 for one in self.lane.values() if one.behind == order.id)
            if waiting:
                yield f"Orders queued behind it that may go on: {waiting}."

    def _event(self, about: Order, fact: Fact) -> Event:
        envelope = Envelope(
            event_id="",
            tenant=about.tenant,
            lane=about.lane,
            order_id=about.id,
            run=about.run,
            occurred_at=self.now,
            actor=_WORKER,
        )
        return Event(envelope, fact)
