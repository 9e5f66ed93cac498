"""Ends a process whose event loop does not answer any more, so that it is started again."""

import asyncio
import faulthandler
import os
import signal
import threading

import orjson

from waybill import clock

PATIENCE_S = 15.0
START_PATIENCE_S = 120.0
"""Until the start is over the loop may be busy: stores are opened, keys are read."""
LOOK_S = 0.5
_STDERR = 2


class Watchdog:
    """A thread that asks the loop for an answer twice a second.

    It counts its own looks, not the time: a process that was stopped and goes on after a minute
    has missed nothing. Should the thread itself not get to run, because something holds the
    interpreter's lock for ever, the kernel ends the process by the processor time that this
    burns. Either way the log says last where every thread was.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        exit_code: int,
        *,
        patience_s: float = PATIENCE_S,
        start_patience_s: float = START_PATIENCE_S,
    ) -> None:
        self._loop = loop
        self._exit_code = exit_code
        self._patience_s = patience_s
        self._limit_s = start_patience_s
        self._answered = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begins to watch. Call it in the main thread."""
        faulthandler.enable(file=_STDERR)
        faulthandler.register(signal.SIGPROF, file=_STDERR, all_threads=True, chain=True)
        self._thread.start()

    def begun(self) -> None:
        """The start is over: from now on the loop has to answer within the patience."""
        self._limit_s = self._patience_s

    def stop(self) -> None:
        """Ends the watch."""
        self._over.set()
        self._thread.join()
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _watch(self) -> None:
        silent_s = 0.0
        while not self._over.wait(LOOK_S):
            signal.setitimer(signal.ITIMER_PROF, 2 * self._limit_s)
            silent_s = 0.0 if self._answered else silent_s + LOOK_S
            if silent_s >= self._limit_s:
                self._end(silent_s)
            if self._answered:
                self._answered = False
                try:
                    self._loop.call_soon_threadsafe(self._answer)
                except RuntimeError:  # the loop is closed: the process ends by itself
                    return

    def _answer(self) -> None:
        self._answered = True

    def _end(self, silent_s: float) -> None:
        # Past the logging module: who is stuck may hold its lock.
        line = {
            "time": clock.utc_now().isoformat(timespec="milliseconds"),
            "level": "critical",
            "logger": __name__,
            "message": f"the event loop has not answered for {silent_s:.0f} s: the process ends",
        }
        os.write(_STDERR, orjson.dumps(line) + b"\n")
        faulthandler.dump_traceback(file=_STDERR, all_threads=True)
        os._exit(self._exit_code)
