"""What a process has in hand: should it die of it, the next one knows what it was."""

import asyncio
import fcntl
import logging
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from schemas.problems import Problem
from streams.agents import metrics
from streams.agents.fate import StoreCalls

log = logging.getLogger(__name__)

MOST_DEATHS = 3
"""So many deaths with the same thing in hand, and nobody takes it in hand again."""

POISON = Problem(
    code="poison",
    message=f"{MOST_DEATHS} processes died while they handled this",
    remedy="see the log of the worker for where it died; have that mended, then send it again",
)

_BYTES = 4096
_END = b"\n"
_NOTHING = 0


class Deaths(Protocol):
    """The store's count of deaths. Blocking."""

    def count(self, recorder: str, what: str, at: datetime) -> None:
        """One more; the same recorder counts once."""

    def known(self) -> Mapping[str, int]:
        """How often something was in a dead hand."""

    def forget(self, what: str) -> None:
        """It was handled, and nobody died of it."""


class Slot:
    """A file in memory that outlives its process: it holds the one thing that is in hand.

    The file is locked for as long as the process lives, however it ends.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._kept = _kept(folder, name)
        self._memory = mmap.mmap(-1 if self._kept is None else self._kept, _BYTES)

    def taking(self, what: bytes) -> None:
        """From now on `what` is in hand."""
        self._memory[: len(what) + 1] = what + _END

    def done(self) -> None:
        """Nothing is in hand."""
        self._memory[0] = _NOTHING


class InHand:
    """Tells what the process has in hand, and what others died of.

    For one loop, and only around what runs in one piece: between `taking` and `done` nothing may
    wait.
    """

    def __init__(
        self,
        slot: Slot,
        folder: Path,
        deaths: Deaths,
        calls: StoreCalls,
        now: Callable[[], datetime],
    ) -> None:
        self.taking = slot.taking
        self.done = slot.done
        self._folder = folder
        self._deaths = deaths
        self._calls = calls
        self._now = now
        self._known: dict[str, int] = {}
        self._forgetting: set[asyncio.Task[None]] = set()

    async def learn(self) -> None:
        """Counts what processes died of that are gone, and reads what all others counted."""
        for recorder, what in _left_behind(self._folder):
            if what:
                log.error("a process died with %s in hand", what)
                await self._calls.write(partial(self._deaths.count, recorder, what, self._now()))
        self._known = dict(await self._calls.read(self._deaths.known))

    def is_poison(self, what: str) -> bool:
        """Whether too many died of it."""
        if not self._known or self._known.get(what, 0) < MOST_DEATHS:
            return False
        metrics.QUARANTINED.inc()
        log.error("%s is not handled: %d processes died of it", what, self._known[what])
        return True

    def survived(self, what: str) -> None:
        """It was handled, and this process lives: who died with it in hand died of something else.

        A process that is killed has something in hand, too, which must not be held against it.
        """
        if not self._known or self._known.pop(what, None) is None:
            return
        task = asyncio.ensure_future(self._calls.write(lambda: self._deaths.forget(what)))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    def hold(self, what: str) -> "Hold":
        """`taking` and `done` as a context that can be entered again and again."""
        return Hold(self, what.encode()[: _BYTES - 1])


class Hold:
    """A context: while it is entered, its thing is in hand."""

    __slots__ = ("_hand", "_what")

    def __init__(self, hand: InHand, what: bytes) -> None:
        self._hand = hand
        self._what = what

    def __enter__(self) -> None:
        self._hand.taking(self._what)

    def __exit__(self, *_: object) -> None:
        self._hand.done()


def _kept(folder: Path, name: str) -> int | None:
    """A locked file of real bytes, never a hole: a full disk would kill who writes into one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        being_made = folder / f"{name}.new"
        found = os.open(being_made, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(found, fcntl.LOCK_EX)
        os.write(found, bytes(_BYTES))
        being_made.rename(folder / f"{name}.hand")
    except OSError as problem:
        log.warning("deaths of this process will not be counted: %s", problem)
        return None
    return found


def _left_behind(folder: Path) -> Iterator[tuple[str, str]]:
    """What dead processes had in hand, each once: its file is gone when the next is asked for."""
    for path in sorted(folder.glob("*.hand")):
        try:
            found = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield path.stem, _read(os.read(found, _BYTES))
            path.unlink()
        except BlockingIOError:
            continue  # its process lives
        finally:
            with suppress(OSError):
                os.close(found)


def _read(slot: bytes) -> str:
    what, end, _ = slot.partition(_END)
    if not end or not slot or slot[0] == _NOTHING:
        return ""
    return what.decode(errors="replace").replace("\0", "")
