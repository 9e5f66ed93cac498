"""Streams of events: one look at the store for all of them, and each from where it stands.

Whoever is up to date is handed what the common look has found; whoever comes back with an older
id, or reads more slowly than events come, reads what it missed from the store, by itself. So
nothing is kept for a reader but a bounded list of what others are shown, too.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from projections.feed import Happening, Wanted
from waybill.api.masking import masked_entry
from waybill.api.problems import ApiProblem
from waybill.api.reading import Reader
from waybill.api.tokens import vector_text

log = logging.getLogger(__name__)

TICK_S = 0.02
KEEP_ALIVE_S = 15.0
AT_ONCE = 200
MOST_PENDING = 2_000
"""Events that a stream may be behind before it has to read them from the store."""

_PAUSE_S = 0.5


@dataclass(eq=False, slots=True)
class _News:
    """An event as all streams are shown it; `id` is how far the common look was with it."""

    happening: Happening
    id: str
    _shown: dict[bool, bytes] = field(default_factory=dict)

    def frame(self, *, masked: bool, own_id: str | None = None) -> bytes:
        """The event of the stream; written down once, however many are shown it."""
        shown = self._shown.get(masked)
        if shown is None:
            shown = self._shown[masked] = _body(self.happening, masked=masked)
        return b"id: " + (own_id or self.id).encode() + shown


@dataclass(eq=False, slots=True)
class Follower:
    """One stream: what it wants, how far it is, and what it has been handed since."""

    wanted: Wanted
    masked: bool
    vector: dict[int, int]
    pending: list[_News] = field(default_factory=list)
    overtaken: bool = False
    shares_ids: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, news: _News) -> None:
        """Keep it; who is too far behind is told so instead."""
        if len(self.pending) < MOST_PENDING:
            self.pending.append(news)
        else:
            self.overtaken = True
        self.arrived.set()


class Feed:
    """Looks at the store every few milliseconds while somebody follows, and not at all else."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._followers: set[Follower] = set()
        self._of_order: dict[str, set[Follower]] = {}
        self._others: set[Follower] = set()
        self._vector: dict[int, int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._admitted: list[asyncio.Future[Mapping[int, int]]] = []
        self._closing = asyncio.Event()

    @property
    def following(self) -> int:
        """How many follow now."""
        return len(self._followers)

    def release(self) -> None:
        """Ends all streams: their readers come back elsewhere."""
        self._closing.set()
        for follower in self._followers:
            follower.arrived.set()

    async def close(self) -> None:
        """Ends the looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def follow(self, follower: Follower) -> AsyncGenerator[bytes, None]:
        """What to send, until the process ends; a comment where nothing happens for long."""
        self._add(follower)
        try:
            while not self._closing.is_set():
                async for frames in self._caught_up(follower):
                    yield frames
                async for frames in self._handed(follower):
                    yield frames
        finally:
            self._remove(follower)

    async def _caught_up(self, follower: Follower) -> AsyncGenerator[bytes, None]:
        """From the store, until that has no more; nothing where the look is not ahead of it."""
        looked = await self._turn()
        follower.pending.clear()
        # What lies behind the look's place will be handed over: most have missed nothing.
        complete = all(looked[part] <= follower.vector.get(part, -1) for part in looked)
        follower.overtaken = follower.shares_ids = False
        while not complete and not self._closing.is_set():
            try:
                found = await self._reader.ask(
                    lambda reading: reading.happened(follower.vector, [follower.wanted], AT_ONCE)
                )
            except ApiProblem:
                await self._pause(_PAUSE_S)
                continue
            frames = self._own_frames(follower, found.happenings)
            follower.vector.update(found.reached)
            complete = found.complete
            if frames:
                yield frames

    def _own_frames(self, follower: Follower, happenings: Sequence[Happening]) -> bytes:
        frames = []
        for one in happenings:
            if one.fits(follower.wanted):
                follower.vector[one.partition] = one.offset
                at = vector_text(follower.vector)
                frames.append(_News(one, at).frame(masked=follower.masked))
        return b"".join(frames)

    async def _handed(self, follower: Follower) -> AsyncGenerator[bytes, None]:
        """From the common look, until the reader is overtaken."""
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await follower.arrived.wait()
            except TimeoutError:
                # With an id: who comes back later need not go over what was not for it.
                self._catch_up_with_look(follower)
                yield f": still here\nid: {vector_text(follower.vector)}\n\n".encode()
                continue
            follower.arrived.clear()
            if follower.overtaken:
                return
            if frames := self._take(follower):
                yield frames

    def _take(self, follower: Follower) -> bytes:
        pending, follower.pending = follower.pending, []
        vector, frames = follower.vector, []
        for news in pending:
            one = news.happening
            if one.offset <= vector.get(one.partition, -1):
                continue
            vector[one.partition] = one.offset
            own_id = None if follower.shares_ids else vector_text(vector)
            frames.append(news.frame(masked=follower.masked, own_id=own_id))
        self._catch_up_with_look(follower)
        return b"".join(frames)

    def _catch_up_with_look(self, follower: Follower) -> None:
        """Whatever it was to be shown, up to where the look is, has been handed to it.

        As long as it has read ahead of the look, that one's ids would say too little.
        """
        if follower.pending or follower.overtaken:
            return
        mine, looked = follower.vector, self._vector
        follower.shares_ids = all(looked.get(part, -1) >= offset for part, offset in mine.items())
        mine.update({part: max(offset, mine.get(part, -1)) for part, offset in looked.items()})

    async def _turn(self) -> Mapping[int, int]:
        """Until a look begins that takes all who follow into account; where it begins."""
        admitted: asyncio.Future[Mapping[int, int]] = asyncio.get_running_loop().create_future()
        self._admitted.append(admitted)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), name="feed")
        return await admitted

    def _add(self, follower: Follower) -> None:
        self._followers.add(follower)
        if follower.wanted.order is None:
            self._others.add(follower)
        else:
            self._of_order.setdefault(follower.wanted.order, set()).add(follower)

    def _remove(self, follower: Follower) -> None:
        self._followers.discard(follower)
        self._others.discard(follower)
        order = follower.wanted.order
        if order is not None and not (left := self._of_order.get(order, set()) - {follower}):
            self._of_order.pop(order, None)
        elif order is not None:
            self._of_order[order] = left

    async def _look_on(self) -> None:
        self._vector = {}
        while self._followers and not self._closing.is_set():
            try:
                complete = await self._look()
            except ApiProblem:
                await self._pause(_PAUSE_S)
            except Exception:
                log.exception("the streams of events are looked after again")
                await self._pause(_PAUSE_S)
            else:
                await self._pause(TICK_S if complete else 0)
        self._admit()

    async def _look(self) -> bool:
        """Whether there is nothing more to look at; most often nothing at all has happened."""
        if not self._vector:
            await self._reader.ask(lambda _: None)
            self._vector = dict(self._reader.applied)
        wanted, vector = list({follower.wanted for follower in self._followers}), self._vector
        self._admit()
        await self._reader.ask(lambda _: None)
        applied = self._reader.applied
        if all(offset <= vector.get(part, -1) for part, offset in applied.items()):
            return True
        found = await self._reader.ask(lambda reading: reading.happened(vector, wanted, AT_ONCE))
        for one in found.happenings:
            vector[one.partition] = one.offset
            news = _News(one, vector_text(vector))
            for follower in self._interested(one):
                follower.take(news)
        vector.update(found.reached)
        return found.complete

    def _admit(self) -> None:
        admitted, self._admitted = self._admitted, []
        begins = dict(self._vector)
        for future in admitted:
            if not future.done():
                future.set_result(begins)

    def _interested(self, one: Happening) -> Iterator[Follower]:
        for some in (self._of_order.get(one.order, ()), self._others):
            yield from (follower for follower in some if one.fits(follower.wanted))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return


def _body(happening: Happening, *, masked: bool) -> bytes:
    entry: Mapping[str, Any] = happening.entry
    shown = masked_entry(entry) if masked else entry
    return f"\nevent: {happening.type}\ndata: ".encode() + orjson.dumps(shown) + b"\n\n"
