"""A dead consumer is told from one at rest, and from a Kafka that does not answer."""

import pytest
from faust.types import TP

from streams.kafka.liveness import NOT_PLACED, STUCK, SURE, Judge, Signs

WELL = Signs(
    answers=True,
    crashed=None,
    ended=(),
    drained=0,
    moving=False,
    placing=False,
    member=True,
    unread={},
)
UNREAD = {TP("orders", 3): 17}


def looks(judge: Judge, count: int, *, drains: bool = True, **signs: object) -> list[str | None]:
    said = []
    for number in range(count):
        drained = number if drains else 0
        said.append(judge.dead(WELL._replace(drained=drained, **signs)))
    return said


def test_a_consumer_at_rest_is_not_dead():
    assert set(looks(Judge(), 100)) == {None}


@pytest.mark.parametrize(
    ("signs", "after", "words"),
    [
        ({"drains": False}, STUCK + 1, "the loop that fetches"),
        ({"ended": ("the fetcher",)}, SURE, "the fetcher has ended"),
        ({"crashed": "ValueError()"}, SURE, "has crashed: ValueError()"),
        ({"moving": True}, NOT_PLACED, "never come"),
        ({"member": False}, NOT_PLACED, "into its group"),
        ({"unread": UNREAD}, NOT_PLACED, "orders/3 is not read on from 17"),
    ],
)
def test_what_is_dead_is_dead_within_a_minute_and_not_before(signs, after, words):
    said = looks(Judge(), after, **signs)
    assert set(said[:-1]) <= {None}
    assert words in said[-1]


@pytest.mark.parametrize("signs", [{"moving": True}, {"member": False}, {"unread": UNREAD}])
def test_an_outage_of_kafka_is_waited_out(signs):
    judge = Judge()
    assert set(looks(judge, 1_000, answers=False, **signs)) == {None}
    assert set(looks(judge, NOT_PLACED - 1, **signs)) == {None}, "it has a minute to come back"
    assert looks(judge, 1, **signs) != [None]


def test_readers_that_wait_for_their_store_are_waited_for():
    assert set(looks(Judge(), 1_000, moving=True, placing=True, drains=False)) == {None}


def test_while_partitions_are_moved_nothing_is_fetched():
    said = looks(Judge(), NOT_PLACED - 1, moving=True, drains=False, unread=UNREAD)
    assert set(said) == {None}


def test_a_reader_that_reads_on_slowly_is_not_dead():
    judge = Judge()
    for offset in range(200):
        signs = WELL._replace(drained=offset, unread={TP("orders", 3): offset})
        assert judge.dead(signs) is None


def test_what_recovers_starts_to_count_anew():
    judge = Judge()
    assert set(looks(judge, NOT_PLACED - 1, unread=UNREAD)) == {None}
    assert looks(judge, 1) == [None]
    assert set(looks(judge, NOT_PLACED - 1, unread=UNREAD)) == {None}
