"""Has what is due sent: from the store into memory, to the endpoints, and the results back."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from projections.moments import microseconds
from projections.webhooks.queue import DeliveryQueue, Due, Result, Wanted
from projections.webhooks.standings import Standings
from projections.webhooks.tables import DELIVERED, DISCARDED, FAILED, PENDING
from streams.agents.fate import Fatal, StoreCalls, guarded
from streams.agents.webhooks import metrics
from streams.agents.webhooks.health import Health, Verdict, disabling, notices
from streams.agents.webhooks.lines import Line
from streams.agents.webhooks.sender import Answer
from streams.core.webhooks.endpoint import Endpoint
from streams.core.webhooks.schedule import is_success, next_attempt_at

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""So often is asked for what time, the API or another process has made due."""
LOOK_PART = 0.05
"""At most this part of the time goes into looking, however many endpoints there are."""
LONGEST_LOOK_S = 2.0
STANDINGS_S = 1.0
GATHER_S = 0.005
"""A transaction costs as much for one result as for ten."""

_THROTTLED = frozenset({429, 502, 503, 504})


class Book(Protocol):
    """All endpoints."""

    def everyone(self) -> Sequence[Endpoint]:
        """The endpoints of all tenants."""

    def of(self, tenant: str) -> Sequence[Endpoint]:
        """The tenant's endpoints."""


class Sending(Protocol):
    """Sends deliveries."""

    async def attempt(self, endpoint: Endpoint, due: Due) -> Answer:
        """Sends one once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the dispatcher works with.

    `opened` gives a delivery with its body in clear, None where its subject was erased; it
    blocks. `writing` is held by whoever in this process writes to the store. `partitions` is how
    many there are in all.
    """

    queue: DeliveryQueue
    standings: Standings
    book: Book
    sender: Sending
    opened: Callable[[Due], Due | None]
    writing: asyncio.Lock
    partitions: int
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    jitter: Callable[[], float]


