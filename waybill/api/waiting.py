"""Waiting until the views show something: one poller for everybody who waits."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from waybill.api.problems import VIEW_BEHIND, ApiProblem
from waybill.api.reading import Reader, Reading, Standing
from waybill.api.tokens import CommandToken, OrderToken, Token, VectorToken

TICK_S = 0.01
PAUSE_S = 0.5
TOKEN_S = 5.0

MAIN_PHASE_ENDED = frozenset({"complete", "failed", "cancelled", "post_processing", "in_doubt"})
"""Statuses in which a buyer can be told how it went."""

DECIDED = frozenset({"applied", "rejected"})
"""Outcomes of commands that nothing changes any more."""


class Seen(NamedTuple):
    """One look at the store: orders by id, outcomes of commands, and the applied offsets."""

    orders: Mapping[str, Standing]
    commands: Mapping[tuple[str, str], str]
    applied: Mapping[int, int]


@dataclass(eq=False, slots=True)
class _Waiter:
    test: Callable[[Seen], bool]
    order_id: str | None = None
    command: tuple[str, str] | None = None
    done: asyncio.Future[Seen | None] = field(default_factory=asyncio.Future)


class Watch:
    """Looks at the store every few milliseconds while somebody waits, and not at all else."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiters: set[_Waiter] = set()
        self._poller: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiters)

    async def end_of_main_phase(self, order_id: str, seconds: float) -> Standing | None:
        """The order as soon as its main phase has ended; None where that takes longer."""

        def ended(seen: Seen) -> bool:
            standing = seen.orders.get(order_id)
            return standing is not None and standing.status in MAIN_PHASE_ENDED

        seen = await self._wait(_Waiter(ended, order_id), seconds)
        return None if seen is None else seen.orders[order_id]

    async def answer(self, tenant: str, command_id: str, seconds: float) -> bool:
        """Whether the command is answered by then."""
        waiter = _waiter(CommandToken(command_id), tenant)
        return await self._wait(waiter, seconds) is not None

    async def holds(self, token: Token, tenant: str) -> None:
        """Until the views hold what the token stands for; a 503 problem after 5 s."""
        seen = await self._wait(_waiter(token, tenant), TOKEN_S)
        if seen is None:
            raise ApiProblem(
                VIEW_BEHIND,
                f"the views do not hold {token} after {TOKEN_S:.0f} s",
                "try again, or leave min_offset out and read what is there",
                "min_offset",
                headers={"Retry-After": "1"},
            )

    async def _wait(self, waiter: _Waiter, seconds: float) -> Seen | None:
        self._waiters.add(waiter)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="watch")
        try:
            async with asyncio.timeout(seconds):
                return await waiter.done
        except TimeoutError:
            return None
        finally:
            self._waiters.discard(waiter)

    async def _poll(self) -> None:
        while self._waiters:
            try:
                await self._look()
            except ApiProblem:
                # Whoever waits runs into their own time limit; until then the store may be back.
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(TICK_S)

    async def _look(self) -> None:
        asked = {waiter.order_id for waiter in self._waiters if waiter.order_id is not None}
        named = {waiter.command for waiter in self._waiters if waiter.command is not None}
        orders, commands = await self._reader.ask(lambda reading: _look(reading, asked, named))
        seen = Seen(orders, commands, self._reader.applied)
        for waiter in tuple(self._waiters):
            if not waiter.done.done() and waiter.test(seen):
                waiter.done.set_result(seen)

    def release(self) -> None:
        """Tells everybody who waits that it takes longer: the process ends."""
        for waiter in self._waiters:
            if not waiter.done.done():
                waiter.done.set_result(None)

    async def close(self) -> None:
        """Ends the poller."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])


def _look(
    reading: Reading, asked: Collection[str], named: Collection[tuple[str, str]]
) -> tuple[Mapping[str, Standing], Mapping[tuple[str, str], str]]:
    orders = reading.standings(asked) if asked else {}
    return orders, reading.answered(named) if named else {}


def _waiter(token: Token, tenant: str) -> _Waiter:
    if isinstance(token, OrderToken):
        order_id = token.order_id

        def is_there(seen: Seen) -> bool:
            # An order of somebody else is never there, however long one waits.
            return order_id in seen.orders and seen.orders[order_id].tenant == tenant

        return _Waiter(is_there, order_id)
    if isinstance(token, CommandToken):
        name = (tenant, token.command_id)
        return _Waiter(lambda seen: seen.commands.get(name) in DECIDED, command=name)
    places = token.offsets if isinstance(token, VectorToken) else ((token.partition, token.offset),)
    return _Waiter(
        lambda seen: all(seen.applied.get(partition, -1) >= offset for partition, offset in places)
    )
