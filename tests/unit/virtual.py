"""A loop in which time passes only while nothing is ready, so that tests of waits take none."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time` is where the clock stands."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self._elapsed

    def pass_(self, seconds: float) -> None:
        self._elapsed += seconds


class _Leaping(selectors.SelectSelector):
    """Instead of waiting for a time-out, it is there at once."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            return super().select(1)  # only a thread can end this wait
        self._loop.pass_(timeout)
        return super().select(0)


def virtually(scenario: Coroutine[Any, Any, Any]) -> Any:
    """Runs a scenario in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)


def clock() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()
