"""What holds for the fold of any history, however it was driven, repeated and cut."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import (
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderCompleted,
    OrderFailed,
    StepStarted,
)
from schemas.steps import OnUnknown, Phase, Sealed
from streams.core.decide import Append, Rest, RunStep, decide, is_moving
from streams.core.order import ENDED, Order, State, applies, evolve
from streams.core.snapshot import restored, state_bytes
from tests.facts import (
    START,
    accepted,
    doubtful,
    event,
    failed,
    reason,
    skipped,
    started,
    step,
    succeeded,
)

WORKERS = ("worker-1", "worker-2")
IDS = ("order-1", "order-2", "order-3")
NAMES = ("d", "b", "a", "c")
STEPS = [
    st.builds(
        step,
        st.just(name),
        critical=st.booleans(),
        on_unknown=st.sampled_from(OnUnknown),
        items=st.sampled_from((None, (0,), ())),
    )
    for name in NAMES
]
PART = Sealed(paths=("/x",), key_id="k", subject="s", nonce=b"\x00", ciphertext=b"\xff")


@st.composite
def waybills(draw: st.DrawFn) -> OrderAccepted:
    length = draw(st.integers(0, len(NAMES)))
    main = draw(st.integers(0, length))
    phases = [Phase.MAIN] * main + [Phase.POST] * (length - main)
    steps = [draw(strategy) for strategy in STEPS[:length]]
    placed = [
        step(one.id, phase=phase, critical=one.critical, on_unknown=one.on_unknown, items=one.items)
        for one, phase in zip(steps, phases, strict=True)
    ]
    return accepted(*placed, order_type=draw(st.sampled_from(("new", "renew"))))


RESULTS = st.builds(
    lambda make, name, attempt: make(name, attempt),
    st.sampled_from((succeeded, failed, doubtful, skipped)),
    st.sampled_from(NAMES),
    st.integers(0, 2),
)
DECISIONS = st.integers(0, 12).flatmap(
    lambda expected: st.sampled_from(
        (
            MainPhaseCompleted(expected=expected),
            OrderCompleted(expected=expected, completion="order complete"),
            OrderFailed(expected=expected, step="a", plugin="p", failure=reason()),
            *(started(name, expected, worker) for name in NAMES for worker in WORKERS),
        )
    )
)
STRAY = RESULTS | DECISIONS


def outcome(draw: st.DrawFn, run: RunStep) -> Fact:
    make = draw(st.sampled_from(("ok", "sealed", "failed", "vague", "doubt", "skipped")))
    if make == "failed":
        return failed(run.step, run.attempt, call="charge")
    if make == "vague":
        return failed(run.step, run.attempt, call="charge", definite=False)
    if make == "doubt":
        return doubtful(run.step, run.attempt)
    if make == "skipped":
        return skipped(run.step, run.attempt)
    return succeeded(run.step, run.attempt, sealed=(PART,) if make == "sealed" else ())


@dataclass(slots=True)
class Log:
    """A log of some orders, and what it folds to."""

    events: list[Event] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    counted: list[Event] = field(default_factory=list)

    def append(self, told: Event) -> None:
        order_id = told.envelope.order_id
        before = self.orders.get(order_id)
        if applies(before, told):
            self.counted.append(told)
        folded = evolve(before, told, len(self.events))
        self.events.append(told)
        if folded is not None:
            self.orders[order_id] = folded


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Orders driven by two workers, one of them stale at times, with repeats and strays."""
    log = Log()
    firsts = {order: draw(waybills()) for order in IDS[: draw(st.integers(1, len(IDS)))]}
    stale: dict[str, Order] = {}
    for number in range(draw(st.integers(1, 40))):
        order_id = draw(st.sampled_from(sorted(firsts)))
        at = START + timedelta(seconds=number)
        known = log.orders.get(order_id)
        action = draw(st.sampled_from(("drive", "drive", "drive", "repeat", "stray", "stale")))
        if known is None:
            log.append(event(firsts[order_id], order=order_id, at=at))
        elif action == "repeat":
            log.append(draw(st.sampled_from(log.events)))
        elif action == "stray":
            run = draw(st.sampled_from((1, 1, 2)))
            log.append(event(draw(STRAY), order=order_id, at=at, run=run))
        else:
            seen = stale.setdefault(order_id, known) if action == "stale" else known
            fact = driven(draw, seen, draw(st.sampled_from(WORKERS)))
            if fact is not None:
                log.append(event(fact, order=order_id, at=at))
            if draw(st.integers(0, 5)) == 0:
                stale[order_id] = known
    return log


