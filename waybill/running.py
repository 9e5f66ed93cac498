"""Runs a process of Waybill: one event loop, ended by a signal or by what must not go unseen."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import uvloop

from projections.store import StoreError
from projections.vault import VaultKeyError
from waybill.configuration import RefusedConfigurationError
from waybill.keys import KeysError
from waybill.settings import SettingsError
from waybill.watchdog import Watchdog

log = logging.getLogger(__name__)

GC_THRESHOLDS = (100_000, 50, 100)
SWITCH_S = 0.000_1
"""A thread that waits for the store gets the interpreter's lock back this soon, in seconds."""
STOP_S = 12.0
FAILED = 75
"""Exit code (EX_TEMPFAIL) of a process that wants to be started again."""
REFUSED = 78
"""Exit code (EX_CONFIG) of a process that cannot start until somebody changes something."""

REFUSALS = (RefusedConfigurationError, KeysError, SettingsError, StoreError, VaultKeyError)


class Ending:
    """Set by a signal, or with a problem that ends the process."""

    def __init__(self, watchdog: Watchdog | None = None) -> None:
        self._event = asyncio.Event()
        self._watchdog = watchdog
        self.problem: BaseException | None = None

    def begun(self) -> None:
        """The start is over: what is in memory stays there, and the loop has to answer promptly."""
        _settle_memory()
        if self._watchdog is not None:
            self._watchdog.begun()

    def fatal(self, problem: BaseException) -> None:
        """Ends the process, to be started again."""
        self.problem = self.problem or problem
        self._event.set()

    def asked(self) -> None:
        """Ends the process in order."""
        self._event.set()

    async def wait(self) -> None:
        """Until the end is asked for."""
        await self._event.wait()


Body: TypeAlias = Callable[[Ending], Awaitable[None]]
"""Starts, waits for the ending, and stops."""


def run(body: Body) -> int:
    """Runs `body` to its end; the exit code.

    Faust can hang while it stops (its consumer waits for a thread that is gone), so a process
    that does not come to its end within `STOP_S` is ended.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(body))


async def _run(body: Body) -> int:
    loop = asyncio.get_running_loop()
    watchdog = Watchdog(loop, FAILED)
    watchdog.start()
    try:
        return await _ended(body, Ending(watchdog))
    finally:
        watchdog.stop()


async def _ended(body: Body, ending: Ending) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.asked)
    work = asyncio.ensure_future(body(ending))
    waiting = asyncio.ensure_future(ending.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not work.done():
        await asyncio.wait({work}, timeout=STOP_S)
    if not work.done():
        log.error("the process did not stop within %.0f s", STOP_S)
        os._exit(FAILED)
    problem = ending.problem or work.exception()
    if isinstance(problem, REFUSALS):
        log.error("refused: %s", problem)
        return REFUSED
    if problem is not None:
        log.error("the process ends: %r", problem)
        with suppress(BaseException):
            logging.shutdown()
        os._exit(FAILED)
    return 0


def _settle_memory() -> None:
    """What is there after start stays there: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
