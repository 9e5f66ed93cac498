"""The personal sections of orders for endpoints that may have them, and bodies that hold them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from projections.snapshots import Snapshots
from projections.vault import Vault
from projections.webhooks.queue import Due
from streams.agents.webhooks.making import Section
from streams.core.order import Order
from streams.core.sealing import DataKey, UnsealingError, unseal, unseal_body


class PersonalSections:
    """Opens what orders and messages hold under the keys of their subjects."""

    def __init__(self, snapshots: Snapshots, vault: Vault) -> None:
        self._snapshots = snapshots
        self._vault = vault

    async def sections(self, orders: Iterable[tuple[str, str]]) -> Mapping[str, Section]:
        """By order id, of orders given by tenant and id; none for those that were erased."""
        return await asyncio.to_thread(self._sections, [order_id for _, order_id in orders])

    def opened(self, due: Due) -> Due | None:
        """The delivery with its body in clear; None where its subject was erased. Blocking."""
        if due.subject is None:
            return due
        key = self._vault.existing(due.tenant, [due.subject]).get(due.subject)
        if key is None:
            return None
        try:
            return due._replace(body=unseal_body(key, due.message, due.body))
        except UnsealingError:
            return None

    def _sections(self, order_ids: list[str]) -> dict[str, Section]:
        orders = self._snapshots.load({}, order_ids, ())
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for order in orders.values():
            wanted[order.tenant].update(part.subject for part in order.accepted.sealed)
        keys = {tenant: self._vault.existing(tenant, found) for tenant, found in wanted.items()}
        opened = {name: _opened(order, keys[order.tenant]) for name, order in orders.items()}
        return {name: section for name, section in opened.items() if section is not None}


def _opened(order: Order, keys: Mapping[str, DataKey]) -> Section | None:
    members: dict[str, Any] = {}
    for part in order.accepted.sealed:
        key = keys.get(part.subject)
        if key is None:
            return None
        members.update(unseal(part, order.id, key))
    if not members:
        return None
    return Section(keys[order.accepted.sealed[0].subject], members)
