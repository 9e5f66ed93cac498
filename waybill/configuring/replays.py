"""Replays real orders against a draft: nobody is called, and nothing is written."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from projections.replaying import Page
from projections.vault import Vault
from schemas.orders import Document
from streams.core.intake import Examined
from streams.core.opened import subjects_of
from streams.core.plan import Plan
from streams.core.planning import Planner
from streams.core.sequence import Sequencer

AT_ONCE = 100
"""Orders of one look: short enough that other requests do not wait for long."""


class Orders(Protocol):
    """Where real orders come from."""

    def newest(self, tenant: str, cursor: str | None, limit: int) -> Page:
        """The next orders of the tenant."""


@dataclass(frozen=True, slots=True)
class Replays:
    """What replays need; `examine` is that of intake. Sealed parts are opened in memory only.

    `turn` is taken by whoever replays: one at a time leaves the process to its other work.
    """

    orders: Orders
    vault: Vault
    examine: Callable[[str, Document, Sequencer], Examined]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def of(self, tenant: str, before: Sequencer, after: Sequencer, last: int) -> "Replay":
        """The `last` orders of the tenant under `after`, compared with `before`."""
        return Replay(self, tenant, Planner(before, after, partial(self.examine, tenant)), last)


class Replay:
    """One replay, part by part. Blocking, from any thread."""

    def __init__(self, replays: Replays, tenant: str, planner: Planner, last: int) -> None:
        self.done = 0
        self.last = last
        self.is_over = False
        self._replays = replays
        self._planner = planner
        self._tenant = tenant
        self._cursor: str | None = None

    def go_on(self) -> None:
        """The next orders; `is_over` says that there are no more."""
        wanted = min(AT_ONCE, self.last - self.done)
        page = self._replays.orders.newest(self._tenant, self._cursor, wanted)
        subjects = {subject for order in page.orders for subject in subjects_of(order)}
        keys = self._replays.vault.existing(self._tenant, subjects)
        for order in page.orders:
            self._planner.take(order, keys)
        self.done += len(page.orders)
        self._cursor = page.following
        self.is_over = page.following is None or self.done >= self.last

    def plan(self) -> Plan:
        """What came of it so far."""
        return self._planner.plan()
