"""The stream of events: filters, resuming, slow readers, and one look for many streams."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from projections.feed import Wanted
from schemas.events import StepSucceeded
from tests.unit.api.conftest import PARTITION, World
from waybill.api import feeding
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.api.feeding import Feed, Follower
from waybill.api.reading import Reader
from waybill.api.store import StoreReading
from waybill.api.tokens import parse_vector
from waybill.clock import random_bytes


class Counted:
    """Counts the looks at a real store."""

    def __init__(self, reading: StoreReading) -> None:
        self._reading = reading
        self.looks = 0

    def one_moment(self) -> Any:
        return self._reading.one_moment()

    def happened(self, *asked: Any) -> Any:
        self.looks += 1
        return self._reading.happened(*asked)


@pytest.fixture
def counted(world: World) -> Counted:
    return Counted(StoreReading(world.store))


@pytest.fixture
async def feed(counted: Counted) -> AsyncIterator[Feed]:
    reader = Reader(counted)  # type: ignore[arg-type] # what the feed asks for, and no more
    made = Feed(reader)
    yield made
    made.release()
    await made.close()
    reader.close()


def follower(vector: dict[int, int] | None = None, **wanted: Any) -> Follower:
    at = {PARTITION: -1, PARTITION + 1: -1} if vector is None else vector
    return Follower(Wanted(tenant="default", **wanted), masked=False, vector=dict(at))


def events_in(text: str) -> list[tuple[str, str]]:
    """Id and type of each event."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["id"], lines["event"]))
    return found


async def read(feed: Feed, one: Follower, count: int) -> list[tuple[str, str]]:
    """The next events of a stream, which is closed behind them."""
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(10), aclosing(feed.follow(one)) as frames:
        async for part in frames:
            found += events_in(part.decode())
            if len(found) >= count:
                break
    return found


async def until(reached: Callable[[], bool]) -> None:
    for _ in range(500):
        if reached():
            return
        await asyncio.sleep(0.01)
    pytest.fail("not reached within five seconds")


def step(name: str) -> StepSucceeded:
    return StepSucceeded(step=name, attempt=1, output={"id": "CRM-1"})


async def first_events(client: Any, count: int, headers: Any = None, **query: str) -> str:
    stream = await client.get(
        "/api/events", params=query, headers={"Last-Event-ID": "3:-1", **(headers or {})}
    )
    assert stream.status == 200, await stream.text()
    text = ""
    async with asyncio.timeout(10):
        while text.count("event: ") < count or not text.endswith("\n\n"):
            text += (await stream.content.readany()).decode()
    stream.close()
    return text


async def test_a_stream_shows_what_it_asks_for(world: World, client: Any) -> None:
    one, other = (world.accept({"external_id": f"E-{number}"}) for number in range(2))
    for prepared in (one, other):
        world.go_on(prepared, step("salesforceV3"), step("zuora"))
    world.accept({"external_id": "E-3"}, "other")
    mine = events_in(await first_events(client, 3, order=one.order_id))
    assert mine == [
        ("3:0", "OrderAccepted"),
        ("3:2", "StepSucceeded"),
        ("3:3", "StepSucceeded"),
    ]
    at_zuora = events_in(await first_events(client, 2, stage="zuora"))
    assert [at for at, _ in at_zuora] == ["3:3", "3:5"]
    accepted = events_in(await first_events(client, 2, type="OrderAccepted, OrderFailed"))
    assert [kind for _, kind in accepted] == ["OrderAccepted"] * 2


@pytest.mark.parametrize(
    ("query", "field"),
    [({"type": "OrderAcepted"}, "type"), ({"order": "7"}, "order"), ({"typ": "x"}, "typ")],
)
async def test_a_filter_that_nothing_fits_is_refused(
    client: Any, query: dict[str, str], field: str
) -> None:
    response = await client.get("/api/events", params=query)
    problem = await response.json()
    assert (response.status, problem["code"], problem["field"]) == (400, "bad_query", field)


async def test_partners_words_are_for_operators(world: World, connect: Any) -> None:
    world.go_on(world.accept({"external_id": "E-1"}), step("salesforceV3"))
    text, entry = new_api_key("default", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    key = {"Authorization": f"Bearer {text}"}
    assert "CRM-1" not in await first_events(await connect(), 2, key)


async def test_many_streams_cost_one_look(world: World, feed: Feed, counted: Counted) -> None:
    streams = [asyncio.create_task(read(feed, follower(), 3)) for _ in range(50)]
    await until(lambda: feed.following == 50)
    await asyncio.sleep(0.1)
    assert counted.looks == 0, "nothing has happened that could be looked at"
    world.go_on(world.accept({"external_id": "E-1"}), step("salesforceV3"), step("zuora"))
    found = await asyncio.gather(*streams)
    assert found == [found[0]] * 50
    assert [kind for _, kind in found[0]] == ["OrderAccepted", *["StepSucceeded"] * 2]
    assert counted.looks < 20
    assert feed.following == 0


async def test_who_reads_slowly_keeps_nothing_and_misses_nothing(
    world: World, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_PENDING", 3)
    one = follower()
    async with asyncio.timeout(20), aclosing(feed.follow(one)) as frames:
        reading = asyncio.ensure_future(anext(frames))
        world.accept({"external_id": "first"})
        found = events_in((await reading).decode())
        for number in range(10):
            world.accept({"external_id": f"E-{number}"})
        await until(lambda: one.overtaken)
        assert len(one.pending) == 3
        while len(found) < 11:
            found += events_in((await anext(frames)).decode())
    assert [at for at, _ in found] == [f"3:{number},4:-1" for number in range(11)]


async def test_wherever_a_reader_is_cut_off_it_goes_on_there(world: World, feed: Feed) -> None:
    """Orders in two partitions arrive all the time; the stream is cut off after a few events."""
    chance = random.Random(1)
    total = 60

    async def arrive() -> None:
        for number in range(total):
            world.partition = PARTITION + chance.randrange(2)
            world.accept({"external_id": f"E-{number}"})
            await asyncio.sleep(chance.choice([0, 0, 0.002, 0.03]))

    arriving = asyncio.create_task(arrive())
    whole = asyncio.create_task(read(feed, follower(), total))
    seen: list[dict[int, int]] = [{PARTITION: -1, PARTITION + 1: -1}]
    places: list[tuple[int, int]] = []
    while len(places) < total:
        left = total - len(places)
        for at, _ in await read(feed, follower(seen[-1]), min(left, chance.randrange(1, 9))):
            vector = parse_vector(at)
            assert vector is not None
            [changed] = [part for part in vector if vector[part] != seen[-1][part]]
            places.append((changed, vector[changed]))
            seen.append(vector)
    await arriving
    expected = [(part, n) for part in (3, 4) for n in range(world.offsets[part] + 1)]
    assert sorted(places) == expected
    assert len(await whole) == total
