"""What holds for the fold of any history, however it was driven, commanded, repeated and cut."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import (
    CommandReceived,
    CommandRejected,
    Decided,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderReopened,
    StepResult,
    StepStarted,
)
from schemas.steps import OnUnknown
from streams.core.decide import Append, Rest, RunStep
from streams.core.evolve import evolve
from streams.core.order import ENDED, FINAL, State, StepStatus
from streams.core.snapshot import restored, state_bytes
from streams.core.wakes import wake
from tests.facts import event
from tests.histories import STRAY, WAYBILLS, WORKERS, Log, driven, folded, honest_logs, logs

often = settings(max_examples=40, deadline=None)
ENDS = (OrderCompleted, OrderFailed, OrderCancelled)


@often
@given(logs(), st.data())
def test_folding_in_two_halves_through_a_snapshot_is_folding_in_one(
    log: Log, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(log.events)))
    for order_id, whole in log.orders.items():
        acceptance = next(e.fact for e in log.events if e.envelope.order_id == order_id)
        assert isinstance(acceptance, OrderAccepted)
        half = None
        for offset, told in enumerate(log.events):
            if offset == cut and half is not None:
                half = restored(state_bytes(half), acceptance)
            if told.envelope.order_id == order_id:
                half = evolve(half, told, offset)
        assert half == whole
        assert state_bytes(half) == state_bytes(whole)


@often
@given(logs())
def test_a_snapshot_holds_the_whole_order(log: Log) -> None:
    for order in log.orders.values():
        again = restored(state_bytes(order), order.accepted)
        assert again == order
        assert state_bytes(again) == state_bytes(order)
        assert wake(again) == wake(order)


@often
@given(logs(), st.data())
def test_what_applied_once_never_applies_again(log: Log, data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(log.counted), max_size=8))
    for order_id, order in log.orders.items():
        assert folded(log.counted, order_id, order) is order
        assert folded(again, order_id, order) is order


@often
@given(logs())
def test_what_did_not_apply_could_as_well_not_be_there(log: Log) -> None:
    for order_id, order in log.orders.items():
        lean = folded(log.counted, order_id)
        assert lean is not None
        assert lean._replace(offset=order.offset, passes=order.passes, last=order.last) == order


@often
@given(logs())
def test_the_sequence_counts_the_applied_events(log: Log) -> None:
    applied = Counter(told.envelope.order_id for told in log.counted)
    assert {order: log.orders[order].sequence for order in log.orders} == applied


@often
@given(st.lists(STRAY, max_size=60), WAYBILLS, st.data())
def test_any_events_in_any_order_can_be_folded_and_decided(
    strays: list[Fact], first: OrderAccepted, data: st.DataObject
) -> None:
    log, counted = Log(), 0
    log.write("order-1", first)
    for fact in strays:
        order = log.orders["order-1"]
        told: Any = fact
        if isinstance(fact, Decided) and data.draw(st.booleans()):
            asked = data.draw(st.sampled_from([fact.command, *order.commands[-3:]]))
            told = replace(fact, expected=order.sequence, command=asked)
        counted += log.write("order-1", told, run=data.draw(st.sampled_from((None, 1, 2))))
        decision = log.next("order-1", "worker-1")
        if isinstance(decision, Append):
            assert evolve(decision.order, event(decision.fact, run=decision.order.run), 999)
    assert log.orders["order-1"].sequence == counted + 1


@often
@given(logs(), st.lists(STRAY, min_size=1, max_size=10))
def test_once_at_its_final_end_an_order_rests_and_takes_no_result(
    log: Log, late: list[Fact]
) -> None:
    for order in log.orders.values():
        if order.state is State.CANCELLED:
            for fact in late:
                if isinstance(fact, StepResult):
                    assert evolve(order, event(fact, order=order.id, run=order.run), 999) is order
        if order.state in ENDED:
            for fact in late:
                known = evolve(order, event(fact, order=order.id, run=order.run), 999)
                assert known is not None
                assert known.state is order.state


@often
@given(honest_logs())
def test_nothing_is_decided_in_vain_and_no_order_is_stuck(log: Log) -> None:
    """An order that rests waits for a time, a stage, a person or another order, or has ended."""
    for order_id, order in log.orders.items():
        decision = log.next(order_id, "worker-1")
        if not isinstance(decision, Rest) or order.state in ENDED:
            continue
        person = order.state in {State.IN_DOUBT, State.PAUSED}
        lane = log.around("worker-1").lane
        waits = decision.due is not None or decision.stage is not None
        assert person or waits or (order.behind is not None and len(tuple(lane)) > 1), order.state
        assert person or order.state in {State.WAITING, State.QUEUED}


@often
@given(honest_logs())
def test_two_orders_of_a_lane_never_run_at_once(log: Log) -> None:
    for worker in WORKERS:
        running = [
            order_id
            for order_id, order in log.orders.items()
            if order.state not in ENDED and isinstance(log.next(order_id, worker), RunStep)
        ]
        assert len(running) <= 1


@often
@given(honest_logs())
def test_a_run_has_one_end_and_a_command_one_answer(log: Log) -> None:
    ends: Counter[tuple[str, int]] = Counter()
    answers: Counter[tuple[str, str]] = Counter()
    for told in log.counted:
        order_id, fact = told.envelope.order_id, told.fact
        if isinstance(fact, (OrderCompleted, OrderFailed)):
            ends[order_id, told.envelope.run] += 1
        if isinstance(fact, Decided) and fact.command is not None:
            answers[order_id, fact.command] += 1
    assert set(ends.values()) <= {1}
    assert set(answers.values()) <= {1}
    for order_id, order in log.orders.items():
        pending = {one.command for one in order.pending}
        asked = set(order.commands)
        assert {name for known, name in answers if known == order_id} == asked - pending
        kinds = [type(e.fact) for e in log.counted if e.envelope.order_id == order_id]
        assert kinds.count(OrderReopened) == order.run - 1
        assert kinds.count(MainPhaseCompleted) == order.main_completed
        assert kinds.count(OrderCompleted) == (order.state is State.COMPLETED)
        assert kinds.count(OrderCancelled) == (order.state is State.CANCELLED)


@often
@given(WAYBILLS, st.data())
def test_every_order_that_keeps_being_driven_comes_to_an_end_or_to_a_person(
    first: OrderAccepted, data: st.DataObject
) -> None:
    log, sent = Log(), 0
    log.write("order-1", first)
    while True:
        written = data.draw(driven(log, "order-1", data.draw(st.sampled_from(WORKERS))))
        if written is None:
            decision = log.next("order-1", "worker-1")
            assert isinstance(decision, Rest)
            if decision.due is None and decision.stage is None:
                break
            log.seconds += 100
            written = data.draw(driven(log, "order-1", "worker-1"))
            if written is None:
                continue
        assert log.write(*written)
        sent += isinstance(written[1], StepResult)
        if sent > 12:
            return
    order = log.orders["order-1"]
    assert order.state in ENDED or order.state is State.IN_DOUBT


@often
@given(logs())
def test_what_is_not_done_or_is_undone_hands_on_nothing(log: Log) -> None:
    for order in log.orders.values():
        if order.revised:
            continue  # a step that was done may have been left out
        zipped = zip(order.accepted.waybill, order.progress, strict=True)
        never = {StepStatus.PENDING, StepStatus.COMPENSATED, StepStatus.SKIPPED}
        undone = {one.id for one, progress in zipped if progress.status in never}
        assert not set(order.context) & undone
        assert set(order.sealed) <= set(order.context)


@often
@given(honest_logs())
def test_a_step_that_is_sent_unannounced_is_one_that_may_be_repeated(log: Log) -> None:
    for order_id, order in log.orders.items():
        decision = log.next(order_id, "worker-1")
        if isinstance(decision, RunStep):
            assert order.open_step is not None
            announced = order.started_by is not None
            assert announced or order.open_step.on_unknown is OnUnknown.REPEAT
            assert decision.recover is (announced and order.started_by != "worker-1")
        if isinstance(decision, Append) and isinstance(decision.fact, StepStarted):
            assert order.started_by is None


@often
@given(honest_logs())
def test_no_later_step_of_the_main_phase_begins_behind_a_critical_one_that_is_not_done(
    log: Log,
) -> None:
    for order_id, order in log.orders.items():
        decision = log.next(order_id, "worker-1")
        if not isinstance(decision, RunStep) or decision.compensate:
            continue
        index = order.index_of(decision.step)
        assert index is not None
        before = zip(order.accepted.waybill[:index], order.progress[:index], strict=True)
        for one, progress in before:
            if one.critical and one.phase == "main":
                assert progress.status in {StepStatus.SUCCEEDED, StepStatus.SKIPPED}


@often
@given(logs())
def test_an_order_at_a_final_end_answers_every_command_with_a_refusal_or_a_repeat(
    log: Log,
) -> None:
    for order_id, order in log.orders.items():
        if order.state in FINAL and order.pending and order.open_at is None:
            decision = log.next(order_id, "worker-1")
            assert isinstance(decision, Append)
            assert not isinstance(decision.fact, CommandReceived)
            if order.state is State.CANCELLED:
                assert isinstance(decision.fact, CommandRejected)
