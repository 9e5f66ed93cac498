"""One running Waybill for the tests of a module."""

from collections.abc import Iterator

import pytest

from streams.topics import Topics
from tests.e2e.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(
    kafka: str, module_topics: Topics, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """All processes, on topics and a store of their own."""
    with running_stack(kafka, module_topics, tmp_path_factory.mktemp("stack")) as running:
        yield running
