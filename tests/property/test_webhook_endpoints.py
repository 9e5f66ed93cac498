"""Whoever writes endpoints at the same time: all readers agree, before and after compaction."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import example, given, settings

from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.webhooks.changing import changed
from streams.core.webhooks.endpoint import Deleted, Endpoint, endpoint_bytes
from streams.kafka.admin import Cluster
from tests.contesting import Steps, World, run, steps

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
NAME = "whe_1"
FIRST = Endpoint(
    id=NAME, tenant="acme", url="https://example.com", secrets=(), created=NOW, updated=NOW
)


class Endpoints(World[EndpointBook]):
    """Processes that change and delete one endpoint."""

    def __init__(self) -> None:
        super().__init__(book, endpoint_bytes)
        self._made = 0

    def change(self, process: int) -> None:
        self._made += 1
        named = {"description": str(self._made)}
        self.replace(process, lambda held: changed(held, named, NOW))

    def replace(self, process: int, after: Callable[[Endpoint], Endpoint | Deleted]) -> None:
        held = self.books[process].get(NAME)
        if held is not None:
            self.write(process, self.books[process].write(after(held), self))

    async def settled_by(self, process: int) -> None:
        await self.books[process].settle(self)


class Known(EndpointBook):
    """Has read what was there at its start, or compaction has kept its distance from it."""

    known = True


def book(_: int) -> EndpointBook:
    return Known(Cluster("127.0.0.1:9"), "webhook-endpoints", {})


async def played(happening: Steps) -> Endpoints:
    world = Endpoints()
    await world.add(FIRST)
    for step, process in happening:
        if step == "read":
            world.read(process)
        elif step == "change":
            world.change(process)
        elif step == "delete":
            world.replace(process, lambda held: Deleted(held.id, held.tenant))
        elif step == "settle":
            await world.settled_by(process)
        else:
            world.trouble(step, process)
        await asyncio.sleep(0)
    await world.settle()
    return world


ANYTHING = steps(change=4, delete=1, settle=1, lose=1, land=1, restart=1)


@given(ANYTHING)
@example(
    # One's own record stands behind an equal one of another, which was read for it.
    [
        *(("read", 0), ("read", 1), ("change", 0), ("change", 0)),
        *(("read", 0), ("change", 1), ("read", 0), ("change", 0)),
    ]
)
@settings(deadline=None, max_examples=300)
def test_all_readers_agree_however_far_the_topic_is_compacted(happening: Steps) -> None:
    world = run(played(happening))
    (held,) = {one.holds(NAME) for one in world.books}
    assert {one.holds(NAME) for one in world.fresh()} == {held}


@given(steps(change=3))
@settings(deadline=None, max_examples=100)
def test_each_change_that_held_is_built_on(happening: Steps) -> None:
    """So many changes held as the revision says."""
    world = run(played(happening))
    held = world.books[0].get(NAME)
    assert held is not None
    assert held.revision == 1 + sum(world.outcomes())
    assert held == replace(FIRST, description=held.description, revision=held.revision)
