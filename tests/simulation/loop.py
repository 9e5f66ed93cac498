"""A loop in virtual time: no sockets, no threads, and what is ready runs in a seeded order."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import deque

TOGETHER_S = 1e-9
"""What is due within this belongs to one round."""

HOST: ContextVar["Host | None"] = ContextVar("host", default=None)


class StuckError(Exception):
    """Nothing is scheduled any more: in virtual time that would be for ever."""


class Host:
    """A process: what runs in its context stops when it is stopped or dead.

    A dead host's tasks are dropped, not cancelled: no `finally` of theirs may do anything, so they
    are kept until the end of the run, and every port of the host asks `alive` first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped = False
        self.dies_after: int | None = None
        self.on_death: Callable[[], None] = lambda: None
        self.parked: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []

    def die(self) -> None:
        """As by `kill -9`."""
        if self.alive:
            self.alive = False
            self.parked.clear()
            self.on_death()

    def dies_soon(self, handles: int) -> None:
        """Dies at one of the next points at which its tasks wait."""
        if self.dies_after is None:
            self.dies_after = handles


class SimLoop(asyncio.BaseEventLoop):
    """Time moves when nothing is ready. Everything random comes from the seed."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._virtual = 0.0
        self._random = random
        self._graveyard: list[Any] = []
        self.rounds = 0
        self.set_task_factory(_task)
        self.set_exception_handler(lambda _loop, context: self.problems.append(context))
        self.problems: list[dict[str, Any]] = []

    def time(self) -> float:
        return self._virtual

    def leap(self, seconds: float) -> None:
        """Time passes and nobody runs, as when the whole machine is suspended."""
        self._virtual += seconds

    def thaw(self, host: Host) -> None:
        """A stopped host goes on; what became due meanwhile is ready now."""
        host.stopped = False
        self._ready.extend(host.parked)
        host.parked.clear()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Calls after a while, and answers after another one; a host may die in between."""
        del executor
        answer = self.create_future()
        context = copy_context()
        self.call_later(self._pause(), self._call, answer, context, func, args)
        return answer

    def _pause(self) -> float:
        return self._random.choice((0.0, 0.001, 0.003, 0.01, 0.08))

    def _call(self, answer: Any, context: Context, func: Any, args: Any) -> None:
        try:
            given = context.run(func, *args)
        except Exception as problem:  # noqa: BLE001 (handed to whoever waits)
            self.call_later(self._pause(), _settle, answer, None, problem)
        else:
            self.call_later(self._pause(), _settle, answer, given, None)

    def spawn(self, host: Host | None, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task in the context of that host."""
        context = copy_context()
        context.run(HOST.set, host)
        return context.run(self.create_task, work)

    def within(self, host: Host | None, call: Callable[[], Any]) -> Any:
        """Calls in the context of that host."""
        context = copy_context()
        context.run(HOST.set, host)
        return context.run(call)

    def _process_events(self, event_list: Any) -> None:
        del event_list
        raise AssertionError("there is nothing outside")

    def _write_to_self(self) -> None:
        return

    def _run_once(self) -> None:
        self.rounds += 1
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not self._ready:
            if not scheduled:
                raise StuckError
            self._virtual = max(self._virtual, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._virtual + TOGETHER_S:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            self._ready.append(handle)
        self._run(self._taken())

    def _taken(self) -> list[asyncio.Handle]:
        ready: deque[asyncio.Handle] = self._ready
        taken = list(ready)
        ready.clear()
        if len(taken) > 1:
            self._random.shuffle(taken)
        return taken

    def _run(self, taken: list[asyncio.Handle]) -> None:
        for handle in taken:
            if handle._cancelled:
                continue
            host = handle._context.get(HOST)
            if host is not None and not self._may_run(host, handle):
                continue
            handle._run()

    def _may_run(self, host: Host, handle: asyncio.Handle) -> bool:
        if host.dies_after is not None and host.alive and not host.stopped:
            host.dies_after -= 1
            if host.dies_after < 0:
                host.die()
        if not host.alive:
            self._graveyard.append(handle)
            return False
        if host.stopped:
            host.parked.append(handle)
            return False
        return True


def _task(loop: Any, work: Any, context: Context | None = None) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
    task._log_destroy_pending = False
    host = HOST.get()
    if host is not None:
        host.tasks.append(task)
    return task


def _settle(answer: "asyncio.Future[Any]", given: Any, problem: Exception | None) -> None:
    if answer.done():
        return
    if problem is None:
        answer.set_result(given)
    else:
        answer.set_exception(problem)
