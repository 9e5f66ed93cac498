"""The core against a model: a dictionary per order, written from the rules in words.

Orders are submitted, steps end well, badly or in doubt, records come twice, stale workers write
late, workers change, and at any time everything is read again from a snapshot.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.events import Event, Fact
from schemas.steps import OnUnknown, Phase, WaybillStep
from streams.core.decide import Append, Rest, RunStep, decide
from streams.core.order import Order, evolve
from streams.core.snapshot import restored, state_bytes
from tests.facts import accepted, doubtful, event, failed, started, step, succeeded

IDS = ("order-1", "order-2")
WORKERS = ("worker-1", "worker-2")
END = {"completed", "failed"}


def waybill(flags: list[tuple[bool, bool, bool]], mains: int) -> tuple[WaybillStep, ...]:
    """Steps from (critical, announced, empty); the first `mains` are of the main phase."""
    return tuple(
        step(
            f"s{number}",
            critical=critical,
            on_unknown=OnUnknown.REST if announced else OnUnknown.REPEAT,
            items=() if empty else None,
            phase=Phase.MAIN if number < mains else Phase.POST,
        )
        for number, (critical, announced, empty) in enumerate(flags)
    )


@dataclass(slots=True)
class Model:
    """What the rules say of one order: where it stands, and what was written of it."""

    steps: list[dict[str, Any]]
    state: str = "accepted"
    place: int = 0
    main_done: bool = False
    announced_by: str | None = None
    statuses: list[str] = field(default_factory=list)
    generations: dict[str, int] = field(default_factory=dict)
    sequence: int = 1

    def current(self) -> dict[str, Any] | None:
        """The open step."""
        if self.state in {"completed", "failed", "doubt", "failing"}:
            return None
        if self.place == len(self.steps):
            return None
        one = self.steps[self.place]
        return one if self.main_done or one["main"] else None

    def decision(self, worker: str) -> tuple[Any, ...]:
        if self.state in {*END, "doubt"}:
            return ("rest",)
        one, written = self.current(), self.to_be_written()
        if written is not None or one is None:
            return ("append", written)
        return ("run", one["id"], one["announced"] and self.announced_by != worker)

    def to_be_written(self) -> str | None:
        one = self.current()
        if self.state == "failing":
            return "OrderFailed"
        if one is None:
            return "OrderCompleted" if self.main_done else "MainPhaseCompleted"
        if one["empty"]:
            return "StepSkipped"
        return "StepStarted" if one["announced"] and self.announced_by is None else None

    def ended(self, how: str) -> None:
        """The open step ended."""
        one = self.current()
        assert one is not None
        self.sequence += 1
        self.statuses[self.place] = how
        if one["critical"] and one["main"] and how in {"failed", "in_doubt"}:
            self.state = "failing" if how == "failed" else "doubt"
            return
        self.state = "post" if self.main_done else "processing"
        self.place, self.announced_by = self.place + 1, None

    def told(self, kind: str, worker: str) -> None:
        """What `decision` asked to be written is read."""
        if kind == "StepSkipped":
            self.ended("skipped")
            return
        self.sequence += 1
        if kind == "StepStarted":
            self.announced_by = worker
            self.statuses[self.place] = "started"
        elif kind == "MainPhaseCompleted":
            self.main_done, self.state = True, "post"
        else:
            self.state = "completed" if kind == "OrderCompleted" else "failed"


STATES = {
    "accepted": {"accepted"},
    "processing": {"processing", "failing"},
    "in_doubt": {"doubt"},
    "post_processing": {"post"},
    "completed": {"completed"},
    "failed": {"failed"},
}


class Core(RuleBasedStateMachine):
    """Every rule writes to the log, and tells the model what it must have come to."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Event] = []
        self.orders: dict[str, Order] = {}
        self.models: dict[str, Model] = {}
        self.decided: list[tuple[str, Fact]] = []

    def write(self, order_id: str, fact: Fact, offset: int | None = None) -> None:
        told = event(fact, order=order_id)
        at = len(self.log) if offset is None else offset
        folded = evolve(self.orders.get(order_id), told, at)
        assert folded is not None
        self.log.append(told)
        self.orders[order_id] = folded

    @rule(
        order_id=st.sampled_from(IDS),
        flags=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=4),
        mains=st.integers(0, 4),
    )
    def submit(self, order_id: str, flags: list[tuple[bool, bool, bool]], mains: int) -> None:
        """The first acceptance counts; every later one, of whatever body, is ignored."""
        self.write(order_id, accepted(*waybill(flags, mains)))
        if order_id not in self.models:
            plain = [
                {"id": f"s{n}", "main": n < mains, "critical": c, "announced": a, "empty": e}
                for n, (c, a, e) in enumerate(flags)
            ]
            self.models[order_id] = Model(plain, statuses=["pending"] * len(plain))

    @precondition(lambda self: self.models)
    @rule(
        data=st.data(),
        worker=st.sampled_from(WORKERS),
        how=st.sampled_from(("ok", "ok", "failed", "vague", "doubt")),
    )
    def drive(self, data: st.DataObject, worker: str, how: str) -> None:
        """A worker does what is next."""
        order_id = data.draw(st.sampled_from(sorted(self.models)))
        order, model = self.orders[order_id], self.models[order_id]
        decision = decide(order, worker)
        match decision:
            case Rest():
                return
            case Append(fact):
                self.decided.append((order_id, fact))
                self.write(order_id, fact)
                model.told(type(fact).__name__, worker)
            case RunStep():
                self.finish(model, decision, how)

    def finish(self, model: Model, run: RunStep, how: str) -> None:
        facts = {
            "ok": succeeded(run.step, run.attempt),
            "failed": failed(run.step, run.attempt, call="pay"),
            "vague": failed(run.step, run.attempt, call="pay", definite=False),
            "doubt": doubtful(run.step, run.attempt),
        }
        if how == "failed":
            call = f"{run.step}/pay"
            model.generations[call] = model.generations.get(call, 0) + 1
        words = {"ok": "succeeded", "doubt": "in_doubt"}
        self.write(run.order_id, facts[how])
        model.ended(words.get(how, "failed"))

    @precondition(lambda self: self.decided)
    @rule(data=st.data())
    def write_a_decision_again(self, data: st.DataObject) -> None:
        """A worker that did not see its own decision come back."""
        self.write(*data.draw(st.sampled_from(self.decided)))

    @precondition(lambda self: self.models)
    @rule(data=st.data(), worker=st.sampled_from(WORKERS), off=st.sampled_from((-2, -1, 1, 2)))
    def announce_late(self, data: st.DataObject, worker: str, off: int) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.models)))
        name = data.draw(st.sampled_from(("s0", "s1", "s2", "s3")))
        self.write(order_id, started(name, self.orders[order_id].sequence + off, worker))

    @precondition(lambda self: self.models)
    @rule(
        data=st.data(),
        make=st.sampled_from((succeeded, failed, doubtful)),
        number=st.integers(0, 4),
        attempt=st.integers(0, 2),
    )
    def finish_late(self, data: st.DataObject, make: Any, number: int, attempt: int) -> None:
        """A stale worker's result of another step or attempt than the open one."""
        order_id = data.draw(st.sampled_from(sorted(self.models)))
        one = self.models[order_id].current()
        if one is None or (one["id"], 1) != (f"s{number}", attempt):
            self.write(order_id, make(f"s{number}", attempt))

    @rule()
    def replay_from_a_snapshot(self) -> None:
        """Another process takes over, from bytes; and one that reads everything sees the same."""
        for order_id, order in self.orders.items():
            again = restored(state_bytes(order), order.accepted)
            assert again == order
            self.orders[order_id] = again

    @invariant()
    def the_core_says_what_the_model_says(self) -> None:
        for order_id, model in self.models.items():
            order = self.orders[order_id]
            assert model.state in STATES[order.state]
            assert [progress.status for progress in order.progress] == model.statuses
            assert (order.sequence, order.position) == (model.sequence, model.place)
            assert order.generations == model.generations
            done = zip(model.steps, model.statuses, strict=True)
            assert set(order.context) == {one["id"] for one, how in done if how == "succeeded"}
            for worker in WORKERS:
                assert said(decide(order, worker)) == model.decision(worker)

    def teardown(self) -> None:
        folded: dict[str, Order | None] = {}
        for offset, told in enumerate(self.log):
            order_id = told.envelope.order_id
            folded[order_id] = evolve(folded.get(order_id), told, offset)
        assert folded == self.orders


def said(decision: RunStep | Append | Rest) -> tuple[Any, ...]:
    """The decision as the model puts it."""
    match decision:
        case RunStep():
            return ("run", decision.step, decision.recover)
        case Append(fact):
            return ("append", type(fact).__name__)
        case Rest():
            return ("rest",)


TestCore = Core.TestCase
TestCore.settings = settings(max_examples=2_000, stateful_step_count=25, deadline=None)
