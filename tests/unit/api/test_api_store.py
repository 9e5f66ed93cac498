"""What the API asks of the store by itself, on both databases."""

from typing import Any

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

    entries, reached = reading.events_after("default", {}, 100)
    assert [(e["order"], e["partition"], e["offset"], e["sequence"]) for e in entries] == [
        (first.order_id, 3, 0, 1),
        (first.order_id, 3, 2, 2),
        (later.order_id, 4, 0, 1),
    ]
    assert reached == {3: 2, 4: 0}
    assert reading.events_after("default", reached, 100) == ([], {})


def test_a_reader_far_behind_gets_on_in_pieces(world_on_each: Any) -> None:
    world, reading = world_on_each, StoreReading(world_on_each.store)
    for number in range(5):
        world.accept({"external_id": f"E-{number}"})
    seen, vector = [], {3: 0}
    for _ in range(3):
        entries, reached = reading.events_after("default", vector, 2)
        seen += [entry["offset"] for entry in entries]
        vector |= reached
    assert (seen, vector) == ([1, 2, 3, 4], {3: 4})
