"""What a worker may commit and forget of a partition: never more than what is safe elsewhere."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.agents.partition import Partition
from streams.core.order import Order
from tests.facts import accepted, given, step

ORDER: Order = given(accepted(step("a")))
NAMES = ("a", "b", "c")


class Read:
    """A record that was read; only its place matters here."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.key = self.value = None
        self.headers = ()
        self.timestamp = 0


def partition(position: int = 10, end: int = 10, applied: int = 9) -> Partition:
    return Partition(number=3, position=position, end=end, applied=applied)


def read(part: Partition, order: str, *, moves: bool) -> None:
    part.orders[order] = ORDER
    part.touched(order, part.position)
    part.moves(order) if moves else part.rests(order)


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
    for order in ("a", "b", "c"):
        read(part, order, moves=True)
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
    assert (part.orders, list(part.forgettable())) == ({}, [])


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
    for order in ("a", "b", "a"):
        read(part, order, moves=False)
    part.applied = 11
    assert list(part.forgettable()) == ["b"]


def test_resting_again_without_a_new_event_changes_nothing() -> None:
    part = partition()
    read(part, "a", moves=False)
    read(part, "b", moves=False)
    part.rests("a")
    part.applied = 10
    assert list(part.forgettable()) == ["a"]


def test_records_that_were_read_are_not_read_again() -> None:
    part = partition(position=12)
    records = [Read(offset) for offset in range(10, 15)]
    assert [record.offset for record in part.unread(records)] == [12, 13, 14]
    assert part.unread(records[2:]) == records[2:]
    assert part.unread(records[:2]) == []


def test_a_partition_has_caught_up_at_the_end_seen_at_assignment() -> None:
    part = partition(position=10, end=11)
    assert not part.caught_up
    read(part, "a", moves=True)
    assert part.caught_up
    part.halted = "a record cannot be read"
    assert not part.caught_up


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
        for order in chunk:
            self.part.orders[order] = ORDER
            self.part.touched(order, len(self.log))
            self.since.setdefault(order, len(self.log))
            self.log.append(order)
            self.held.add(order)
        for order in dict.fromkeys(chunk):
            if order in moving:
                self.part.moves(order)
            else:
                self.part.rests(order)
                del self.since[order]

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
        for order in forgotten:
            assert order not in self.since
            assert max(at for at, one in enumerate(self.log) if one == order) <= self.part.applied
        self.held -= forgotten
        if self.part.applied == len(self.log) - 1:
            assert self.held == set(self.since), "whatever rests is forgotten in the end"

    @invariant()
    def what_replays_brings_back_every_moving_order(self) -> None:
        expected = min([len(self.log), self.part.applied + 1, *self.since.values()])
        assert self.part.committable() == expected

    @invariant()
    def every_order_not_yet_forgotten_is_in_memory(self) -> None:
        assert set(self.part.orders) == self.held
        assert self.part.position == len(self.log)


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
