"""Deliberate breaks of the product, one at a time, that the simulation must find.

Nothing of this is reachable from the product: each break replaces attributes while it lasts.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from plugins.api import Done, NotDone
from plugins.perform import InDoubt, Performed
from plugins.stage import Stage
from schemas.events import CommandRejected, Decided, OrderAccepted
from streams.agents import acting, orchestrator, stages, trying
from streams.agents.acting import Acting, key_of
from streams.agents.journal import Journal
from streams.agents.loading import Loading
from streams.agents.partition import Partition
from streams.agents.timers import Timers
from streams.agents.turn import Turn
from streams.core import decide as deciding
from streams.core import evolve as evolving
from streams.core import ids, intake
from streams.core.decide import Append, RunStep
from tests.simulation import store
from tests.simulation.loop import HOST


@dataclass(frozen=True, slots=True)
class Mutant:
    """A break, the invariant that it goes against, and what it does.

    `masked` says what makes up for it, where the product has two means against the same harm.
    """

    name: str
    invariant: str
    what: str
    masked: str
    breaks: Callable[[], AbstractContextManager[None]]


MUTANTS: list[Mutant] = []


def mutant(
    invariant: str, what: str, masked: str = ""
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Decorator: the function, a generator that breaks, yields and mends, is a mutant."""

    def made(breaks: Callable[[], Any]) -> Callable[[], Any]:
        name = breaks.__name__.replace("_", "-")
        MUTANTS.append(Mutant(name, invariant, what, masked, contextmanager(breaks)))
        return breaks

    return made


@contextmanager
def replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    """The attributes are these while it lasts."""
    kept = {name: vars(owner)[name] for name in attributes}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(owner, name, value)


@mutant("I-1", "what could not be written is given up instead of written again")
def produce_once() -> Iterator[None]:
    async def ensured(self: Journal, event: Any, written: Any) -> None:
        del self, event
        try:
            await written
        except Exception:  # noqa: BLE001 (the break itself)
            return

    with replaced(Journal, ensured=ensured):
        yield


@mutant("I-2", "an order's id follows from the record that brought it")
def id_of_the_record() -> Iterator[None]:
    real = intake.Intake.prepare

    def prepare(self: Any, submission: Any) -> Any:
        found = real(self, submission)
        other = ids.order_id(submission.tenant, submission.origin, found.lane)
        return replace(found, order_id=other)

    with replaced(intake.Intake, prepare=prepare):
        yield


@mutant("I-3", "a decision applies wherever it was expected, due or not")
def never_asks_whether_due() -> Iterator[None]:
    with replaced(evolving, is_due=lambda *_: True):
        yield


@mutant("I-4", "a result applies whichever attempt it is of")
def any_attempt() -> Iterator[None]:
    def is_open(order: Any, run: int, fact: Any) -> bool:
        step = order.open_step
        return step is not None and run == order.run and fact.step == step.id

    with replaced(evolving, is_open=is_open):
        yield


@mutant("I-4", "a command's id may come twice")
def commands_apply_again() -> Iterator[None]:
    real = evolving.applies

    def applies(order: Any, event: Any) -> bool:
        fact = event.fact
        again = order is not None and isinstance(fact, evolving.CommandReceived)
        return again or real(order, event)

    with replaced(evolving, applies=applies):
        yield


@mutant("I-5", "a decision applies whatever has happened since it was made")
def stale_decisions() -> Iterator[None]:
    real = evolving.applies

    def applies(order: Any, event: Any) -> bool:
        fact = event.fact
        if order is not None and isinstance(fact, Decided):
            event = replace(event, fact=replace(fact, expected=order.sequence))
        return real(order, event)

    with replaced(evolving, applies=applies):
        yield


