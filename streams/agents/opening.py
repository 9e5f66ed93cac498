"""An order as its steps see it: with the sealed sections readable, in memory only."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from plugins.redaction import Scrubber
from streams.agents.keyring import KeyRing
from streams.core.opened import handed_on, seen_by_steps, submitted
from streams.core.order import Order
from streams.core.sealing import SECTIONS, DataKey

KEPT = 2048


class ErasedError(Exception):
    """The data subject's key is gone: the sealed sections can never be read again."""


class Opened:
    """One order's document, its JSON per selection of items, and a scrubber of its values."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.scrubber = Scrubber.of({name: document.get(name) for name in SECTIONS})
        self._views: dict[tuple[int, ...] | None, tuple[Mapping[str, Any], bytes]] = {}

    def view(self, items: tuple[int, ...] | None) -> tuple[Mapping[str, Any], bytes]:
        """The document with those items (None: all), and the same as JSON."""
        known = self._views.get(items)
        if known is None:
            document = self.document
            if items is not None:
                chosen = [document["orderItems"][index] for index in items]
                document = {**document, "orderItems": chosen}
            known = self._views[items] = (document, orjson.dumps(document))
        return known


class Opening:
    """Opens orders, and remembers those that were opened last."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._kept: OrderedDict[tuple[str, bytes], Opened] = OrderedDict()

    async def of(self, order: Order) -> Opened:
        """The order, opened. `ErasedError` where its subject was erased."""
        place = (order.id, order.accepted.fingerprint)  # an amended order is another one
        kept = self._kept.get(place)
        if kept is None:
            kept = self._kept[place] = Opened(await self._document(order))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept

    async def context(self, order: Order) -> Mapping[str, Mapping[str, Any]]:
        """The outputs of the steps before, personal ones included."""
        if not order.sealed:
            return order.context
        subjects = (part.subject for parts in order.sealed.values() for part in parts)
        return handed_on(order, await self._keys_of(order, subjects))

    async def scrubber(self, order: Order) -> Scrubber:
        """Of all that is sealed: in the order, and in what its steps have handed on."""
        known = (await self.of(order)).scrubber
        if not order.sealed:
            return known
        context = await self.context(order)
        sealed = [
            {path[1:]: context[step].get(path[1:]) for part in parts for path in part.paths}
            for step, parts in order.sealed.items()
        ]
        return known.joined(Scrubber.of_outputs(sealed))

    async def _document(self, order: Order) -> dict[str, Any]:
        keys = await self._keys_of(order, (part.subject for part in order.accepted.sealed))
        return seen_by_steps(order, submitted(order, keys))

    async def _keys_of(self, order: Order, subjects: Iterable[str]) -> dict[str, DataKey]:
        found: dict[str, DataKey] = {}
        for subject in subjects:
            key = await self._keys.existing(order.tenant, subject)
            if key is None:
                raise ErasedError("the data subject of this order was erased")
            found[subject] = key
        return found
