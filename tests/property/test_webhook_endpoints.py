"""Whoever writes endpoints at the same time: all readers agree, before and after compaction."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.webhooks.changing import changed
from streams.core.webhooks.endpoint import Deleted, Endpoint, endpoint_bytes
from streams.kafka.admin import Cluster

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
NAME = "whe_1"
FIRST = Endpoint(
    id=NAME, tenant="acme", url="https://example.com", secrets=(), created=NOW, updated=NOW
)
WRITERS = 3
# Each step: a process reads its next record, or begins to change or to delete the endpoint.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["read"] * 4 + ["change"] * 3 + ["delete"]), st.integers(0, WRITERS - 1)
    ),
    max_size=40,
)


class World:
    """A topic, and processes that read it as fast as the test lets them."""

    def __init__(self) -> None:
        self.topic: list[bytes] = []
        self.books = [book() for _ in range(WRITERS)]
        self.positions = [0] * WRITERS
        self.writing: list[asyncio.Task[bool]] = []
        self.made = 0

    async def send(self, record: Endpoint | Deleted) -> None:
        await asyncio.sleep(0)
        self.topic.append(endpoint_bytes(record))

    def read(self, process: int) -> bool:
        position = self.positions[process]
        if position == len(self.topic):
            return False
        self.books[process].take(self.topic[position])
        self.positions[process] += 1
        return True

    def write(self, process: int, after: Callable[[Endpoint], Endpoint | Deleted]) -> None:
        held = self.books[process].get(NAME)
        if held is not None:
            writing = self.books[process].write(after(held), self.send)
            self.writing.append(asyncio.create_task(writing))

    def change(self, process: int) -> None:
        self.made += 1
        named = {"description": str(self.made)}
        self.write(process, lambda held: changed(held, named, NOW))

    async def settle(self) -> None:
        """Until everything is read and nobody writes any more."""
        reading = True
        while reading or not all(task.done() for task in self.writing):
            await asyncio.sleep(0)
            # Each one reads, whatever the others found.
            reading = max(self.read(process) for process in range(WRITERS))


def book() -> EndpointBook:
    return EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", {})


async def played(steps: list[tuple[str, int]]) -> World:
    world = World()
    await world.send(FIRST)
    for step, process in steps:
        if step == "read":
            world.read(process)
        elif step == "change":
            world.change(process)
        else:
            world.write(process, lambda held: Deleted(held.id, held.tenant))
        await asyncio.sleep(0)
    await world.settle()
    return world


@given(STEPS)
@settings(deadline=None, max_examples=300)
def test_all_readers_agree_also_on_the_compacted_topic(steps: list[tuple[str, int]]) -> None:
    world = asyncio.run(played(steps))
    live = {one.holds(NAME) for one in world.books}
    fresh = book()
    fresh.take(world.topic[-1])
    assert {fresh.holds(NAME)} == live


@given(STEPS)
@settings(deadline=None, max_examples=100)
def test_each_change_that_held_is_built_on(steps: list[tuple[str, int]]) -> None:
    """So many changes held as the revision says, unless the endpoint is gone."""
    world = asyncio.run(played([step for step in steps if step[0] != "delete"]))
    held = world.books[0].get(NAME)
    assert held is not None
    assert held.revision == 1 + sum(task.result() for task in world.writing)
    assert held == replace(FIRST, description=held.description, revision=held.revision)
