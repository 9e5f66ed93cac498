"""What is costly to ask and the same for all who look: asked once, and kept for some seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from aiohttp import web

_T = TypeVar("_T")

_MOST = 200


@dataclass(slots=True)
class _Look:
    task: "asyncio.Task[Any]"
    began: float
    last: Any = None


class Looks:
    """One question of a name at a time, however many ask."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._looks: dict[Hashable, _Look] = {}

    async def at(
        self, name: Hashable, ask: Callable[[], Awaitable[_T]], *, keep_s: float, patience_s: float
    ) -> _T | None:
        """The answer, `keep_s` old at most; after `patience_s` the last one, None without one."""
        look = self._looks.get(name)
        now = self._monotonic()
        if look is None or (look.task.done() and now - look.began >= keep_s):
            last = None if look is None else look.last
            self._forget()
            look = self._looks[name] = _Look(asyncio.ensure_future(_asked(ask)), now, last)
        done, _ = await asyncio.wait({look.task}, timeout=patience_s)
        if done:
            look.last = look.task.result()
        return cast("_T | None", look.last)

    def _forget(self) -> None:
        if len(self._looks) >= _MOST:
            self._looks = {name: one for name, one in self._looks.items() if not one.task.done()}

    async def close(self) -> None:
        """Nobody looks any more."""
        tasks = [look.task for look in self._looks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _asked(ask: Callable[[], Awaitable[_T]]) -> _T:
    return await ask()


LOOKS: web.AppKey[Looks] = web.AppKey("looks", Looks)