@mutant("I-6", "each attempt has keys of its own")
def key_per_attempt() -> Iterator[None]:
    real = stages.Stages._assignment

    async def assignment(self: Any, order: Any, run: Any, step: Any, connection: Any) -> Any:
        made = await real(self, order, run, step, connection)
        if made is None:
            return None
        key_of_call = made.key_of
        return replace(made, key_of=lambda call: f"{key_of_call(call)}-{run.attempt}")

    with replaced(stages.Stages, _assignment=assignment):
        yield


@mutant("I-6", "a partner that cannot tell repeats apart is asked without an announcement")
def unannounced() -> Iterator[None]:
    with (
        replaced(deciding, is_announced=lambda _: False),
        replaced(stages, is_announced=lambda _: False),
        replaced(trying, is_announced=lambda _: False),
    ):
        yield


@mutant("I-6", "an attempt that another worker announced is sent as if it were new")
def taken_over_blindly() -> Iterator[None]:
    real = trying.Trying.attempt

    async def attempt(self: Any, task: Any) -> Any:
        return await real(self, replace(task, run=task.run._replace(recover=False)))

    with replaced(trying.Trying, attempt=attempt):
        yield


@mutant("I-6", "a call in doubt gets another key, and nobody has looked")
def renewed_blindly() -> Iterator[None]:
    real = trying.Trying._looked_up

    async def looked_up(self: Any, task: Any, *assigned: Any, may_repeat: bool) -> Any:
        if task.renews:
            return Performed(NotDone(), requests=0)
        return await real(self, task, *assigned, may_repeat=may_repeat)

    with (
        replaced(trying.Trying, _looked_up=looked_up),
        replaced(stages, is_renewed=lambda *_: False),
    ):
        yield


@mutant("I-7", "the next step begins before the result of the one before is durable")
def ahead_of_the_log() -> Iterator[None]:
    real = Acting._write_ahead

    def write_ahead(self: Acting, order: Any, event: Any) -> None:
        real(self, order, event)
        folded = acting.evolve(order, event, order.offset)
        if folded is None or folded.pending:
            return
        decision = self._ask(folded)
        key = key_of(folded, decision)
        if isinstance(decision, RunStep) and key is not None and not self.is_done(key):
            self.perform(folded, decision, key, Turn(lambda: True, lambda: False))

    with replaced(Acting, _write_ahead=write_ahead):
        yield


@mutant("I-8", "an unknown outcome is taken for a success")
def hopeful() -> Iterator[None]:
    async def without_doubt(self: Any, task: Any, talk: Any, performed: Any, started: Any) -> Any:
        del self, task, talk, started
        doubtful = isinstance(performed.outcome, InDoubt)
        return Performed(Done(), performed.callouts) if doubtful else performed

    with replaced(trying.Trying, _without_doubt=without_doubt):
        yield


@mutant("I-9", "the stored state forgets the generations of keys")
def forgetful_snapshot() -> Iterator[None]:
    real = store.restored

    def restored(state: bytes, accepted: OrderAccepted) -> Any:
        return real(state, accepted)._replace(generations={}, position=0)

    with replaced(store, restored=restored):
        yield


@mutant("I-9", "a projector writes without a look at who else has written (compare-and-set)")
def no_compare_and_set() -> Iterator[None]:
    with replaced(store.SimProjector, compares=False):
        yield


@mutant("I-11", "all stages of a worker share one place")
def one_slot() -> Iterator[None]:
    busy: Counter[Any] = Counter()
    enter, leave = Stage.enter, Stage.leave

    async def entered(self: Stage, patience_s: float) -> int:
        while busy[HOST.get()]:
            await trying.asyncio.sleep(0.05)
        busy[HOST.get()] += 1
        return await enter(self, patience_s)

    def left(self: Stage, era: int, **told: Any) -> None:
        busy[HOST.get()] -= 1
        leave(self, era, **told)

    with replaced(Stage, enter=entered, leave=left):
        yield


@mutant("I-12", "offsets are committed past orders that still move")
def commits_past_moving() -> Iterator[None]:
    def committable(self: Partition) -> int:
        return min(self.position, self.applied + 1)

    with replaced(Partition, committable=committable):
        yield


