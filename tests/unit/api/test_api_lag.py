"""How far the readers of topics are, over HTTP."""

from datetime import timedelta
from typing import Any

from streams.kafka.lag import Standing
from tests.unit.api.conftest import NOW, World
from waybill.api.lag_shapes import LagPage


async def test_every_reader_tells_its_place_and_how_long_what_comes_next_waits(
    world: World, client: Any
) -> None:
    world.accept({"external_id": "E-1"})
    since = NOW - timedelta(seconds=2.5)
    world.lags.answers = {
        "views": [Standing(3, 5, 1, since), Standing(4, 0, 0, None)],
        "intake": [Standing(0, 7, 7, None)],
        # Another machine's clock goes ahead.
        "outlet": [Standing(3, 5, 0, NOW + timedelta(seconds=1))],
    }
    page = await (await client.get("/api/lag")).json()
    LagPage.model_validate(page)
    by_name = {one["name"]: one for one in page["items"]}
    assert list(by_name) == ["intake", "commands", "worker", "views", "outlet", "webhooks"]
    assert (by_name["views"]["behind"], by_name["views"]["waiting_s"]) == (4, 2.5)
    assert by_name["views"]["partitions"][0] == {
        "partition": 3,
        "end": 5,
        "position": 1,
        "behind": 4,
        "waiting_s": 2.5,
    }
    assert (by_name["intake"]["behind"], by_name["intake"]["group"]) == (0, "waybill-worker")
    assert by_name["outlet"]["waiting_s"] == 0.0
    asked = {reader.name: reader.reached for reader in world.lags.asked}
    assert asked["views"] == {3: 1, 4: 0}
    assert (asked["outlet"], asked["webhooks"], asked["worker"]) == ({}, {}, None)


async def test_a_kafka_that_does_not_answer_is_a_problem_of_its_own(
    world: World, client: Any
) -> None:
    world.lags.reachable = False
    response = await client.get("/api/lag")
    assert (response.status, (await response.json())["code"]) == (503, "kafka_unavailable")
