"""Ids and keys stay what they are for ever, and differ where what they stand for does."""

from hashlib import sha256
from itertools import combinations
from uuid import UUID, uuid5

from schemas.events import Fact, MainPhaseCompleted, OrderCompleted
from streams.core import ids
from tests.facts import accepted, doubtful, failed, skipped, started, step, succeeded


def test_ids_are_the_same_in_every_version() -> None:
    lane = ids.lane_id("default", ids.subscription_reference("default", "EXT-1"))
    order = ids.order_id("default", "EXT-1", lane)
    assert lane == "default/DT2ADYN3TA44"
    assert order == "order-3c1d3a26ce7555ef9d1de0e8307b177c"
    assert ids.order_reference(order) == "FHYD7E52PFN3"
    assert (
        ids.call_key("default", order, "zuora", "charge", 0)
        == "e7b2535d-29c6-575d-81f0-6220ae9d55c9"
    )
    assert ids.event_id(order, 1, succeeded("zuora")) == "027c067b-ff23-5c80-926a-0de793c45cf1"


def test_a_call_has_one_key_for_each_order_step_call_and_generation() -> None:
    calls = [("t", "o", "s", "c", 0), ("u", "o", "s", "c", 0), ("t", "p", "s", "c", 0)]
    calls += [("t", "o", "r", "c", 0), ("t", "o", "s", "d", 0), ("t", "o", "s", "c", 1)]
    assert len({ids.call_key(*call) for call in calls}) == len(calls)
    assert ids.call_key(*calls[0]) == ids.call_key(*calls[0])
    assert len(ids.call_key(*calls[0])) < 255


def test_an_id_is_a_uuid_of_version_5() -> None:
    namespace = UUID("7a0c2f5e-6c1b-5d0e-9a57-3a1f4c1d8e21")
    for number in range(100):
        expected = str(uuid5(namespace, f"part\x1f{number}"))
        assert ids.derived_uuid("part", str(number)) == expected


def test_parts_do_not_run_into_each_other() -> None:
    assert ids.derived_uuid("ab", "c") != ids.derived_uuid("a", "bc")
    assert ids.derived_uuid("a", "") != ids.derived_uuid("a")


def test_the_same_decision_written_twice_has_the_same_id_and_no_other_has_it() -> None:
    facts: list[Fact] = [
        accepted(step("a")),
        accepted(step("a"), fingerprint=b"another"),
        started("a", 1),
        started("a", 2),
        started("a", 1, "worker-2"),
        succeeded("a"),
        succeeded("a", attempt=2),
        succeeded("b"),
        failed("a"),
        doubtful("a"),
        skipped("a"),
        MainPhaseCompleted(expected=1),
        MainPhaseCompleted(expected=2),
        OrderCompleted(expected=1, completion="order complete"),
    ]
    assert all(ids.event_id("o", 1, fact) == ids.event_id("o", 1, fact) for fact in facts)
    for one, other in combinations(facts, 2):
        assert ids.event_id("o", 1, one) != ids.event_id("o", 1, other)
    for fact in facts:
        assert ids.event_id("o", 1, fact) != ids.event_id("p", 1, fact)
    for fact in facts[2:]:
        assert ids.event_id("o", 1, fact) != ids.event_id("o", 2, fact)


def test_references_are_twelve_characters_that_people_can_read_out() -> None:
    for reference in (ids.order_reference("o"), ids.subscription_reference("t", "e")):
        assert len(reference) == 12
        assert set(reference) <= set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789"), "no I, O, 0 or 1"


def test_references_are_the_same_in_every_version() -> None:
    references = "".join(ids.order_reference(f"order-{number}") for number in range(100))
    assert len(set(references)) == 32, "every letter is in use"
    assert sha256(references.encode()).hexdigest() == (
        "e2c6a57a13f25a7c362514ccc4a57788599076f420494d1d7f6bcfdaa55dd8cc"
    )
