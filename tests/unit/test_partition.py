"""What a worker may commit and forget of a partition: never more than what is safe elsewhere."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.agents.partition import Partition
from streams.agents.timers import Waking
from streams.core.order import Order, State
from tests.facts import LATER, STAGE, START, accepted, given, step

ORDER: Order = given(accepted(step("a")))
NAMES = ("a", "b", "c", "d")
LANES = {"a": "lane-1", "b": "lane-2", "c": "lane-2", "d": "lane-2"}


def order(name: str, *, lane: str | None = None, ended: bool = False) -> Order:
    """In a lane of its own, unless told otherwise."""
    state = State.COMPLETED if ended else State.WAITING
    return ORDER._replace(id=name, lane=lane or f"lane of {name}", state=state)


def partition(position: int = 10, end: int = 10, applied: int = 9) -> Partition:
    return Partition(number=3, position=position, end=end, applied=applied)


def read(part: Partition, told: Order | str, *, moves: bool) -> None:
    """A chunk of one event."""
    known = order(told) if isinstance(told, str) else told
    part.chunk = part.position
    part.folded(known, part.position)
    part.moves(known.id) if moves else part.rests(known.id)


def test_nothing_beyond_what_the_store_holds_is_committed() -> None:
    part = partition(position=20, applied=14)
    assert part.committable() == 15
    part.applied = 40
    assert part.committable() == 20


def test_an_order_that_moves_holds_the_commit_at_its_first_event() -> None:
    part = partition()
    read(part, "a", moves=True)
    read(part, "b", moves=False)
    read(part, "a", moves=True)
    part.applied = part.position - 1
    assert (part.position, part.committable()) == (13, 10)
    part.rests("a")
    assert part.committable() == 13


def test_the_oldest_of_the_moving_orders_holds_the_commit() -> None:
    part = partition()
    for name in ("a", "b", "c"):
        read(part, name, moves=True)
    part.applied = 12
    part.rests("a")
    assert part.committable() == 11
    part.rests("c")
    assert part.committable() == 11
    part.rests("b")
    assert part.committable() == 13


def test_an_order_that_moves_again_holds_the_commit_from_there() -> None:
    part = partition()
    read(part, "a", moves=False)
    read(part, "b", moves=False)
    read(part, "a", moves=True)
    part.applied = 12
    assert part.committable() == 12


def test_an_order_that_moves_from_offset_zero_holds_the_commit_there() -> None:
    part = partition(position=0, end=0, applied=-1)
    assert part.committable() == 0
    read(part, "a", moves=True)
    part.applied = 0
    assert part.committable() == 0
    part.rests("a")
    assert part.committable() == 1


def test_a_resting_order_is_forgotten_once_the_store_has_its_last_event() -> None:
    part = partition()
    read(part, "a", moves=False)
    read(part, "b", moves=False)
    assert list(part.forgettable()) == []
    part.applied = 10
    assert list(part.forgettable()) == ["a"]
    assert set(part.orders) == {"b"}
    part.applied = 11
    assert list(part.forgettable()) == ["b"]
    assert (part.orders, part.lanes, list(part.forgettable())) == ({}, {}, [])


def test_a_moving_order_is_never_forgotten() -> None:
    part = partition()
    read(part, "a", moves=True)
    part.applied = 99
    assert list(part.forgettable()) == []
    assert "a" in part.orders


def test_an_order_touched_again_waits_for_its_newer_event() -> None:
    part = partition()
    read(part, "a", moves=False)
    read(part, "a", moves=False)
    part.applied = 10
    assert list(part.forgettable()) == []
    part.applied = 11
    assert list(part.forgettable()) == ["a"]


def test_an_order_touched_again_holds_back_no_other() -> None:
    part = partition()
    for name in ("a", "b", "a"):
        read(part, name, moves=False)
    part.applied = 11
    assert list(part.forgettable()) == ["b"]


def test_resting_again_without_a_new_event_changes_nothing() -> None:
    part = partition()
    read(part, "a", moves=False)
    read(part, "b", moves=False)
    part.rests("a")
    part.applied = 10
    assert list(part.forgettable()) == ["a"]


def test_a_partition_has_caught_up_at_the_end_seen_at_assignment() -> None:
    part = partition(position=10, end=11)
    assert not part.caught_up
    read(part, "a", moves=True)
    assert part.caught_up
    part.halted = "a record cannot be read"
    assert not part.caught_up


# Lanes


def test_a_lane_is_what_is_in_memory_of_it() -> None:
    part = partition()
    part.adopt(order("a", lane="lane-1"))
    read(part, order("b", lane="lane-1"), moves=True)
    read(part, order("c", lane="lane-2"), moves=True)
    assert [one.id for one in part.lane("lane-1")] == ["a", "b"]
    assert part.lane("unheard of") == []


def test_what_comes_from_the_store_does_not_replace_what_was_read_since() -> None:
    part = partition()
    read(part, order("a", ended=True), moves=False)
    part.adopt(order("a"))
    assert part.orders["a"].state is State.COMPLETED


def test_orders_of_a_lane_are_forgotten_together() -> None:
    part = partition()
    read(part, order("a", lane="lane-1"), moves=True)
    read(part, order("b", lane="lane-1"), moves=False)
    part.applied = 99
    assert list(part.forgettable()) == [], "one that moves must see the others"
    read(part, order("a", lane="lane-1"), moves=False)
    part.applied = 11
    assert list(part.forgettable()) == []
    part.applied = 12
    assert list(part.forgettable()) == ["a", "b"]
    assert part.lanes == {}


def test_an_ended_order_holds_no_lane_in_memory() -> None:
    part = partition()
    read(part, order("a", lane="lane-1", ended=True), moves=False)
    read(part, order("b", lane="lane-1"), moves=True)
    part.applied = 10
    assert list(part.forgettable()) == ["a"]
    assert [one.id for one in part.lane("lane-1")] == ["b"]


def test_an_order_adopted_into_a_resting_lane_is_forgotten_with_it() -> None:
    part = partition()
    part.adopt(order("a", lane="lane-1"))
    read(part, order("b", lane="lane-1"), moves=False)
    part.applied = 10
    assert list(part.forgettable()) == ["a", "b"]


def test_an_order_set_in_motion_by_another_one_holds_the_commit_at_that_one() -> None:
    """The end of one order and the release of the next: what stands between them is read again."""
    part = partition()
    part.adopt(order("b", lane="lane-1"))
    part.chunk = part.position
    part.folded(order("a", lane="lane-1", ended=True), 10)
    part.folded(order("x"), 11)
    part.rests("a")
    part.rests("x")
    part.moves("b")
    part.applied = 11
    assert (part.position, part.committable()) == (12, 10)
    read(part, order("b", lane="lane-1"), moves=True)
    part.rests("b")
    part.applied = 12
    assert part.committable() == 13


def test_a_resting_order_of_a_lane_that_moves_again_stays_in_memory() -> None:
    part = partition()
    read(part, order("a", lane="lane-1"), moves=False)
    read(part, order("b", lane="lane-1"), moves=True)
    part.applied = 99
    assert list(part.forgettable()) == []
    assert set(part.orders) == {"a", "b"}


# Timers


def test_an_order_that_moves_is_not_woken() -> None:
    part = partition()
    read(part, "a", moves=False)
    part.timers.put(Waking("a", "lane of a", START, None))
    part.moves("a")
    assert list(part.timers.due(LATER, 9)) == []


def test_a_forgotten_order_is_woken() -> None:
    part = partition()
    read(part, "a", moves=False)
    waking = Waking("a", "lane of a", START, None)
    part.timers.put(waking)
    part.applied = 10
    assert list(part.forgettable()) == ["a"]
    assert list(part.timers.due(START, 9)) == [waking]


def test_timers_ring_in_their_order_at_their_time_and_once() -> None:
    timers = partition().timers
    moments = {name: START + timedelta(seconds=at) for name, at in (("a", 3), ("b", 1), ("c", 2))}
    for name, moment in moments.items():
        timers.put(Waking(name, "lane", moment, None))
    assert list(timers.due(START, 9)) == []
    assert [one.order_id for one in timers.due(moments["c"], 9)] == ["b", "c"]
    assert [one.order_id for one in timers.due(LATER, 9)] == ["a"]
    assert (list(timers.due(LATER, 9)), len(timers)) == ([], 0)


def test_only_what_an_order_waits_for_last_wakes_it() -> None:
    timers = partition().timers
    timers.put(Waking("a", "lane", START, None))
    timers.put(Waking("a", "lane", LATER, None))
    assert list(timers.due(START, 9)) == []
    assert len(list(timers.due(LATER, 9))) == 1
    timers.put(Waking("a", "lane", START, None))
    timers.put(Waking("a", "lane", None, None))
    assert (list(timers.due(LATER, 9)), len(timers)) == ([], 0)


def test_no_more_ring_at_once_than_asked_for() -> None:
    timers = partition().timers
    for name in NAMES:
        timers.put(Waking(name, "lane", START, None))
    assert [one.order_id for one in timers.due(START, 2)] == ["a", "b"]
    assert [one.order_id for one in timers.due(START, 9)] == ["c", "d"]


def test_a_stage_lets_go_whom_it_takes_first_come_first() -> None:
    timers = partition().timers
    for name in NAMES:
        timers.put(Waking(name, "default/lane", None, STAGE))
    [stage] = timers.stages
    assert (stage, timers.deferred(stage)) == (("default", STAGE), 4)
    assert [one.order_id for one in timers.admitted(stage, 2)] == ["a", "b"]
    timers.drop("c")
    assert [one.order_id for one in timers.admitted(stage, 9)] == ["d"]
    assert (timers.stages, timers.deferred(stage)) == ((), 0)


def test_a_stage_that_takes_none_lets_none_go() -> None:
    timers = partition().timers
    timers.put(Waking("a", "default/lane", None, STAGE))
    [stage] = timers.stages
    assert list(timers.admitted(stage, 0)) == list(timers.admitted(stage, -1)) == []
    assert timers.deferred(stage) == 1


def test_a_stage_is_one_tenants_own() -> None:
    timers = partition().timers
    timers.put(Waking("a", "one/lane", None, STAGE))
    timers.put(Waking("b", "two/lane", None, STAGE))
    assert timers.stages == (("one", STAGE), ("two", STAGE))
    assert [one.order_id for one in timers.admitted(timers.stages[1], 9)] == ["b"]


class Bookkeeping(RuleBasedStateMachine):
    """Against a model that knows of each order its events, and whether it moves."""

    def __init__(self) -> None:
        super().__init__()
        self.part = partition(position=0, end=0, applied=-1)
        self.log: list[str] = []
        self.since: dict[str, int] = {}
        self.held: set[str] = set()

    @rule(
        chunk=st.lists(st.sampled_from(NAMES), min_size=1, max_size=5),
        moving=st.sets(st.sampled_from(NAMES)),
    )
    def a_chunk_is_read_and_then_settled(self, chunk: list[str], moving: set[str]) -> None:
        self.part.chunk = first = len(self.log)
        for name in chunk:
            for member in NAMES:  # what else there is of its lane comes from the store
                if LANES[member] == LANES[name]:
                    self.part.adopt(order(member, lane=LANES[member]))
                    self.held.add(member)
        for name in chunk:
            self.part.folded(order(name, lane=LANES[name]), len(self.log))
            self.since.setdefault(name, len(self.log))
            self.log.append(name)
        touched = {LANES[name] for name in chunk}
        for name in [name for name in NAMES if LANES[name] in touched]:
            if name in moving:
                self.part.moves(name)
                self.since.setdefault(name, first)
            else:
                self.part.rests(name)
                self.since.pop(name, None)

    @precondition(lambda self: self.since)
    @rule(data=st.data())
    def a_moving_order_is_decided_again(self, data: st.DataObject) -> None:
        self.part.moves(data.draw(st.sampled_from(sorted(self.since))))

    @precondition(lambda self: self.part.resting)
    @rule(data=st.data())
    def a_resting_order_is_decided_again(self, data: st.DataObject) -> None:
        self.part.rests(data.draw(st.sampled_from(sorted(self.part.resting))))

    @precondition(lambda self: self.part.applied < len(self.log) - 1)
    @rule(data=st.data())
    def the_store_applies(self, data: st.DataObject) -> None:
        self.part.applied = data.draw(st.integers(self.part.applied + 1, len(self.log) - 1))

    @rule()
    def what_may_be_forgotten_is(self) -> None:
        forgotten = set(self.part.forgettable())
        for name in forgotten:
            lane = {member for member in NAMES if LANES[member] == LANES[name]}
            assert not lane & set(self.since)
            assert lane <= forgotten
            assert not lane & set(self.log[self.part.applied + 1 :])
        self.held -= forgotten
        if self.part.applied == len(self.log) - 1:
            moving = {LANES[name] for name in self.since}
            assert {LANES[name] for name in self.held} == moving, "what rests goes in the end"

    @invariant()
    def what_replays_brings_back_every_moving_order(self) -> None:
        expected = min([len(self.log), self.part.applied + 1, *self.since.values()])
        assert self.part.committable() == expected

    @invariant()
    def every_order_not_yet_forgotten_is_in_memory_with_its_lane(self) -> None:
        assert set(self.part.orders) == self.held
        assert self.part.position == len(self.log)
        for lane, members in self.part.lanes.items():
            assert set(members) == {name for name in self.held if LANES[name] == lane}


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
