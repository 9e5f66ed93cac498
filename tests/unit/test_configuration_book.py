"""The book of configurations: who holds when several write, what is kept, what is used."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plugins.registry import Registry
from projections.config_versions import ConfigVersions
from projections.store import Store
from schemas.connections import Connections
from streams.core.config_versions import FROM_FILE, Version, version_bytes, version_from
from streams.core.first_holds import restated
from streams.kafka.admin import Cluster
from waybill.configuration import RefusedConfigurationError
from waybill.configuring.book import ConfigurationBook, StaleBaseError
from waybill.configuring.drafts import Drafting
from waybill.configuring.keeping import ConfigurationKeeping

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REGISTRY = Registry.found()
DOCUMENT: dict[str, Any] = {"version": 3, "sequence": [{"name": "entitlements"}]}
OTHER = {"sequence": [{"name": "entitlements", "critical": False}]}
WRONG = {"sequence": [{"name": "nobody's"}]}


@dataclass
class Topic:
    """Stands in for `processing-configs`: what is sent is handed to all books in one order.

    `meanwhile` is called between two of them, where a record has not arrived at its writer yet.
    """

    books: list[ConfigurationBook] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    overtaking: list[Version] = field(default_factory=list)

    async def add(self, version: Version) -> None:
        await asyncio.sleep(0)
        for one in [self.overtaking.pop(0), version] if self.overtaking else [version]:
            self.append(one)

    async def restate(self, version: Version) -> None:
        self._append(restated(version_bytes(version)))

    def append(self, version: Version) -> None:
        self._append(version_bytes(version))

    def compacted(self) -> Version:
        """What is left of it in the end."""
        return version_from(self.records[-1])

    def _append(self, value: bytes) -> None:
        self.records.append(value)
        for book in self.books:
            book.take(value)


@dataclass
class Case:
    """Books over one store and one topic."""

    store: Store
    topic: Topic = field(default_factory=Topic)

    def book(self, document: dict[str, Any] | None = DOCUMENT) -> ConfigurationBook:
        files = {} if document is None else {"t": of_file(document)}
        made = ConfigurationBook(
            files, Drafting(REGISTRY, Connections({})), ConfigVersions(self.store), lambda: NOW
        )
        made.writes(self.topic)
        for value in self.topic.records:
            made.take(value)
        self.topic.books.append(made)
        return made


def of_file(document: dict[str, Any]) -> Version:
    number = document["version"]
    return Version(
        tenant="t",
        version=number,
        base=None,
        author=FROM_FILE,
        reason="as written",
        at=NOW,
        document=document,
    )


def record(version: int, base: int | None, author: str, document: Any = OTHER) -> Version:
    """The first of the topic."""
    plain = {**document, "version": version}
    return replace(of_file(plain), base=base, author=author, reason="r", revision=1)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield Case(store)
    store.close()


async def test_a_change_holds_everywhere_and_every_version_is_kept(case: Case) -> None:
    book, elsewhere = case.book(), case.book()
    assert book.current("t") == of_file(DOCUMENT)
    made = await book.put("t", OTHER, 3, "key:a", "why")
    assert (made.version.version, made.version.base, made.is_new) == (4, 3, True)
    for one in (book, elsewhere, case.book(None)):
        current = one.current("t")
        assert current is not None
        assert (current.version, current.author, current.reason) == (4, "key:a", "why")
        assert current.document == {"version": 4, **OTHER}
        assert one.sequencers["t"].configuration.version == 4
    assert [one.version for one in await elsewhere.history("t")] == [4, 3]
    assert [one.version for one in await elsewhere.history("t", before=4, limit=1)] == [3]
    old = await elsewhere.version("t", 3)
    assert old is not None
    assert old.document == DOCUMENT
    assert await elsewhere.version("t", 5) is None
    assert await elsewhere.version("another", 3) is None


async def test_a_change_made_from_another_version_is_refused(case: Case) -> None:
    book = case.book()
    await book.put("t", OTHER, 3, "key:a", "why")
    with pytest.raises(StaleBaseError) as stale:
        await book.put("t", DOCUMENT, 2, "key:b", "why")
    assert stale.value.current is not None
    assert stale.value.current.version == 4
    assert (await book.put("t", DOCUMENT, None, "key:b", "whatever it was")).version.version == 5


async def test_the_same_again_is_no_new_version(case: Case) -> None:
    book = case.book()
    first = await book.put("t", OTHER, 3, "key:a", "why")
    for base in (3, 4, None):
        again = await book.put("t", OTHER, base, "key:a", "why")
        assert (again.version, again.is_new) == (first.version, False)
    assert len(case.topic.records) == 1


async def test_a_tenant_without_a_configuration_gets_a_first_one(case: Case) -> None:
    book = case.book(None)
    with pytest.raises(StaleBaseError):
        await book.put("t", OTHER, 1, "key:a", "why")
    made = await book.put("t", OTHER, 0, "key:a", "why")
    assert (made.version.version, made.version.base) == (1, None)
    assert book.tenants() == ["t"]


async def test_what_has_errors_is_refused_and_written_nowhere(case: Case) -> None:
    book = case.book()
    for wrong in (WRONG, {"sequence": 1}):
        with pytest.raises(RefusedConfigurationError):
            await book.put("t", wrong, 3, "key:a", "why")
    assert case.topic.records == []
    warned = await book.put("t", {**OTHER, "lane_by": "customer"}, 3, "key:a", "why")
    assert "lane_by_changes" in {one.code for one in warned.findings}


async def test_of_two_writers_the_first_holds_and_the_topic_ends_with_it(case: Case) -> None:
    book = case.book()
    first = record(4, 3, "key:first", DOCUMENT | {"post": []})
    case.topic.overtaking.append(first)
    with pytest.raises(StaleBaseError):
        await book.put("t", OTHER, 3, "key:late", "why")
    assert book.current("t") == first
    assert case.topic.compacted() != first
    await book.settle()
    assert case.topic.compacted() == first
    await book.put("t", OTHER, 4, "key:next", "why")
    await book.settle()
    assert case.topic.compacted().version == 5


async def test_of_writers_over_different_files_the_first_holds(case: Case) -> None:
    """Whichever number its file has; what is made from it holds whatever numbers files have."""
    book, elsewhere = case.book(), case.book({**DOCUMENT, "version": 8})
    case.topic.overtaking.append(record(9, 8, "key:first"))
    with pytest.raises(StaleBaseError):
        await book.put("t", {"sequence": []}, 3, "key:late", "why")
    case.topic.append(record(10, 9, "key:later", DOCUMENT))
    for one in (book, elsewhere, case.book()):
        current = one.current("t")
        assert current is not None
        assert (current.version, current.author) == (9, "key:first")
    assert (await book.put("t", DOCUMENT, 9, "key:next", "why")).version.base == 9


async def test_many_writers_lose_nothing(case: Case) -> None:
    books = [case.book() for _ in range(3)]

    async def change(number: int) -> int:
        entry = {"name": "entitlements", "id": f"step-{number}"}
        document = {"sequence": [entry]}
        made = await books[number % 3].put("t", document, None, f"key:{number}", "why")
        return made.version.version

    numbers = await asyncio.gather(*(change(number) for number in range(12)))
    assert sorted(numbers) == list(range(4, 16))
    assert len({str(book.current("t")) for book in books}) == 1


async def test_a_number_that_a_file_has_used_is_not_used_again(case: Case) -> None:
    ConfigVersions(case.store).record(of_file({**DOCUMENT, "version": 9}))
    made = await case.book().put("t", OTHER, 3, "key:a", "why")
    assert (made.version.version, made.version.base) == (10, 3)


async def test_a_file_that_changed_under_its_number_is_told_of(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    ConfigVersions(case.store).record(of_file(DOCUMENT))
    book = case.book({**DOCUMENT, "post": []})
    with caplog.at_level(logging.WARNING):
        recording = asyncio.create_task(book.record_all())
        for _ in range(200):
            await asyncio.sleep(0.01)
            if caplog.records:
                break
        recording.cancel()
    assert "has the version 3 already" in caplog.text


def test_orders_are_resolved_under_the_version_that_they_were_accepted_with(case: Case) -> None:
    book = case.book()
    versions = ConfigVersions(case.store)
    versions.record(record(1, None, "key:a", {"sequence": [{"name": "zuora"}]}))
    versions.record(record(2, 1, "key:a", WRONG))
    old = book.pinned("t", 1)
    assert old is not None
    assert [step.plugin for step in old.resolve({}, "new").waybill] == ["zuora"]
    assert book.pinned("t", 1) is old
    assert book.pinned("t", 3) is book.sequencers["t"]
    assert book.pinned("t", 2) is None  # of a plugin that is gone
    assert book.pinned("t", 8) is None


def test_a_draft_without_any_plugin_is_warned_of(case: Case) -> None:
    draft = case.book().draft("t", {"sequence": []})
    assert [(one.code, one.path) for one in draft.findings] == [("empty_sequence", "/sequence")]
    assert draft.usable.sequence == []


def test_what_is_not_understood_changes_nothing(case: Case) -> None:
    book = case.book()
    for value in (None, b"", b"{}", b"\xff"):
        book.take(value)
    assert book.current("t") == of_file(DOCUMENT)


async def keeping(book: ConfigurationBook, ended: list[BaseException]) -> ConfigurationKeeping:
    made = ConfigurationKeeping(book, Cluster("127.0.0.1:9"), "processing-configs", ended.append)
    made._following._caught_up.set()  # as if the topic were empty
    await made.usable()
    return made


async def test_orders_wait_for_the_version_that_their_sender_saw(case: Case) -> None:
    book = case.book()
    kept = await keeping(book, [])
    await asyncio.wait_for(kept.ready({"t": 3, "nobody": 0}), 0.1)
    waiting = asyncio.create_task(kept.ready({"t": 4}))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    case.topic.append(record(4, 3, "key:a"))
    await asyncio.wait_for(waiting, 0.5)


async def test_a_version_that_nobody_writes_is_waited_for_once(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waybill.configuring.keeping.PATIENCE_S", 0.05)
    kept = await keeping(case.book(), [])
    await asyncio.wait_for(kept.ready({"t": 999}), 1)
    await asyncio.wait_for(kept.ready({"t": 999}), 0.03)


async def test_no_order_is_taken_under_a_version_that_cannot_be_used(case: Case) -> None:
    ended: list[BaseException] = []
    book = case.book()
    kept = await keeping(book, ended)
    case.topic.append(record(4, 3, "key:a", WRONG))
    assert [type(one) for one in ended] == [RefusedConfigurationError]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kept.ready({}), 0.05)
    with pytest.raises(RefusedConfigurationError):
        await keeping(case.book(), [])
    # Whoever can use nothing of it can still put it right.
    assert (await book.put("t", OTHER, 4, "key:b", "why")).version.version == 5
    await asyncio.wait_for(kept.ready({}), 0.1)