class Dispatcher:
    """Sends the deliveries of its partitions; for one event loop.

    Of a lane only the head is ever at hand, so nothing can be sent before what precedes it has
    ended. What is lost with the process is only that something was sent: it is sent again.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._calls = StoreCalls(local=False)
        self._health = Health()
        self._lines: dict[str, Line] = {}
        self._owned: frozenset[int] = frozenset()
        self._results: list[Result] = []
        self._verdicts: dict[str, Verdict] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._look_at = self._standings_at = 0.0
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None

    def start(self, fatal: Fatal) -> None:
        """Starts its loop."""
        self._loop = guarded(self._run(), fatal)

    async def stop(self, within_s: float) -> None:
        """Sends nothing more; what comes back in time is written down."""
        self._stopping = True
        self._wake.set()
        if self._loop is not None:
            await asyncio.wait([self._loop], timeout=within_s)
            self._loop.cancel()

    @property
    def owned(self) -> Collection[int]:
        """The partitions whose deliveries it sends."""
        return self._owned

    def own(self, partitions: Collection[int]) -> None:
        """From now on sends the deliveries of these partitions, and only these."""
        self._owned = frozenset(partitions)
        for line in self._lines.values():
            line.forget()
        self._look_at = 0.0
        self._wake.set()

    def arrived(self, endpoints: Collection[str]) -> None:
        """There are new deliveries for these."""
        for name in endpoints:
            if name in self._lines:
                self._lines[name].stale = True
            else:
                self._look_at = 0.0
        self._wake.set()

    async def _run(self) -> None:
        while not (self._stopping and not self._tasks and not self._results):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            self._wake.clear()
            await self._write_results()
            for verdict in self._taken_verdicts():
                await self._disable(verdict)
            if self._means.monotonic() >= self._look_at:
                await self._look()
            await self._fill()
            for line in list(self._lines.values()):
                self._pump(line)
            await asyncio.sleep(GATHER_S)

    def _taken_verdicts(self) -> list[Verdict]:
        verdicts, self._verdicts = list(self._verdicts.values()), {}
        return verdicts

    async def _look(self) -> None:
        """What has become due by itself, or by somebody else's doing."""
        means, start = self._means, self._means.monotonic()
        await self._set_up_lines(start)
        open_lines = {name: line for name, line in self._lines.items() if line.is_open}
        now = microseconds(means.now())
        soonest = await self._calls.read(lambda: means.queue.earliest(open_lines, self._owned))
        for name, at in soonest.items():
            if at <= now and name in self._lines:
                self._lines[name].stale = True
        took = means.monotonic() - start
        self._look_at = start + max(LOOK_S, min(LONGEST_LOOK_S, took / LOOK_PART))

    async def _set_up_lines(self, now: float) -> None:
        means, endpoints = self._means, self._means.book.everyone()
        if now >= self._standings_at:
            self._health.refreshed(await self._calls.read(means.standings.all))
            self._standings_at = now + STANDINGS_S
            for endpoint in self._health.begun_anew(endpoints):
                await self._begin(endpoint)
        share = len(self._owned) / means.partitions
        lines: dict[str, Line] = {}
        for endpoint in endpoints:
            line = self._lines.get(endpoint.id) or Line(endpoint, share)
            line.set_up(endpoint, share, now)
            is_open = self._health.is_open(endpoint)
            if line.is_open and not is_open:
                line.forget()
            line.is_open = is_open
            lines[endpoint.id] = line
        self._lines = lines
        closed = [one for one in lines.values() if one.endpoint.enabled and not one.is_open]
        metrics.DISABLED.set(len(closed))

    async def _begin(self, endpoint: Endpoint) -> None:
        means = self._means
        async with means.writing:
            begun = await self._calls.write(
                lambda: means.standings.begin(endpoint.id, endpoint.generation, means.now())
            )
        if begun:
            log.info("endpoint %s is sent to again", endpoint.id)
        self._standings_at = 0.0

    async def _fill(self) -> None:
        """Reads deliveries for the lines that run out of them."""
        wanted = {name: want for name, line in self._lines.items() if (want := line.wants())}
        owned, now = self._owned, microseconds(self._means.now())
        if self._stopping or not wanted or not owned:
            return
        found, erased = await self._calls.read(lambda: self._read(wanted, owned, now))
        if owned != self._owned:
            return
        by_line: dict[str, list[Due]] = {name: [] for name in wanted}
        for due in found:
            by_line[due.endpoint].append(due)
        for name, some in by_line.items():
            self._lines[name].fill(some)
        if erased:
            metrics.DELIVERIES.labels(DISCARDED).inc(len(erased))
            self._results += [_discarded(due, now) for due in erased]
            self._wake.set()

    def _read(
        self, wanted: dict[str, Wanted], owned: Collection[int], now: int
    ) -> tuple[list[Due], list[Due]]:
        """What is due, opened; and what can never be opened again."""
        found: list[Due] = []
        erased: list[Due] = []
        for due in self._means.queue.due(wanted, owned, now):
            opened = self._means.opened(due)
            if opened is None:
                erased.append(due)
            else:
                found.append(opened)
        return found, erased

    def _pump(self, line: Line) -> None:
        """Sends what may be sent now to one endpoint."""
        if self._stopping:
            return
        now = self._means.monotonic()
        while (due := line.take(now)) is not None:
            task = asyncio.ensure_future(self._send(line, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._owned and line.wants() is not None:
            self._wake.set()
        pause = line.pause_s(now)
        name = line.endpoint.id
        if pause is not None and pause < LOOK_S and name not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[name] = loop.call_later(pause, self._timed, name)

    def _timed(self, name: str) -> None:
        del self._timers[name]
        if name in self._lines:
            self._pump(self._lines[name])

    async def _send(self, line: Line, due: Due) -> None:
        means = self._means
        if due.attempts == 0 and due.replays == 0:
            waited = microseconds(means.now()) - due.created
            metrics.FIRST_ATTEMPT_SECONDS.observe(max(0.0, waited / 1e6))
        began = means.now()
        with metrics.IN_FLIGHT.track_inprogress():
            try:
                answer = await means.sender.attempt(line.endpoint, due)
            except Exception:
                # Nothing that one delivery brings about may hold up its endpoint for ever.
                log.exception("an attempt at %s failed here", due.id)
                answer = Answer(began, 0, None, "failed_here", None, None)
        now, well = means.now(), is_success(answer.status)
        line.ended(well=well)
        if answer.not_before is not None and answer.status in _THROTTLED:
            wait = (answer.not_before - now).total_seconds()
            line.held_until = max(line.held_until, means.monotonic() + wait)
        verdict = self._health.attempted(line.endpoint, answer.status, now)
        if verdict is not None:
            self._verdicts[line.endpoint.id] = verdict
        result = result_of(due, answer, now, means.jitter())
        _count(result)
        self._results.append(result)
        self._wake.set()
        self._pump(line)

    async def _write_results(self) -> None:
        results, self._results = self._results, []
        notes = self._health.notes()
        means, now = self._means, microseconds(self._means.now())
        if results:
            async with means.writing:
                await self._calls.write(lambda: means.queue.settle(results, now))
        if notes:
            async with means.writing:
                await self._calls.write(lambda: means.standings.note(notes))
        for result in results:
            line = self._lines.get(result.due.endpoint)
            if line is not None:
                line.known.discard(result.due.id)
                line.stale = True

    async def _disable(self, verdict: Verdict) -> None:
        means, now = self._means, self._means.now()
        endpoint = verdict.endpoint
        since = self._health.of(endpoint).failing_since
        others = [one for one in means.book.of(endpoint.tenant) if self._health.is_open(one)]
        told = notices(verdict, since, others, now)
        async with means.writing:
            done = await self._calls.write(
                lambda: means.standings.disable(disabling(verdict), told, now)
            )
        if done:
            metrics.DISABLINGS.labels(verdict.reason).inc()
            log.warning("endpoint %s is disabled: %s", endpoint.id, verdict.reason)
        self._standings_at = self._look_at = 0.0


def result_of(due: Due, answer: Answer, now: datetime, jitter: float) -> Result:
    """What an answer makes of its delivery."""
    status, next_at = DELIVERED, None
    if not is_success(answer.status):
        next_at = next_attempt_at(due.tries + 1, now, jitter, answer.not_before)
        status = FAILED if next_at is None else PENDING
    return Result(
        due=due,
        at=microseconds(answer.began),
        duration_ms=answer.duration_ms,
        code=answer.status,
        error=answer.error,
        response=answer.text,
        status=status,
        next_at=None if next_at is None else microseconds(next_at),
    )


def _discarded(due: Due, now: int) -> Result:
    return Result(due, now, 0, None, "erased", None, DISCARDED, None)


def _count(result: Result) -> None:
    code = result.code
    metrics.ATTEMPTS.labels(f"{code // 100}xx" if code is not None else result.error).inc()
    metrics.ATTEMPT_SECONDS.observe(result.duration_ms / 1000)
    if result.status != PENDING:
        metrics.DELIVERIES.labels(result.status).inc()
