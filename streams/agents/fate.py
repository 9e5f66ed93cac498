"""Loops that may not die unseen, and calls that are made until they succeed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from projections.store import StoreError

log = logging.getLogger(__name__)

Fatal: TypeAlias = Callable[[BaseException], None]
Answer = TypeVar("Answer")

LONGEST_PAUSE_S = 5.0


def guarded(work: Coroutine[Any, Any, None], fatal: Fatal) -> "asyncio.Task[None]":
    """Runs `work`; whatever it raises goes to `fatal`, which ends the process."""
    task = asyncio.ensure_future(work)

    def ended(done: "asyncio.Task[None]") -> None:
        if not done.cancelled() and (problem := done.exception()) is not None:
            log.critical("a loop of the process died", exc_info=problem)
            fatal(problem)

    task.add_done_callback(ended)
    return task


class StoreCalls:
    """Makes blocking calls to the store, again until they are answered.

    `StoreError` is an answer: the store is there, and cannot be used as it is.

    `local` stores (SQLite) are read in the loop: their answer takes microseconds, while a thread
    would wait for the interpreter's lock after every row. Writes may wait for another writer, so
    they always go to a thread.
    """

    def __init__(self, *, local: bool) -> None:
        self._local = local

    async def read(self, call: Callable[[], Answer]) -> Answer:
        """What the store answers."""
        return await self._answered(call, inline=self._local)

    async def write(self, call: Callable[[], Answer]) -> Answer:
        """What the store answers once it has written; `call` is safe to repeat."""
        return await self._answered(call, inline=False)

    async def _answered(self, call: Callable[[], Answer], *, inline: bool) -> Answer:
        pause = 0.1
        while True:
            try:
                return call() if inline else await asyncio.to_thread(call)
            except StoreError:
                raise
            except Exception as problem:  # noqa: BLE001 (each driver has its own; all mean: later)
                log.warning("the store does not answer: %r", problem)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_S, pause * 2)
