"""What partners were asked, against what the log said at that moment."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    OrderReopened,
    RetryDue,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResolved,
    StepSucceeded,
)
from schemas.steps import OnUnknown
from streams.core.lanes import before
from streams.core.order import DONE, ENDED, Order, StepStatus, holds_up
from tests.simulation.partners import Call, Partners

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.auditor import Auditor

APART_S = 0.5
NEWS_S = 0.5
PASSED = frozenset(StepStatus) - {StepStatus.PENDING, StepStatus.STARTED}


class Effects:
    """Judges each call as it arrives, and all of them at the end."""

    def __init__(self, auditor: "Auditor", partners: Partners) -> None:
        self._auditor = auditor
        self._partners = partners
        self._asked: dict[tuple[str, str, str], list[Call]] = {}
        self.told: list[Callable[[Call], None]] = []
        partners.answered.append(self._answered)

    def _answered(self, call: Call) -> None:
        for listener in self.told:
            listener(call)

    def arrives(self, call: Call) -> None:
        """Before the partner answers."""
        auditor = self._auditor
        order = auditor.orders.get(call.order)
        if order is None:
            auditor.problem(
                f"I-7 {call.partner} is asked about {call.order}, which is not accepted"
            )
            return
        if call.verb == "look":
            return
        place = (call.order, call.step, f"{call.verb}/{call.call}")
        earlier = self._asked.setdefault(place, [])
        replayed = any(one.key is not None and one.key == call.key for one in earlier)
        if not replayed:
            self._check_lane(order, call)
            self._check_sequence(order, call)
        if call.host in auditor.sound and call.verb == "do":
            self._check_news(order, call)
        if call.partner == "blind" and earlier:
            self._check_blind(order, call, earlier[-1])
        earlier.append(call)

    def _check_news(self, order: Order, call: Call) -> None:
        """A worker that began when nothing was wrong any more knows what the log says."""
        index = order.index_of(call.step)
        if index is None or order.progress[index].status is not StepStatus.SUCCEEDED:
            return
        told = [
            seen.at
            for seen in self._auditor.history[order.id]
            if seen.applied and isinstance(seen.event.fact, StepSucceeded)
        ]
        if told and told[-1] < call.sent - NEWS_S:
            self._auditor.problem(
                f"I-7 {call.host} asks {call.partner} for {order.id[:14]} {call.step}, "
                f"which was done at {told[-1]:.3f}"
            )

    def _check_lane(self, order: Order, call: Call) -> None:
        auditor = self._auditor
        ahead = before(order, auditor.lane_of(order)) if order.state not in ENDED else []
        for other in ahead:
            auditor.problem(
                f"lane: {call.host} asks {call.partner} for {order.id[:14]} {call.step} while "
                f"{other.id[:14]} is {other.state.value}"
            )

    def _check_sequence(self, order: Order, call: Call) -> None:
        index = order.index_of(call.step)
        if index is None:
            return
        for number in range(index):
            step, one = order.accepted.waybill[number], order.progress[number]
            done = one.status in (DONE if holds_up(step) else PASSED)
            undone = one.status in {StepStatus.COMPENSATED, StepStatus.COMPENSATING}
            if not (done or undone or call.verb == "undo"):
                self._auditor.problem(
                    f"I-7 {call.partner} is asked for {order.id[:14]} {call.step} while "
                    f"{step.id} is {one.status.value}"
                )

    def _check_blind(self, order: Order, call: Call, last: Call) -> None:
        """After the call before, somebody must have said that nothing came of it."""
        for seen in self._auditor.history[order.id]:
            fact = seen.event.fact
            if seen.at < last.sent or not seen.applied:
                continue
            by_hand = isinstance(fact, RetryDue) and fact.command is not None
            refused = isinstance(fact, StepFailed | CompensationFailed) and not fact.unknown
            if by_hand or refused or isinstance(fact, OrderReopened | CompensationSucceeded):
                return
        self._auditor.problem(
            f"I-6 {call.host} asks {call.partner} again for {order.id[:14]} {call.step}, and "
            f"nobody knows what came of the call at {last.at:.3f} ({last.fate})"
        )

    def judge_isolation(self, silent: str) -> None:
        """Nobody waited for the partner that did not answer but those who needed it."""
        for order in self._auditor.orders.values():
            plugins = {step.plugin for step in order.accepted.waybill}
            history = self._auditor.history[order.id]
            ended = [seen for seen in history if seen.after and seen.after.state in ENDED]
            if silent in plugins or not ended:
                continue
            took = ended[0].at - history[0].at
            self._auditor.met["apart"] += 1
            if took > APART_S:
                self._auditor.problem(f"I-11 {order.id[:14]} took {took:.3f} s")

    def judge(self) -> None:
        """At the end: one effect each, and every result has its effect."""
        done: dict[tuple[str, str], list[Call]] = {}
        for call in self._partners.journal:
            if call.effect:
                done.setdefault((call.order, call.step), []).append(call)
        for (order_id, step), calls in done.items():
            self._judge_step(self._auditor.orders[order_id], step, calls)
        for order in self._auditor.orders.values():
            self._judge_results(order, done)

    def _judge_step(self, order: Order, step: str, calls: list[Call]) -> None:
        auditor = self._auditor
        by_call = Counter(call.call for call in calls if call.verb == "do")
        undone = self._count(order, CompensationSucceeded, step)
        allowed = 1 + undone
        if calls[0].partner == "blind" or self._asks_nobody(order, step):
            allowed += self._by_hand(order, step)
        for name, count in by_call.items():
            if count > allowed:
                keys = [call.key and call.key[:8] for call in calls]
                auditor.problem(
                    f"I-6 {order.id[:14]} {step} {name} had {count} effects at "
                    f"{calls[0].partner}, {allowed} are right; keys {keys}"
                )
        index = order.index_of(step)
        one = None if index is None else order.progress[index]
        untold = one is not None and one.status is StepStatus.PENDING and not undone
        untold = untold and not self._is_recorded(order, step)
        if untold and by_call and self._deferred_by_another(order, step, calls):
            auditor.met["deferred_though_sent"] += 1
        elif untold and by_call and self._calls(order, step) == 1:
            auditor.problem(f"I-8 {order.id[:14]} {step} has an effect, and no result")

    def _is_recorded(self, order: Order, step: str) -> bool:
        """Whether the log says that nobody knows what came of it."""
        facts = [seen.event.fact for seen in self._auditor.history[order.id] if seen.applied]
        return any(
            isinstance(fact, StepFailed | StepInDoubt)
            and fact.step == step
            and not fact.failure.definite
            for fact in facts
        )

    def _deferred_by_another(self, order: Order, step: str, calls: list[Call]) -> bool:
        """A worker that was cut off put off for a command what its successor had sent, and died.

        Known: attempts with native keys are not announced, so the log cannot tell. Nothing is
        done twice; a cancellation does not know of the effect.
        """
        facts = [
            (seen.event.fact, seen.event.envelope.origin)
            for seen in self._auditor.history[order.id]
            if seen.applied
        ]
        put_off = {
            origin
            for fact, origin in facts
            if isinstance(fact, StepDeferred) and fact.step == step and fact.reason == "command"
        }
        return bool(put_off) and any(f"worker/{call.host}" not in put_off for call in calls)

    @staticmethod
    def _calls(order: Order, step: str) -> int:
        """How many requests the step makes; what came of some of them only people can tell."""
        index = order.index_of(step)
        options = "{}" if index is None else order.accepted.waybill[index].options
        return int(orjson.loads(options).get("calls", 1))

    @staticmethod
    def _asks_nobody(order: Order, step: str) -> bool:
        """The entry says that a person decides, even where the partner could be asked."""
        index = order.index_of(step)
        resting = {OnUnknown.REST, OnUnknown.FAIL}
        return index is not None and order.accepted.waybill[index].on_unknown in resting

    def _judge_results(self, order: Order, done: dict[tuple[str, str], list[Call]]) -> None:
        for step, one in zip(order.accepted.waybill, order.progress, strict=True):
            by_hand = self._count(order, StepResolved | OrderReopened, step.id)
            effect = done.get((order.id, step.id))
            if one.status is StepStatus.SUCCEEDED and not by_hand and not effect:
                self._auditor.problem(f"I-8 {order.id[:14]} {step.id} succeeded without effect")

    def _count(self, order: Order, kind: Any, step: str) -> int:
        history = self._auditor.history[order.id]
        facts = [seen.event.fact for seen in history if seen.applied]
        return sum(isinstance(fact, kind) and fact.step == step for fact in facts)

    def _by_hand(self, order: Order, step: str) -> int:
        """How often a person had the step done again whose outcome was unknown."""
        facts = [seen.event.fact for seen in self._auditor.history[order.id] if seen.applied]
        again = (RetryDue, OrderReopened)
        return sum(
            isinstance(fact, again) and fact.step == step and fact.command is not None
            for fact in facts
        )


__all__ = ["Effects"]
