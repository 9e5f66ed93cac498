"""The data keys that a worker has at hand; the rest comes from the store."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from streams.agents.fate import StoreCalls
from streams.core.sealing import DataKey


class Vault(Protocol):
    """The store's data keys. Blocking, but for `at_hand`."""

    def at_hand(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """The keys that are in memory, and not so old that they may have been destroyed."""

    def made(self, tenant: str, subjects: list[str]) -> Mapping[str, DataKey]:
        """Keys for subjects that had none; where another process was first, its keys."""

    def existing(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """The keys of those subjects that have one."""


class KeyRing:
    """Keys without waiting where they are in memory, else from the store."""

    def __init__(self, vault: Vault, calls: StoreCalls) -> None:
        self._vault = vault
        self._calls = calls

    async def made(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """A key for each subject; new subjects get one."""
        wanted = dict.fromkeys(subjects)
        held = self._vault.at_hand(tenant, wanted)
        missing = [subject for subject in wanted if subject not in held]
        if not missing:
            return held
        stored = await self._calls.read(lambda: self._vault.existing(tenant, missing))
        new = [subject for subject in missing if subject not in stored]
        if not new:
            return {**held, **stored}
        return {
            **held,
            **stored,
            **await self._calls.write(lambda: self._vault.made(tenant, new)),
        }

    async def existing(self, tenant: str, subject: str) -> DataKey | None:
        """The subject's key; None once it was erased."""
        held = self._vault.at_hand(tenant, (subject,)).get(subject)
        if held is not None:
            return held
        found = await self._calls.read(lambda: self._vault.existing(tenant, [subject]))
        return found.get(subject)
