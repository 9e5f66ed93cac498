"""Whoever changes a configuration at the same time: all agree, and the losers are told so."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings

from plugins.registry import Registry
from projections.config_versions import ConfigVersions
from projections.store import Store
from schemas.connections import Connections
from streams.core.config_versions import FROM_FILE, Version, version_bytes
from tests.contesting import PROCESSES, LostError, Steps, World, run, steps
from waybill.configuring.book import ConfigurationBook, Put, StaleBaseError
from waybill.configuring.drafts import Drafting

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DRAFTING = Drafting(Registry.found(), Connections({}))
TENANTS = count()


class Inline(ThreadPoolExecutor):
    """Does everything at once, so that what happens follows from the steps alone."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **more))
        return future


class Configurations(World[ConfigurationBook]):
    """Processes that change one tenant's configuration; the last one has a newer file."""

    def __init__(self, versions: ConfigVersions) -> None:
        self.tenant = f"t{next(TENANTS)}"
        self._versions = versions
        self._made = 0
        super().__init__(self._new, version_bytes)

    def _new(self, process: int) -> ConfigurationBook:
        file = Version(
            tenant=self.tenant,
            version=8 if process == PROCESSES - 1 else 3,
            base=None,
            author=FROM_FILE,
            reason="as written",
            at=NOW,
            document={"sequence": []},
        )
        book = ConfigurationBook({self.tenant: file}, DRAFTING, self._versions, lambda: NOW)
        book.writes(self)
        return book

    def change(self, process: int, *, whatever: bool) -> None:
        book = self.books[process]
        current = book.current(self.tenant)
        assert current is not None
        self._made += 1
        document = {"sequence": [{"name": "entitlements", "id": f"step-{self._made}"}]}
        base = None if whatever else current.version
        self.write(process, book.put(self.tenant, document, base, f"key:{process}", "why"))

    async def settled_by(self, process: int) -> None:
        await self.books[process].settle()

    def current(self, books: list[ConfigurationBook]) -> list[Version | None]:
        return [book.current(self.tenant) for book in books]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigVersions]:
    folder = tmp_path_factory.mktemp("versions")
    store = Store.open(f"sqlite:///{folder / 'store.sqlite'}")
    yield ConfigVersions(store)
    store.close()


async def played(versions: ConfigVersions, happening: Steps) -> Configurations:
    asyncio.get_running_loop().set_default_executor(Inline())
    world = Configurations(versions)
    for step, process in happening:
        if step == "read":
            world.read(process)
        elif step == "settle":
            await world.settled_by(process)
        elif step in {"change", "insist"}:
            world.change(process, whatever=step == "insist")
        else:
            world.trouble(step, process)
        await asyncio.sleep(0)
    await world.settle()
    return world


@given(happening=steps(change=3, insist=1, settle=1, lose=1, land=1, restart=1))
@settings(deadline=None, max_examples=100)
def test_all_readers_agree_however_far_the_topic_is_compacted(
    versions: ConfigVersions, happening: Steps
) -> None:
    world = run(played(versions, happening))
    if world.topic:
        held, *others = world.current(world.books)
        assert held is not None
        assert held.author != FROM_FILE
        assert all(other == held for other in others)
        assert all(found == held for found in world.current(world.fresh()))
    answers = world.outcomes()
    assert all(isinstance(one, Put | StaleBaseError | LostError) for one in answers), answers


@given(happening=steps(change=3, insist=1))
@settings(deadline=None, max_examples=50)
def test_of_changes_of_one_version_one_holds_and_the_others_are_refused(
    versions: ConfigVersions, happening: Steps
) -> None:
    world = run(played(versions, happening))
    made = [one.version for one in world.outcomes() if isinstance(one, Put)]
    refused = [one for one in world.outcomes() if isinstance(one, StaleBaseError)]
    assert len(made) + len(refused) == len(world.written)
    assert sorted(one.revision for one in made) == list(range(1, len(made) + 1))
    if made:
        held = world.books[0].current(world.tenant)
        assert held == max(made, key=lambda one: one.revision)
        assert len({one.version for one in made}) == len(made)
