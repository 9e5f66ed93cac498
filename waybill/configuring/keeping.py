"""Keeps a process's book of configurations at the end of its topic."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Self

from streams.agents.fate import guarded
from streams.kafka.admin import Cluster
from streams.kafka.following import Following
from waybill.configuring.book import ConfigurationBook

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""Seconds that orders wait for a version of which only their sender knows."""


class ConfigurationKeeping:
    """While it is entered the book follows the topic, and keeps what holds in the store."""

    def __init__(
        self,
        book: ConfigurationBook,
        cluster: Cluster,
        topic: str,
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._book = book
        self._fatal = fatal
        self._changed = asyncio.Event()
        self._missed: dict[str, int] = {}
        self._following = Following(
            topic, cluster.bootstrap, cluster.security.client_options(), book.take
        )
        self._recording: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._book.follows(self._following)
        self._following.start()
        self._recording = guarded(self._book.record_all(), self._fatal)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._following.stop()
        if self._recording is not None:
            self._recording.cancel()
            await asyncio.wait([self._recording])

    async def usable(self) -> None:
        """Waits for the end of the topic; from then on a version that cannot be used is fatal.

        RefusedConfigurationError where one cannot be used by then. An order must not be taken
        under an older version, nor refused because a plugin is missing here alone.
        """
        await self._following.caught_up()
        for refused in self._book.unusable.values():
            raise refused
        self._book.changed = self._take_note

    async def ready(self, wanted: Mapping[str, int]) -> None:
        """Returns when orders may be taken: under the versions, by tenant, that senders know of.

        A version that nobody writes is waited for once only, and not for long.
        """
        if self._book.unusable:
            await asyncio.Event().wait()  # what cannot be used is fatal: the process ends
        late = {
            tenant: version
            for tenant, version in wanted.items()
            if version > max(self._number(tenant), self._missed.get(tenant, 0))
        }
        if not late:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                while any(self._number(tenant) < version for tenant, version in late.items()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._missed |= late
            log.warning("orders are taken without the versions that their senders name: %s", late)
        await self.ready({})

    def _number(self, tenant: str) -> int:
        current = self._book.current(tenant)
        return 0 if current is None else current.version

    def _take_note(self) -> None:
        self._changed.set()
        for refused in self._book.unusable.values():
            self._fatal(refused)
