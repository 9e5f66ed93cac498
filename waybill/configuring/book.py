"""The configurations of all tenants, as `processing-configs` has them, each version at hand."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from projections.config_versions import ConfigVersions
from streams.agents.contested import Contested, SettingsTopic
from streams.core.config_versions import (
    UnreadableVersionError,
    Version,
    numbered,
    version_from,
)
from streams.core.first_holds import is_restated
from streams.core.sequence import Sequencer
from waybill.configuration import RefusedConfigurationError
from waybill.configuring.drafts import Draft, Drafting, lane_findings
from waybill.findings import Finding

log = logging.getLogger(__name__)

AGAIN_S = 1.0
_MOST_PINNED = 64
_NEVER = 0


class StaleBaseError(Exception):
    """The tenant has another version than the one that a change was made from."""

    def __init__(self, current: Version | None) -> None:
        super().__init__(f"the version in use is {current.version if current else _NEVER}")
        self.current = current


class Log(Protocol):
    """What reads `processing-configs` and hands its values to the book."""

    @property
    def is_caught_up(self) -> bool:
        """Whether all that was there at the start has been read."""


@dataclass(frozen=True, slots=True)
class Put:
    """What came of a change: the version that holds, whether it is new, and warnings about it."""

    version: Version
    is_new: bool
    findings: tuple[Finding, ...]


class ConfigurationBook:
    """What holds for each tenant, for one event loop; only `pinned` is for any thread.

    `files` are the versions that hold for tenants of whom the topic says nothing. Of several
    records on the same base the first holds: whoever writes learns whether another was first.
    """

    def __init__(
        self,
        files: Mapping[str, Version],
        drafting: Drafting,
        versions: ConfigVersions,
        now: Callable[[], datetime],
    ) -> None:
        self.drafting = drafting
        self.sequencers: dict[str, Sequencer] = {}
        """What orders are resolved with: by tenant, always the version in use."""
        self.unusable: dict[str, RefusedConfigurationError] = {}
        """Tenants whose version this process cannot work with, and why."""
        self.changed: Callable[[], None] = lambda: None
        """Called when another version has begun to hold."""
        self._files = files
        self._versions = versions
        self._now = now
        self._log: Log | None = None
        self._topic: SettingsTopic[Version] | None = None
        self._contested: Contested[Version] = Contested()
        self._pinned: dict[tuple[str, int], Sequencer] = {}
        self._unrecorded: list[Version] = list(files.values())
        self._wake = asyncio.Event()
        self._wake.set()
        for version in files.values():
            self._use(version)

    def follows(self, source: Log) -> None:
        """From now on `source` hands over what the topic has."""
        self._log = source

    def writes(self, topic: SettingsTopic[Version]) -> None:
        """Changes are written to `topic`; without it there can be none."""
        self._topic = topic

    @property
    def known(self) -> bool:
        """Whether all that was in the topic at the start has been read."""
        return self._log is None or self._log.is_caught_up

    def tenants(self) -> Sequence[str]:
        """Everybody who has a configuration."""
        return sorted({*self._files, *(held.tenant for held in self._contested.all())})

    def current(self, tenant: str) -> Version | None:
        """The version in use: the topic's, else the file's; None where there is neither."""
        return self._contested.get(tenant) or self._files.get(tenant)

    async def version(self, tenant: str, number: int) -> Version | None:
        """That version, old or new; None where it was never in use."""
        current = self.current(tenant)
        if current is not None and current.version == number:
            return current
        return await asyncio.to_thread(self._versions.version, tenant, number)

    async def history(
        self, tenant: str, *, before: int | None = None, limit: int = 20
    ) -> Sequence[Version]:
        """The versions below `before`, the newest first."""
        current = self.current(tenant)
        if current is not None:
            await asyncio.to_thread(self._versions.record, current)
        return await asyncio.to_thread(self._versions.history, tenant, before, limit)

    def pinned(self, tenant: str, number: int) -> Sequencer | None:
        """What resolves orders that were accepted under that version. Blocking.

        None where nobody kept the version, or it needs what is not installed any more.
        """
        current = self.sequencers.get(tenant)
        if current is not None and current.configuration.version == number:
            return current
        place = tenant, number
        known = self._pinned.get(place)
        if known is None:
            version = self._versions.version(tenant, number)
            if version is None:
                return None
            try:
                known = self._sequencer(version)
            except RefusedConfigurationError as refused:
                log.warning("version %d of %s cannot be used: %s", number, tenant, refused)
                return None
            if len(self._pinned) >= _MOST_PINNED:
                self._pinned.clear()
            self._pinned[place] = known
        return known

    def draft(self, tenant: str, document: Mapping[str, Any]) -> Draft:
        """The document with all findings, those of the change from the version in use included."""
        draft = self.drafting.check(document, tenant)
        current = self.sequencers.get(tenant)
        if draft.configuration is None or current is None:
            return draft
        more = lane_findings(current.configuration, draft.configuration)
        return replace(draft, findings=(*draft.findings, *more))

    async def put(
        self,
        tenant: str,
        document: Mapping[str, Any],
        base: int | None,
        author: str,
        reason: str,
    ) -> Put:
        """Makes the document the tenant's next version, on top of version `base`.

        `base` 0 stands for no version, None for whichever is in use. RefusedConfigurationError
        where it has errors; StaleBaseError where another version is in use; TimeoutError where
        nobody can tell yet whether it holds. What holds already is no new version.
        """
        draft = self.draft(tenant, document)
        draft.usable  # noqa: B018 (refuses what has errors)
        while True:
            current = self.current(tenant)
            number = _NEVER if current is None else current.version
            if _says_it(current, document, base):
                assert current is not None
                return Put(current, is_new=False, findings=draft.findings)
            if base not in {None, number}:
                raise StaleBaseError(current)
            version = await self._next(tenant, document, current, author, reason)
            assert self._topic is not None, "this process writes no configurations"
            if await self._contested.write(tenant, version, self._topic):
                await asyncio.to_thread(self._record, version)
                return Put(version, is_new=True, findings=draft.findings)

    async def settle(self) -> None:
        """Writes what holds once more where another record stands last; once all is read."""
        if self.known and self._topic is not None:
            await self._contested.settle(self._topic)

    def take(self, value: bytes | None) -> None:
        """The next record of the topic; what cannot be read changes nothing."""
        if value is None:
            return
        try:
            record = version_from(value)
        except UnreadableVersionError as problem:
            log.error("a record of processing-configs is not understood: %s", problem)  # noqa: TRY400 (the record is at fault, not the code)
            return
        again = is_restated(value)
        if self._contested.take(record.tenant, record.revision, record, is_restated=again):
            self._holds(record)

    async def record_all(self) -> None:
        """Keeps every version that holds; runs until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unrecorded:
                try:
                    await asyncio.to_thread(self._record, self._unrecorded[0])
                except Exception as problem:  # noqa: BLE001 (each driver has its own; all mean: later)
                    log.warning("a version is not kept yet: %r", problem)
                    await asyncio.sleep(AGAIN_S)
                else:
                    del self._unrecorded[0]

    async def _next(
        self,
        tenant: str,
        document: Mapping[str, Any],
        current: Version | None,
        author: str,
        reason: str,
    ) -> Version:
        number = _NEVER if current is None else current.version
        if current is not None:
            await asyncio.to_thread(self._record, current)
        number = max(number, await asyncio.to_thread(self._versions.highest, tenant)) + 1
        return Version(
            tenant=tenant,
            version=number,
            base=None if current is None else current.version,
            revision=1 if current is None else current.revision + 1,
            author=author,
            reason=reason,
            at=self._now(),
            document=numbered(document, number),
        )

    def _holds(self, version: Version) -> None:
        self._unrecorded.append(version)
        self._wake.set()
        self._use(version)
        log.info(
            "%s has configuration %d, by %s: %s",
            version.tenant,
            version.version,
            version.author,
            version.reason,
        )
        self.changed()

    def _use(self, version: Version) -> None:
        """One assignment swaps the tenant's rules: an order sees the old ones or the new ones."""
        try:
            self.sequencers[version.tenant] = self._sequencer(version)
            self.unusable.pop(version.tenant, None)
        except RefusedConfigurationError as refused:
            self.sequencers.pop(version.tenant, None)
            self.unusable[version.tenant] = refused
            log.error(  # noqa: TRY400 (the message is the whole story)
                "configuration %d of %s cannot be used here: %s",
                version.version,
                version.tenant,
                refused,
            )

    def _sequencer(self, version: Version) -> Sequencer:
        draft = self.drafting.check(version.document, version.tenant)
        return self.drafting.sequencer(draft.usable)

    def _record(self, version: Version) -> None:
        kept = self._versions.record(version)
        if kept.document != version.document:
            log.warning(
                "another configuration of %s has the version %d already, of %s: give yours another",
                version.tenant,
                version.version,
                kept.at.date(),
            )


def _says_it(current: Version | None, document: Mapping[str, Any], base: int | None) -> bool:
    """Whether the document is in use already, be it by an earlier try of the same change."""
    if current is None or base not in {None, current.version, current.base or _NEVER}:
        return False
    return numbered(document, current.version) == dict(current.document)
