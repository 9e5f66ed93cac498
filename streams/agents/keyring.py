"""The data keys that a worker has at hand; the rest comes from the store, in a thread."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Protocol

from streams.agents.fate import StoreCalls
from streams.core.sealing import DataKey

KEPT = 50_000


class Vault(Protocol):
    """The store's data keys. Blocking."""

    def keys_for(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """The subjects' keys; missing ones are made."""

    def existing(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """The keys of those subjects that have one."""


class KeyRing:
    """Keys in memory in front of the vault."""

    def __init__(self, vault: Vault, calls: StoreCalls) -> None:
        self._vault = vault
        self._calls = calls
        self._kept: OrderedDict[tuple[str, str], DataKey] = OrderedDict()

    async def made(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """A key for each subject; new subjects get one."""
        wanted = dict.fromkeys(subjects)
        missing = [subject for subject in wanted if (tenant, subject) not in self._kept]
        if missing:
            found = await self._calls.write(lambda: self._vault.keys_for(tenant, missing))
            for key in found.values():
                self._keep(tenant, key)
            return {**{s: self._kept[tenant, s] for s in wanted if s not in found}, **found}
        return {subject: self._kept[tenant, subject] for subject in wanted}

    async def existing(self, tenant: str, subject: str) -> DataKey | None:
        """The subject's key; None once it was erased."""
        kept = self._kept.get((tenant, subject))
        if kept is not None:
            return kept
        found = await self._calls.read(lambda: self._vault.existing(tenant, [subject]))
        key = found.get(subject)
        if key is not None:
            self._keep(tenant, key)
        return key

    def _keep(self, tenant: str, key: DataKey) -> None:
        self._kept[tenant, key.subject] = key
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
