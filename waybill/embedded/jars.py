"""Kafka's jars: fetched once from Maven Central into a directory that all checkouts share."""

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from waybill.embedded.errors import EmbeddedError

KAFKA_VERSION = "4.1.0"

_LOGGING = "org.slf4j:slf4j-simple:1.7.36"
"""Kafka's own jars log nowhere; this one writes plainly and starts faster than log4j."""

_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+{_LOGGING}"


def kafka_jars(cache: Path, say: Callable[[str], None]) -> list[Path]:
    """All jars of the broker, fetched where this user has none yet."""
    home = cache / f"kafka-{KAFKA_VERSION}"
    if not home.is_dir():
        say(f"Fetching Apache Kafka {KAFKA_VERSION} (45 MB) from Maven Central, once.")
        _fetch(home)
    return sorted(home.glob("*.jar"))


def _fetch(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{home.name}.", dir=home.parent))
    try:
        jars = work / "jars"
        jars.mkdir()
        for jar in _resolve(work):
            shutil.copy2(jar, jars)
        _publish(jars, home)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _resolve(work: Path) -> list[Path]:
    jgo = importlib.import_module("jgo")  # slow to import, and needed once per machine
    try:
        return list(jgo.build(_ENDPOINT, cache_dir=work).all_jars)
    except Exception as error:
        raise EmbeddedError(
            "kafka_unavailable",
            f"Apache Kafka could not be fetched from Maven Central ({error})",
            "Check the network and HTTPS_PROXY, or name a Kafka in WAYBILL_KAFKA",
        ) from error


def _publish(jars: Path, home: Path) -> None:
    """Moves the finished directory into place: nobody ever sees half of it."""
    try:
        os.rename(jars, home)  # noqa: PTH104 - fails where another process was first
    except OSError:
        if not home.is_dir():
            raise
