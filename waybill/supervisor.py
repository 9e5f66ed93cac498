"""Keeps named child processes running, and stops them all in order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp
import orjson

from waybill import clock
from waybill.running import REFUSED
from waybill.tether import tethered

_log = logging.getLogger(__name__)

STOP_SECONDS = 15.0
_STOP_ONE_SECONDS = 6.0
_FIRST_BACKOFF = 0.5
_LAST_BACKOFF = 10.0
_STEADY_SECONDS = 30.0
_PROBE_SECONDS = 0.1
_HOPELESS_STARTS = 5
_SHOWN = 300
_LINES = 5


class NotReadyError(Exception):
    """Children that did not become ready in time; `waiting` names them."""

    def __init__(self, waiting: Mapping[str, str], logs: Path) -> None:
        told = "; ".join(f"{name} {state}" for name, state in waiting.items())
        super().__init__(f"Not ready: {told}. See the logs in {logs}. [not_ready]")
        self.waiting = dict(waiting)


class RefusedError(Exception):
    """A child that refuses what it was given: starting it again would change nothing."""

    def __init__(self, name: str, said: Sequence[str], log: Path) -> None:
        told = "".join(f"\n  {line}" for line in said)
        super().__init__(f"{name} refuses to run.{told}\nSee {log}. [refused]")
        self.name = name


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running; it is ready once `ready_url` answers 2xx."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    ready_url: str | None = None


@dataclass(slots=True)
class _Running:
    child: Child
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    last_code: int | None = None

    def state(self, log: Path) -> str:
        """In words, with the last that it said where it ended."""
        last = _last_lines(log, 1)
        if self.last_code is None:
            return ": ".join(["runs but is not ready", *last])
        return ": ".join([f"ended with code {self.last_code}", *last])


class Supervisor:
    """Runs children until it is stopped; one that ends is started again, ever more slowly.

    Not so one that ends with `REFUSED`: see `refused`.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, _Running] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._refusal: asyncio.Queue[str] = asyncio.Queue()

    def start(self, children: Sequence[Child]) -> None:
        """Starts the children, in order, without waiting for any of them."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for child in children:
            running = self._running[child.name] = _Running(child)
            self._keepers.append(asyncio.create_task(self._keep(running), name=child.name))

    def pid(self, name: str) -> int | None:
        """The process id of a child while it runs."""
        process = self._running[name].process
        return None if process is None or process.returncode is not None else process.pid

    def starts(self, name: str) -> int:
        """How often a child was started."""
        return self._running[name].starts

    def log_file(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._logs / f"{name}.log"

    async def ready(self, seconds: float) -> None:
        """Waits until all children are ready.

        NotReadyError when `seconds` are over, or one ended again and again.
        """
        waiting = dict(self._running)
        deadline = clock.monotonic() + seconds
        timeout = aiohttp.ClientTimeout(total=1)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while waiting:
                for name, running in list(waiting.items()):
                    if await _is_ready(session, running):
                        del waiting[name]
                hopeless = any(r.starts >= _HOPELESS_STARTS for r in waiting.values())
                if waiting and (hopeless or clock.monotonic() > deadline):
                    raise NotReadyError(
                        {
                            name: running.state(self.log_file(name))
                            for name, running in waiting.items()
                        },
                        self._logs,
                    )
                await asyncio.sleep(_PROBE_SECONDS if waiting else 0)

    async def refused(self) -> None:
        """RefusedError once a child ends with `REFUSED`; that one is not started again."""
        name = await self._refusal.get()
        log = self.log_file(name)
        raise RefusedError(name, _last_lines(log, _LINES), log)

    async def stop(self) -> None:
        """Asks the children to end, the last started first; 15 s for all, then they are killed."""
        self._stopping.set()
        deadline = clock.monotonic() + STOP_SECONDS
        for running in reversed(self._running.values()):
            await _end(running, deadline)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, running: _Running) -> None:
        backoff = _FIRST_BACKOFF
        while not self._stopping.is_set():
            began = clock.monotonic()
            running.last_code = await self._run(running)
            if self._stopping.is_set():
                return
            if running.last_code == REFUSED:
                self._refusal.put_nowait(running.child.name)
                return
            if clock.monotonic() - began > _STEADY_SECONDS:
                backoff = _FIRST_BACKOFF
            _log.warning("%s ended with code %s", running.child.name, running.last_code)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF)

    async def _run(self, running: _Running) -> int:
        """One life of a child, from start to its exit code."""
        with self.log_file(running.child.name).open("ab") as output:
            running.process = await asyncio.create_subprocess_exec(
                *tethered(running.child.argv),
                env=running.child.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        running.starts += 1
        if self._stopping.is_set():  # asked to stop while it was being started
            running.process.kill()
        return await running.process.wait()


def _last_lines(log: Path, count: int) -> list[str]:
    """The last that a child said, each line cut to what fits a terminal."""
    lines = [line.strip() for line in log.read_text(errors="replace").split("\n")]
    return [_worded(line)[:_SHOWN] for line in lines if line][-count:]


def _worded(line: str) -> str:
    """A line of a structured log as its message alone."""
    try:
        message = orjson.loads(line)["message"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return line
    return str(message).partition("\n")[0]


async def _is_ready(session: aiohttp.ClientSession, running: _Running) -> bool:
    url = running.child.ready_url
    if url is None:
        return running.starts > 0
    try:
        async with session.get(url) as reply:
            return reply.status < HTTPStatus.MULTIPLE_CHOICES
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _end(running: _Running, deadline: float) -> None:
    process = running.process
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    patience = min(_STOP_ONE_SECONDS, max(0.0, deadline - clock.monotonic()))
    try:
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        _log.warning("%s did not stop in time and is killed", running.child.name)
        process.kill()
        await process.wait()


@asynccontextmanager
async def stop_requested() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets, for as long as the block lasts."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
