"""An order as its steps see it: with the sealed sections readable, in memory only."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

from plugins.redaction import Scrubber
from streams.agents.keyring import KeyRing
from streams.core.order import Order
from streams.core.sealing import SECTIONS, unseal

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
        opened = {step: dict(output) for step, output in order.context.items()}
        for step, parts in order.sealed.items():
            for part in parts:
                opened.setdefault(step, {}).update(
                    unseal(part, order.id, await self._key(order.tenant, part.subject))
                )
        return opened

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
        accepted = order.accepted
        document: dict[str, Any] = orjson.loads(accepted.document)
        for part in accepted.sealed:
            document.update(unseal(part, order.id, await self._key(order.tenant, part.subject)))
        document.update(
            id=order.id,
            order_type=accepted.order_type,
            order_reference=accepted.order_reference,
            subscriptionReference=accepted.subscription_reference,
            owner=accepted.owner,
            effective_date=accepted.effective_date,
        )
        return document

    async def _key(self, tenant: str, subject: str) -> Any:
        key = await self._keys.existing(tenant, subject)
        if key is None:
            raise ErasedError("the data subject of this order was erased")
        return key
