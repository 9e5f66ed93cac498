"""Loops that may not die unseen, and calls that are made until they succeed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

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


async def from_store(call: Callable[[], Answer]) -> Answer:
    """What a blocking call to the store answers, in a thread; asked again until it does."""
    pause = 0.1
    while True:
        try:
            return await asyncio.to_thread(call)
        except Exception as problem:  # noqa: BLE001 (each driver has its own errors; all mean: later)
            log.warning("the store does not answer: %r", problem)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)