@mutant("I-12", "offsets are committed past what the store holds")
def commits_past_store() -> Iterator[None]:
    def committable(self: Partition) -> int:
        return min(self.position, min(self.first.values(), default=self.position))

    with replaced(Partition, committable=committable):
        yield


@mutant("I-13", "timers fire without a look at the clock")
def early_timers() -> Iterator[None]:
    due, decide = Timers.due, orchestrator.decide

    def rushed(order: Any, around: Any) -> Any:
        waits = [one.retry_at for one in order.progress if one.retry_at is not None]
        return decide(order, around._replace(now=max((around.now, *waits))))

    def at_once(self: Timers, now: Any, most: int) -> Any:
        first = self._heap[0][0] if self._heap else now
        return due(self, max(now, first), most)

    with replaced(Timers, due=at_once), replaced(orchestrator, decide=rushed):
        yield


@mutant("I-13", "at assignment nobody asks for due times")
def no_due_times() -> Iterator[None]:
    with _wakes(lambda one: one.due is None or one.queued):
        yield


@mutant(
    "I-13",
    "at assignment nobody asks for queued heads of lanes",
    masked="the commit never passes the end of their predecessor, so that is read again",
)
def no_queued_heads() -> Iterator[None]:
    with _wakes(lambda one: not one.queued):
        yield


@contextmanager
def _wakes(wanted: Callable[[Any], bool]) -> Iterator[None]:
    real = store.SimSnapshots.wakes

    def wakes(self: Any, partitions: Any) -> Any:
        rows = self._store.rows
        return [one for one in real(self, partitions) if wanted(rows[one.order_id].found_by)]

    with replaced(store.SimSnapshots, wakes=wakes):
        yield


@mutant("I-14", "a decision depends on who is asked")
def moody() -> Iterator[None]:
    real = orchestrator.decide

    def decide(order: Any, around: Any) -> Any:
        decision = real(order, around)
        fact = decision.fact if isinstance(decision, Append) else None
        if fact is None or getattr(fact, "command", None) is None or around.worker[-1] in "02468":
            return decision
        refused = CommandRejected(
            expected=order.sequence, command=fact.command, code="moody", reason="not today"
        )
        return decision._replace(fact=refused) if decision.order is order else decision

    with replaced(orchestrator, decide=decide):
        yield


@mutant("lanes", "of a lane only the order that an event is about is loaded")
def no_lane_load() -> Iterator[None]:
    real = Loading._asked

    async def asked(self: Loading, begun: Any, wanted: Any, lanes: Any) -> Any:
        del lanes
        return await real(self, begun, wanted, ())

    with replaced(Loading, _asked=asked):
        yield


@mutant("lanes", "nobody looks at the other orders of the lane")
def no_lanes() -> Iterator[None]:
    with replaced(Partition, lane=lambda _self, _lane: []):
        yield


@mutant("I-12", "an order that its predecessor's end sets free does not hold back the commit")
def no_pin_for_a_release() -> Iterator[None]:
    real = Partition.moves

    def moves(self: Partition, order_id: str) -> None:
        self.first.setdefault(order_id, self.position)
        real(self, order_id)

    with replaced(Partition, moves=moves):
        yield


@mutant("I-7", "a worker acts before it has read what was there at assignment")
def not_caught_up() -> Iterator[None]:
    always = property(lambda self: self.halted is None)
    with replaced(Partition, caught_up=always):
        yield


@mutant("I-4", "an order that is accepted again is folded from there")
def no_snapshot_for_a_repetition() -> Iterator[None]:
    real = Loading._asked

    async def asked(self: Loading, begun: Any, wanted: Any, lanes: Any) -> Any:
        found = await real(self, begun, wanted, lanes)
        return {order_id: one for order_id, one in found.items() if order_id not in begun}

    with replaced(Loading, _asked=asked):
        yield


def named(name: str) -> Mutant:
    """The mutant of that name."""
    return next(one for one in MUTANTS if one.name == name)
