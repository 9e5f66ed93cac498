"""Hypothesis strategies for the histories of a lane: driven, commanded, repeated, cut and stray."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import strategies as st

from schemas.commands import CommandKind
from schemas.events import (
    CommandReceived,
    CommandRejected,
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepResolved,
)
from schemas.steps import OnUnknown, Phase, Sealed, WaybillStep
from streams.core.decide import Append, Decision, Rest, RunStep, Surroundings, decide
from streams.core.evolve import applies, evolve
from streams.core.order import ENDED, Order
from tests.facts import (
    START,
    accepted,
    command,
    deferred,
    doubtful,
    event,
    failed,
    failing,
    not_undone,
    reason,
    revision,
    skipped,
    started,
    step,
    succeeded,
    undone,
)

WORKERS = ("worker-1", "worker-2")
IDS = ("order-1", "order-2", "order-3")
NAMES = ("d", "b", "a", "c")
PART = Sealed(paths=("/x",), key_id="k", subject="s", nonce=b"\x00", ciphertext=b"\xff")
SECONDS = st.integers(0, 90)


@st.composite
def waybill_steps(draw: st.DrawFn) -> tuple[WaybillStep, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)))
    main = draw(st.integers(0, len(names)))
    return tuple(
        step(
            name,
            phase=Phase.MAIN if number < main else Phase.POST,
            critical=draw(st.booleans()),
            on_unknown=draw(st.sampled_from(OnUnknown)),
            items=draw(st.sampled_from((None, None, (0,), ()))),
            compensate=draw(st.booleans()),
            reads=draw(st.sampled_from((None, (), ("n",), ("m",)))),
        )
        for number, name in enumerate(names)
    )


WAYBILLS: st.SearchStrategy[OrderAccepted] = st.builds(
    lambda steps, kind: accepted(*steps, order_type=kind),
    waybill_steps(),
    st.sampled_from(("new", "renew")),
)


@st.composite
def commands(draw: st.DrawFn, order: Order | None = None) -> CommandReceived:
    """A command of any kind; its revision is made from the order, if that is given."""
    kind = draw(st.sampled_from(CommandKind))
    brings = kind is CommandKind.AMEND or (kind is CommandKind.RETRY and draw(st.booleans()))
    made_from = b"f" if order is None else order.accepted.fingerprint
    known = () if order is None else order.accepted.waybill
    amends = {"fingerprint": draw(st.binary(min_size=1, max_size=2))}
    retries = {"document": None, "fingerprint": None}
    return command(
        kind,
        draw(st.sampled_from((None, None, *NAMES))),
        command=f"{kind}-{draw(st.integers(0, 9))}",
        output=draw(st.sampled_from((None, {"id": "x"}))),
        revision=revision(
            *draw(waybill_steps() | st.just(known)),
            base=made_from,
            changed=draw(st.sampled_from(((), ("n",)))),
            **(amends if kind is CommandKind.AMEND else retries),
        )
        if brings
        else None,
    )


RESULTS = st.builds(
    lambda make, name, attempt: make(name, attempt),
    st.sampled_from((succeeded, failed, failing, doubtful, skipped, deferred, undone, not_undone)),
    st.sampled_from(NAMES),
    st.integers(0, 5),
)


@st.composite
def decisions(draw: st.DrawFn, expected: int | None = None) -> Fact:
    """Any decision; on the given sequence, or on any."""
    on = draw(st.integers(0, 12)) if expected is None else expected
    asked = draw(st.none() | st.builds("{}-{}".format, st.sampled_from(CommandKind), SECONDS))
    name = draw(st.sampled_from(NAMES))
    answers = {"expected": on, "command": asked}
    return draw(
        st.sampled_from(
            (
                MainPhaseCompleted(**answers),
                OrderCompleted(completion="order complete", **answers),
                OrderFailed(step=name, plugin="p", failure=reason(), **answers),
                started(name, on, draw(st.sampled_from(WORKERS)), draw(st.integers(1, 4))),
                CommandRejected(code="x", reason="x", **answers),
                RetryDue(step=name, **answers),
                StepResolved(step=name, **answers),
                OrderQueued(behind=draw(st.sampled_from(IDS)), **answers),
                OrderQueued(behind="order-9", passed_by=draw(SECONDS), **answers),
                OrderReleased(**answers),
                OrderPaused(**answers),
                OrderResumed(**answers),
                OrderAmended(**answers),
                OrderReopened(step=name, **answers),
                OrderCancelled(standing=(), **answers),
            )
        )
    )


STRAY = RESULTS | decisions() | commands()


@dataclass(slots=True)
class Log:
    """A log of one lane, and what it folds to."""

    events: list[Event] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    counted: list[Event] = field(default_factory=list)
    seconds: int = 0

    def append(self, told: Event) -> bool:
        """Whether it applied."""
        order_id = told.envelope.order_id
        before = self.orders.get(order_id)
        counts = applies(before, told)
        if counts:
            self.counted.append(told)
        folded = evolve(before, told, len(self.events))
        self.events.append(told)
        if folded is not None:
            self.orders[order_id] = folded
        return counts

    def write(self, order_id: str, fact: Fact, run: int | None = None) -> bool:
        """Whether it applied; by default in the run that the order is in."""
        known = self.orders.get(order_id)
        in_run = run or (1 if known is None else known.run)
        at = START + timedelta(seconds=self.seconds)
        return self.append(event(fact, order=order_id, run=in_run, at=at))

    def around(self, worker: str, *, admitted: bool = False) -> Surroundings:
        """What a worker sees that has read everything."""
        lane = tuple(one for one in self.orders.values() if one.state not in ENDED)
        return Surroundings(worker, START + timedelta(seconds=self.seconds), lane, admitted)

    def next(self, order_id: str, worker: str, *, admitted: bool = False) -> Decision:
        return decide(self.orders[order_id], self.around(worker, admitted=admitted))


@st.composite
def outcome(draw: st.DrawFn, run: RunStep, seconds: int) -> Fact:
    """What becomes of an attempt."""
    until = START + timedelta(seconds=seconds + draw(SECONDS))
    if draw(st.integers(0, 5)) == 0:
        return deferred(run.step, run.attempt, stage=draw(st.sampled_from((None, "s@h", "t@h"))))
    if run.compensate:
        again = draw(st.sampled_from((None, until)))
        fails = not_undone(run.step, run.attempt, until=again, unknown=draw(st.booleans()))
        return draw(st.sampled_from((undone(run.step, run.attempt), fails)))
    return draw(
        st.sampled_from(
            (
                succeeded(run.step, run.attempt),
                succeeded(run.step, run.attempt, sealed=(PART,)),
                failed(run.step, run.attempt, call="charge"),
                failed(run.step, run.attempt, call="charge", definite=False),
                failing(run.step, run.attempt, until=until, call="charge"),
                failing(run.step, run.attempt, until=until, unknown=True),
                doubtful(run.step, run.attempt),
                skipped(run.step, run.attempt),
            )
        )
    )


@st.composite
def driven(draw: st.DrawFn, log: Log, order_id: str, worker: str) -> tuple[str, Fact] | None:
    """What a worker writes next, and about which order; None where the order rests."""
    decision = log.next(order_id, worker, admitted=draw(st.booleans()))
    if isinstance(decision, Rest):
        return None
    if isinstance(decision, Append):
        return decision.order.id, decision.fact
    return order_id, draw(outcome(decision, log.seconds))


ACTIONS = ("drive",) * 5 + ("repeat", "stray", "close", "late", "command")


@st.composite
def logs(draw: st.DrawFn, most: int = 40) -> Log:
    """Orders driven by two workers, one of them stale at times, with commands and strays."""
    log = Log()
    firsts = {order: draw(WAYBILLS) for order in IDS[: draw(st.integers(1, len(IDS)))]}
    late: list[tuple[str, int, Fact]] = []
    for _ in range(draw(st.integers(1, most))):
        order_id = draw(st.sampled_from(sorted(firsts)))
        log.seconds += draw(st.sampled_from((0, 1, 60)))
        action = draw(st.sampled_from(ACTIONS))
        if order_id not in log.orders:
            log.write(order_id, firsts[order_id])
        elif action == "drive":
            written = draw(driven(log, order_id, draw(st.sampled_from(WORKERS))))
            if written is not None and draw(st.integers(0, 4)) == 0:
                late.append((written[0], log.orders[written[0]].run, written[1]))
            elif written is not None:
                log.write(*written)
        elif action == "late" and late:
            told, run, fact = late.pop(draw(st.integers(0, len(late) - 1)))
            log.write(told, fact, run=run)
        else:
            draw(stirred(log, order_id, action))
    return log


@st.composite
def stirred(draw: st.DrawFn, log: Log, order_id: str, action: str) -> None:
    """Something is written that the order did not ask for."""
    known = log.orders[order_id]
    if action == "repeat":
        log.append(draw(st.sampled_from(log.events)))
    elif action == "stray":
        log.write(order_id, draw(STRAY), run=draw(st.sampled_from((None, None, 1, 2))))
    elif action == "close":
        log.write(order_id, draw(decisions(expected=known.sequence)))
    else:
        log.write(order_id, draw(commands(known)))


@st.composite
def honest_logs(draw: st.DrawFn, most: int = 60) -> Log:
    """As `logs`, but nobody writes what is not decided."""
    log = Log()
    firsts = {order: draw(WAYBILLS) for order in IDS[: draw(st.integers(1, len(IDS)))]}
    for _ in range(draw(st.integers(1, most))):
        order_id = draw(st.sampled_from(sorted(firsts)))
        log.seconds += draw(st.sampled_from((0, 1, 60)))
        known = log.orders.get(order_id)
        if known is None:
            log.write(order_id, firsts[order_id])
        elif draw(st.integers(0, 5)) == 0:
            log.write(order_id, draw(commands(known)))
        else:
            written = draw(driven(log, order_id, draw(st.sampled_from(WORKERS))))
            if written is not None:
                applied = log.write(*written)
                assert applied, f"{written[1]} was decided and does not apply"
    return log


def folded(events: Sequence[Event], order_id: str, order: Order | None = None) -> Order | None:
    for offset, told in enumerate(events):
        if told.envelope.order_id == order_id:
            order = evolve(order, told, offset)
    return order
