"""What the API asks of the store by itself, on both databases."""

from typing import Any

from projections.feed import Wanted
from schemas.events import StepSucceeded
from waybill.api.store import StoreReading


def test_orders_that_are_waited_for_are_found_in_one_question(world_on_each: Any) -> None:
    world = world_on_each
    prepared = [world.accept({"external_id": f"E-{number}"}) for number in range(3)]
    wanted = [one.order_id for one in prepared] + ["order-" + "0" * 32]
    found = StoreReading(world.store).standings(wanted)
    assert set(found) == set(wanted[:3])
    one = found[wanted[0]]
    assert (one.tenant, one.lane, one.status) == ("default", prepared[0].lane, "submitted")
    assert one.fingerprint == prepared[0].fingerprint


def test_events_come_by_partition_each_in_the_order_of_the_log(world_on_each: Any) -> None:
    world, reading = world_on_each, StoreReading(world_on_each.store)
    world.partition = 4
    later = world.accept({"external_id": "E-1"})
    world.partition = 3
    first = world.accept({"external_id": "E-2"})
    world.accept({"external_id": "E-3"}, "other")
    done = StepSucceeded(step="salesforceV3", attempt=1, output={})
    world.go_on(first, done)

    wanted = [Wanted(tenant="default")]
    happenings, reached, complete = reading.happened({}, wanted, 100)
    entries = [one.entry for one in happenings]
    assert [(e["order"], e["partition"], e["offset"], e["sequence"]) for e in entries] == [
        (first.order_id, 3, 0, 1),
        (first.order_id, 3, 2, 2),
        (later.order_id, 4, 0, 1),
    ]
    assert (reached, complete) == ({3: 2, 4: 0}, True)
    assert [one.stage for one in happenings] == [None, "salesforceV3", None]
    assert reading.happened(reached, wanted, 100) == ([], {}, True)


def test_a_reader_far_behind_gets_on_in_pieces(world_on_each: Any) -> None:
    world, reading = world_on_each, StoreReading(world_on_each.store)
    for number in range(5):
        world.accept({"external_id": f"E-{number}"})
    seen, vector = [], {3: 0}
    for _ in range(3):
        found = reading.happened(vector, [Wanted(tenant="default")], 2)
        seen += [one.offset for one in found.happenings]
        vector |= found.reached
    assert (seen, vector, found.complete) == ([1, 2, 3, 4], {3: 4}, True)


def test_one_look_finds_what_all_streams_want_and_no_more(world_on_each: Any) -> None:
    world, reading = world_on_each, StoreReading(world_on_each.store)
    one, other = (world.accept({"external_id": f"E-{number}"}) for number in range(2))
    world.go_on(one, StepSucceeded(step="salesforceV3", attempt=1, output={}))
    world.accept({"external_id": "E-3"}, "other")

    def found(*wanted: Wanted) -> list[int]:
        return [h.offset for h in reading.happened({}, wanted, 100).happenings]

    accepted = frozenset({"OrderAccepted"})
    assert found(Wanted(tenant="default", order=one.order_id)) == [0, 2]
    assert found(Wanted(tenant="other", order=one.order_id)) == []
    assert found(Wanted(tenant="default", types=accepted)) == [0, 1]
    assert found(
        Wanted(tenant="default", order=other.order_id), Wanted(tenant="other", types=accepted)
    ) == [1, 3]
