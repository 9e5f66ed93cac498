"""One Kafka broker as a child process: starts, answers, stops, and never outlives its parent."""

import base64
import fcntl
import json
import logging
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from waybill import clock
from waybill.embedded.errors import EmbeddedError
from waybill.embedded.jars import kafka_jars
from waybill.embedded.java import find_java
from waybill.embedded.properties import JVM, Ports, server_properties
from waybill.ports import free_port, is_free
from waybill.settings import cache_directory
from waybill.tether import tethered

_log = logging.getLogger(__name__)

_START_SECONDS = 90.0
_STOP_SECONDS = 10.0
_LOCK_SECONDS = 3.0
_POLL_SECONDS = 0.02
_PORTS = "ports.json"
_LOG_LIMIT = 10 * 1024 * 1024


class EmbeddedBroker:
    """Apache Kafka in KRaft mode, one node, its data under `data_directory`.

    Start it from a thread that lives as long as the process (see `waybill.tether`).
    """

    def __init__(self, data_directory: Path, say: Callable[[str], None] = _log.info) -> None:
        self._home = data_directory.absolute() / "kafka"
        self._logs = data_directory.absolute() / "logs"
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._argv: list[str] = []
        self._lock: IO[str] | None = None

    @property
    def log_file(self) -> Path:
        """What the broker has to say: warnings and errors."""
        return self._logs / "kafka.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> str:
        """Starts the broker and returns its bootstrap address once it answers."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self._home / "lock")
        try:
            return self._start()
        except BaseException:
            self.kill()
            raise

    def _start(self) -> str:
        java = [str(find_java(self._say)), *JVM, "-cp"]
        java.append(os.pathsep.join(map(str, kafka_jars(cache_directory(), self._say))))
        ports = _choose_ports(self._home / _PORTS)
        data = self._home / "data"
        if not data.is_dir():
            _format(java, ports, data)
        properties = self._home / "server.properties"
        properties.write_text(server_properties(ports, data))
        self._argv = [*java, "kafka.Kafka", str(properties)]
        self._spawn(self._argv)
        self._wait(ports.clients)
        return f"127.0.0.1:{ports.clients}"

    def _spawn(self, argv: list[str]) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        # The child inherits the lock, so it is held until the broker too is really gone.
        lock = () if self._lock is None else (self._lock.fileno(),)
        with self.log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - argv is ours, no shell
                tethered(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=lock,
                start_new_session=True,
            )

    def _wait(self, port: int) -> None:
        deadline = clock.monotonic() + _START_SECONDS
        while not _answers(port):
            if self._process is not None and self._process.poll() is not None:
                raise self._failed(f"Kafka ended with code {self._process.returncode}")
            if clock.monotonic() > deadline:
                raise self._failed(f"Kafka did not answer within {_START_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _failed(self, message: str) -> EmbeddedError:
        lines = self.log_file.read_text(errors="replace").splitlines()[-3:]
        shown = " | ".join(line[:300] for line in lines)
        return EmbeddedError("kafka_failed", f"{message}: {shown}", f"See {self.log_file}")

    def revive(self) -> int | None:
        """Starts it again where it has ended by itself, and does not wait until it answers.

        The code that it ended with; None where it runs, or was stopped.
        """
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self._spawn(self._argv)
        return code

    def stop(self) -> None:
        """Stops it cleanly; one that does not stop within 10 s is killed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _log.warning("Kafka did not stop in time and is killed")
        self.kill()

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def running_bootstrap(data_directory: Path) -> str | None:
    """The address of a broker that another process runs on this data; None where none answers."""
    ports = _recorded_ports(data_directory.absolute() / "kafka" / _PORTS)
    return f"127.0.0.1:{ports.clients}" if ports.clients and _answers(ports.clients) else None


def _locked(path: Path) -> IO[str]:
    """Holds `path` alone; waits for a broker that is on its way out."""
    lock = path.open("a+")
    deadline = clock.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if clock.monotonic() > deadline:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                lock.close()
                raise EmbeddedError(
                    "data_in_use",
                    f"{path.parent} is in use by another Waybill (process {owner})",
                    "Stop that one, or give this one its own WAYBILL_DATA",
                ) from error
            time.sleep(_POLL_SECONDS)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _choose_ports(record: Path) -> Ports:
    """The ports of the last run where they are still free, else new ones, written down."""
    kept = _recorded_ports(record)
    clients = kept.clients if kept.clients and is_free(kept.clients) else free_port()
    controller = kept.controller if kept.controller and is_free(kept.controller) else free_port()
    ports = Ports(clients, controller)
    if ports != kept:
        record.write_text(json.dumps({"clients": clients, "controller": controller}))
    return ports


def _recorded_ports(record: Path) -> Ports:
    try:
        return Ports(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return Ports(0, 0)


def _format(java: list[str], ports: Ports, data: Path) -> None:
    """Makes an empty log; a half-made one is never taken for a whole one."""
    partial = data.with_name("data.partial")
    properties = data.with_name("format.properties")
    properties.write_text(server_properties(ports, partial))
    for left in sorted(partial.rglob("*"), reverse=True):
        left.rmdir() if left.is_dir() else left.unlink()
    identity = base64.urlsafe_b64encode(clock.random_bytes(16)).decode().rstrip("=")
    tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", "A" + identity[1:]]
    done = subprocess.run(  # noqa: S603 - argv is ours, no shell
        [*java, *tool, "-c", str(properties)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise EmbeddedError(
            "kafka_failed",
            f"Kafka could not make its log: {done.stderr.strip()[-300:]}",
            f"Check that {data.parent} can be written and has room",
        )
    partial.rename(data)


def _answers(port: int) -> bool:
    """Whether a broker serves requests there, and tells of itself: an open port says too little.

    For a moment after its start a broker answers that its cluster has none, and clients give up.
    """
    metadata_of_no_topic = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(metadata_of_no_topic)
            # Length and correlation id, then how many brokers there are.
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0  # noqa: PLR2004 - said above
