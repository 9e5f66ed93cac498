"""Versions of configurations in the store, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from projections.config_versions import ConfigVersions
from projections.store import Store
from streams.core.config_versions import Version

ONE = Version(
    tenant="t",
    version=4,
    base=3,
    author="key:a",
    reason="r\x00é",
    at=datetime(2026, 3, 1, 10, 0, 0, 7, tzinfo=UTC),
    document={"version": 4, "sequence": [{"name": "zuora", "options": {"a": [1.5, None, "\x00"]}}]},
)


@pytest.fixture
def versions(database_url: str) -> Iterator[ConfigVersions]:
    store = Store.open(database_url)
    yield ConfigVersions(store)
    store.close()


def test_the_first_of_a_number_is_kept(versions: ConfigVersions) -> None:
    kept = replace(ONE, reason="r\ufffdé")
    assert versions.record(ONE) == kept
    assert versions.record(replace(ONE, author="key:b", document={"version": 4})) == kept
    assert versions.version("t", 4) == kept
    assert versions.version("t", 9_999_999_999) is None
    assert versions.version("other", 4) is None


def test_writers_at_the_same_time_keep_one(versions: ConfigVersions) -> None:
    several = [replace(ONE, author=f"key:{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(versions.record, several))
    assert len({one.author for one in kept}) == 1


def test_the_newest_come_first(versions: ConfigVersions) -> None:
    for number in (1, 2, 4):
        versions.record(replace(ONE, version=number, base=None))
    versions.record(replace(ONE, tenant="other", version=9))
    assert [one.version for one in versions.history("t", None, 2)] == [4, 2]
    assert [one.version for one in versions.history("t", 2, 9)] == [1]
    assert len(versions.history("t", 9_999_999_999, 9)) == 3
    assert [versions.highest(tenant) for tenant in ("t", "other", "nobody")] == [4, 9, 0]
