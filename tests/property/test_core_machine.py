"""The core against a model: a record per order of one lane, written from the rules in words.

Orders are submitted, steps end well, badly, in doubt or not at all, wait for a time or a stage, are
undone; people command; records come twice, stale workers write late, workers change; and at any
time everything is read again from a snapshot.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.commands import CommandKind
from schemas.events import (
    CommandReceived,
    Event,
    Fact,
    OrderAccepted,
    OrderQueued,
    StepFailed,
    StepResult,
)
from schemas.steps import OnUnknown, Phase, WaybillStep
from streams.core.decide import Append, Decision, Rest, RunStep, Surroundings, decide
from streams.core.evolve import evolve
from streams.core.order import ENDED, Order
from streams.core.snapshot import restored, state_bytes
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
    revision,
    skipped,
    step,
    succeeded,
    undone,
)
from tests.property import effects
from tests.property.model import Model, Said, Step

IDS = ("order-1", "order-2", "order-3")
WORKERS = ("worker-1", "worker-2")
HOWS = ("ok", "ok", "ok", "skipped", "doubt", "failed definitely", "failed unknown", "deferred")
FLAGS = st.fixed_dictionaries(
    {name: st.booleans() for name in ("critical", "announced", "undoable", "affected")}
    | {"empty": st.sampled_from((False, False, False, True))}
)
TURNS = st.fixed_dictionaries(
    {
        "which": st.integers(0, 5),
        "worker": st.sampled_from(WORKERS),
        "how": st.sampled_from(HOWS),
        "wait": st.sampled_from((None, 0, 30, 90)),
        "stage": st.sampled_from((None, "s@h", "t@h")),
        "admitted": st.booleans(),
        "asks": st.sampled_from((None,) * 20 + tuple(CommandKind)),
        "about": st.sampled_from((None, None, None, "s0", "s1", "s2", "s9")),
        "stale": st.sampled_from((False, False, False, True)),
    }
)


def entry(number: int, flags: dict[str, bool], *, main: bool) -> WaybillStep:
    return step(
        f"s{number}",
        critical=flags["critical"],
        on_unknown=OnUnknown.REST if flags["announced"] else OnUnknown.REPEAT,
        items=() if flags["empty"] else None,
        phase=Phase.MAIN if main else Phase.POST,
        compensate=flags["undoable"],
        reads=None if flags["affected"] else (),
    )


class Core(RuleBasedStateMachine):
    """Every rule writes to the log, and tells the model what it must have come to."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Event] = []
        self.first: dict[str, OrderAccepted] = {}
        self.orders: dict[str, Order] = {}
        self.models: dict[str, Model] = {}
        self.affected: dict[str, set[str]] = {}
        self.seconds = 0
        self.asks = 0

    @property
    def now(self) -> Any:
        return START + timedelta(seconds=self.seconds)

    def write(self, order_id: str, fact: Fact, run: int | None = None) -> bool:
        """Whether it changed the order."""
        known = self.orders.get(order_id)
        in_run = run or (1 if known is None else known.run)
        told = event(fact, order=order_id, run=in_run, at=self.now)
        folded = evolve(known, told, len(self.log))
        assert folded is not None
        self.log.append(told)
        self.orders[order_id] = folded
        return folded is not known

    def next(self, order_id: str, worker: str, *, admitted: bool = False) -> Decision:
        lane = tuple(one for one in self.orders.values() if one.state not in ENDED)
        return decide(self.orders[order_id], Surroundings(worker, self.now, lane, admitted))

    @initialize(
        order_id=st.sampled_from(IDS),
        flags=st.lists(FLAGS, min_size=3, max_size=4),
        mains=st.integers(2, 4),
    )
    def one_is_there(self, order_id: str, flags: list[dict[str, bool]], mains: int) -> None:
        self.submit(order_id=order_id, flags=flags, mains=mains)

    @rule(
        order_id=st.sampled_from(IDS),
        flags=st.lists(FLAGS, min_size=2, max_size=4) | st.just([]),
        mains=st.integers(1, 4),
    )
    def submit(self, order_id: str, flags: list[dict[str, bool]], mains: int) -> None:
        entries = [entry(n, one, main=n < mains) for n, one in enumerate(flags)]
        offset = len(self.log)
        known = order_id in self.models
        assert self.write(order_id, accepted(*entries)) is not known
        if known:
            return
        self.first[order_id] = self.orders[order_id].accepted
        self.affected[order_id] = {one.id for one in entries if one.reads is None}
        steps = [
            Step(
                one.id,
                main=one.phase is Phase.MAIN,
                critical=one.critical,
                announced=one.on_unknown is OnUnknown.REST,
                empty=one.items == (),
                undoable=one.compensate,
            )
            for one in entries
        ]
        model = self.models[order_id] = Model(order_id, steps, (offset, 0), sequence=0)
        model.settle()

    @precondition(lambda self: self.models)
    @rule(turns=st.lists(TURNS, min_size=4, max_size=20))
    def workers_do_what_is_next(self, turns: list[dict[str, Any]]) -> None:
        for turn in turns:
            known = sorted(self.models)
            order_id = known[turn["which"] % len(known)]
            if turn["asks"] is not None:
                self.ask(order_id, turn["asks"], turn["about"], stale=turn["stale"])
                continue
            match self.next(order_id, turn["worker"], admitted=turn["admitted"]):
                case Append(fact, order):
                    self.append(order.id, fact, turn["worker"])
                case RunStep() as run:
                    self.finish(run, turn["how"], turn["wait"], turn["stage"])
                case Rest(due, _) if due is not None and turn["admitted"]:
                    self.seconds += 60
            self.the_core_says_what_the_model_says()

    def append(self, order_id: str, fact: Fact, worker: str) -> None:
        model, offset = self.models[order_id], len(self.log)
        assert self.write(order_id, fact), f"{fact} was decided and does not apply"
        if isinstance(fact, OrderQueued):
            effects.queued(model, fact.behind, fact.passed_by, offset)
            return
        if isinstance(fact, StepResult):
            effects.result(model, "skipped", now=self.now)
            return
        kind, about = type(fact).__name__, getattr(fact, "step", None)
        effects.answered(model, getattr(fact, "command", None), kind)
        effects.appended(model, kind, step=about, worker=worker, offset=offset)

    def finish(self, run: RunStep, how: str, wait: int | None, stage: str | None) -> None:
        until = None if wait is None else self.now + timedelta(seconds=wait)
        if run.compensate and how in {"skipped", "doubt"}:
            how = "ok"
        told = self.outcome(run, how, until, stage)
        assert self.write(run.order_id, told)
        effects.result(self.models[run.order_id], how, now=self.now, until=until, stage=stage)

    def outcome(self, run: RunStep, how: str, until: Any, stage: str | None) -> Fact:
        name, attempt = run.step, run.attempt
        unknown = how == "failed unknown"
        if how == "deferred":
            return deferred(name, attempt, stage=stage)
        if run.compensate:
            fails = not_undone(name, attempt, until=until, unknown=unknown)
            return undone(name, attempt) if how == "ok" else fails
        if how in {"ok", "skipped", "doubt"}:
            return {"ok": succeeded, "skipped": skipped, "doubt": doubtful}[how](name, attempt)
        if until is None:
            final: StepFailed = failed(name, attempt, call="pay", definite=not unknown)
            return replace(final, unknown=unknown)
        return failing(name, attempt, until=until, unknown=unknown, call="pay")

    @rule(seconds=st.sampled_from((1, 30, 90)))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds

    def ask(self, order_id: str, kind: CommandKind, about: str | None, *, stale: bool) -> None:
        """Somebody commands."""
        model, order = self.models[order_id], self.orders[order_id]
        self.asks += 1
        name, brings = f"command-{self.asks}", f"amended-{self.asks}".encode()
        base = b"stale" if stale else order.accepted.fingerprint
        more: dict[str, Any] = {"command": name, "output": {"id": "x"}}
        if kind is CommandKind.AMEND:
            more["revision"] = revision(
                *order.accepted.waybill, base=base, fingerprint=brings, changed=("n",)
            )
        asked: CommandReceived = command(kind, about, **more)
        assert self.write(order_id, asked)
        assert not self.write(order_id, asked), "a repeated command has no second effect"
        touched = self.affected[order_id]
        undoes = (
            (lambda of: [one for one in of.steps if one.id in touched])
            if kind is CommandKind.AMEND
            else (lambda of: of.steps)
        )
        model.asked.append(
            {
                "command": name,
                "kind": kind.value,
                "step": about,
                "base": base,
                "brings": brings,
                "undoes": undoes,
            }
        )
        model.settle()

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def a_record_comes_again(self, data: st.DataObject) -> None:
        told = data.draw(st.sampled_from(self.log))
        assert not self.write(told.envelope.order_id, told.fact, run=told.envelope.run)

    @precondition(lambda self: self.models)
    @rule(
        data=st.data(),
        make=st.sampled_from((succeeded, failed, failing, doubtful, deferred, undone, not_undone)),
        number=st.integers(0, 4),
        off=st.sampled_from((-2, -1, 1)),
    )
    def a_stale_worker_writes_a_result(
        self, data: st.DataObject, make: Any, number: int, off: int
    ) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.models)))
        model, name = self.models[order_id], f"s{number}"
        known = {one.id: one.attempt for one in model.steps}
        attempt = known.get(name, 1) + off
        assert not self.write(order_id, make(name, attempt))

    @rule()
    def everything_is_read_from_a_snapshot(self) -> None:
        """Another process takes over, from bytes."""
        for order_id, order in self.orders.items():
            again = restored(state_bytes(order), self.first[order_id])
            assert again == order
            self.orders[order_id] = again

    @invariant()
    def the_core_says_what_the_model_says(self) -> None:
        lane = list(self.models.values())
        for order_id, model in self.models.items():
            order = self.orders[order_id]
            fresh = model.state == "processing" and order.state == "accepted"
            assert order.state == model.state or fresh
            assert [one.status for one in order.progress] == [one.how for one in model.steps]
            assert [one.attempts for one in order.progress] == [one.tries for one in model.steps]
            assert (order.sequence, order.run) == (model.sequence, model.run)
            assert order.generations == model.generations
            assert set(order.context) == model.handed_on
            for worker in WORKERS:
                for admitted in (False, True):
                    said = spoken(self.next(order_id, worker, admitted=admitted))
                    assert said == model.next(lane, worker, self.now, admitted=admitted)

    @invariant()
    def one_order_of_the_lane_runs_at_a_time(self) -> None:
        running = [
            order_id
            for order_id, order in self.orders.items()
            if order.state not in ENDED and isinstance(self.next(order_id, "worker-1"), RunStep)
        ]
        assert len(running) <= 1

    def teardown(self) -> None:
        folded: dict[str, Order | None] = {}
        for offset, told in enumerate(self.log):
            order_id = told.envelope.order_id
            folded[order_id] = evolve(folded.get(order_id), told, offset)
        assert folded == self.orders


def spoken(decision: Decision) -> Said:
    """The decision as the model puts it."""
    match decision:
        case RunStep():
            undo, recover = decision.compensate, decision.recover
            return ("run", decision.step, decision.attempt, undo, recover, decision.doubt)
        case Append(fact):
            kind = type(fact).__name__
            about = getattr(fact, "code", None)
            if kind in {"RetryDue", "StepResolved"}:
                about = getattr(fact, "step", None)
            return ("append", kind) if about is None else ("append", kind, about)
        case Rest(due, stage):
            return ("rest",) if due is None and stage is None else ("rest", due, stage)


TestCore = Core.TestCase
TestCore.settings = settings(max_examples=150, stateful_step_count=12, deadline=None)