def driven(draw: st.DrawFn, order: Order, worker: str) -> Fact | None:
    """What a worker writes that sees the order so; None where it rests."""
    decision = decide(order, worker)
    if isinstance(decision, Rest):
        return None
    return decision.fact if isinstance(decision, Append) else outcome(draw, decision)


def folded(events: Sequence[Event], order_id: str, order: Order | None = None) -> Order | None:
    for offset, told in enumerate(events):
        if told.envelope.order_id == order_id:
            order = evolve(order, told, offset)
    return order


often = settings(max_examples=150, deadline=None)


@often
@given(logs(), st.data())
def test_folding_in_two_halves_through_a_snapshot_is_folding_in_one(
    log: Log, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(log.events)))
    for order_id, whole in log.orders.items():
        half = folded(log.events[:cut], order_id)
        if half is not None:
            half = restored(state_bytes(half), half.accepted)
            rest = folded(log.events[cut:], order_id, half)
            assert rest == whole
            assert state_bytes(rest) == state_bytes(whole)


@often
@given(logs())
def test_a_snapshot_holds_the_whole_order(log: Log) -> None:
    for order in log.orders.values():
        again = restored(state_bytes(order), order.accepted)
        assert again == order
        assert state_bytes(again) == state_bytes(order)
        assert [decide(again, worker) for worker in WORKERS] == [
            decide(order, worker) for worker in WORKERS
        ]


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
        assert lean._replace(offset=order.offset) == order


@often
@given(logs())
def test_the_sequence_counts_the_applied_events(log: Log) -> None:
    applied = Counter(told.envelope.order_id for told in log.counted)
    assert {order: log.orders[order].sequence for order in log.orders} == applied


@often
@given(logs(), st.lists(STRAY, min_size=1, max_size=10))
def test_once_ended_an_order_rests_and_takes_no_result(log: Log, late: list[Fact]) -> None:
    for order in log.orders.values():
        if order.state in ENDED:
            assert {type(decide(order, worker)) for worker in WORKERS} == {Rest}
            for fact in late:
                if not isinstance(fact, (MainPhaseCompleted, OrderCompleted, OrderFailed)):
                    assert evolve(order, event(fact, order=order.id), 999) is order


@often
@given(waybills(), st.data())
def test_every_order_that_keeps_being_driven_comes_to_rest(
    first: OrderAccepted, data: st.DataObject
) -> None:
    log, facts = Log(), 0
    log.append(event(first))
    while is_moving(log.orders["order-1"]):
        fact = data.draw(_next(log.orders["order-1"]))
        log.append(event(fact))
        facts += 1
        # Each step is announced and ends; the phase and the order end.
        assert facts <= 2 * len(first.waybill) + 2
    order = log.orders["order-1"]
    kinds = [type(told.fact) for told in log.events]
    assert order.state in ENDED or order.state is State.IN_DOUBT
    assert kinds.count(MainPhaseCompleted) == order.main_completed
    assert kinds.count(OrderCompleted) + kinds.count(OrderFailed) == (order.state in ENDED)
    assert log.counted == log.events, "nothing is decided in vain"


@st.composite
def _next(draw: st.DrawFn, order: Order) -> Fact:
    fact = driven(draw, order, draw(st.sampled_from(WORKERS)))
    assert fact is not None
    return fact


@often
@given(logs())
def test_outputs_are_handed_on_by_steps_that_succeeded_and_by_no_other(log: Log) -> None:
    for order in log.orders.values():
        zipped = zip(order.accepted.waybill, order.progress, strict=True)
        done = {one.id for one, progress in zipped if progress.status == "succeeded"}
        assert set(order.context) == done
        assert set(order.sealed) <= done


@often
@given(logs())
def test_a_step_that_is_sent_unannounced_is_one_that_may_be_repeated(log: Log) -> None:
    for order in log.orders.values():
        decision = decide(order, "worker-1")
        if isinstance(decision, RunStep):
            assert order.step is not None
            announced = order.started_by is not None
            assert announced or order.step.on_unknown is OnUnknown.REPEAT
            assert decision.recover is (announced and order.started_by != "worker-1")
        if isinstance(decision, Append) and isinstance(decision.fact, StepStarted):
            assert order.started_by is None
