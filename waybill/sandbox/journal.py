"""Every request the partners received, in the order of arrival, cheap at 100,000 entries."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

CAPACITY = 200_000
BODY_BYTES = 4096


@dataclass(slots=True)
class Entry:
    """One request; `status` is None when no answer was sent, `effect` when nothing changed."""

    at: float
    partner: str
    method: str
    path: str
    route: str
    key: str | None
    order: str | None
    body: bytes
    is_json: bool
    status: int | None = None
    effect: str | None = None

    def listed(self) -> dict[str, Any]:
        """The entry as the journal lists it."""
        return {
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(),
            "partner": self.partner,
            "method": self.method,
            "path": self.path,
            "key": self.key,
            "order": self.order,
            "body": self._body(),
            "status": self.status,
            "effect": self.effect,
        }

    def _body(self) -> orjson.Fragment | str | None:
        if not self.body:
            return None
        return orjson.Fragment(self.body) if self.is_json else self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; an order also matches ids that begin with it."""

    partner: str | None = None
    order: str | None = None
    key: str | None = None

    def admits(self, entry: Entry) -> bool:
        """Whether the entry is wanted."""
        return (
            (self.partner is None or entry.partner == self.partner)
            and (self.key is None or entry.key == self.key)
            and (self.order is None or (entry.order or "").startswith(self.order))
        )


class Journal:
    """The newest entries; older ones than `capacity` are dropped and counted."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._added = 0

    def add(self, entry: Entry) -> None:
        """File the entry; a body beyond 4 KiB is cut and then listed as text."""
        if len(entry.body) > BODY_BYTES:
            entry.body = entry.body[:BODY_BYTES]
            entry.is_json = False
        self._entries.append(entry)
        self._added += 1

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._added = 0

    def take(self, limit: int) -> list[Entry]:
        """The oldest entries, which are then forgotten: a long campaign keeps them elsewhere."""
        taken = [self._entries.popleft() for _ in range(min(limit, len(self._entries)))]
        self._added -= len(taken)
        return taken

    def select(self, wanted: Filter) -> Iterator[Entry]:
        """The wanted entries, oldest first."""
        return (entry for entry in self._entries if wanted.admits(entry))

    def summary(self, wanted: Filter) -> dict[str, Any]:
        """Counts per partner and route, and which keys were repeated or had several effects."""
        routes: dict[str, Counter[str]] = {}
        calls: Counter[tuple[str, str]] = Counter()
        effects: Counter[tuple[str, str]] = Counter()
        total = 0
        for entry in self.select(wanted):
            total += 1
            routes.setdefault(entry.partner, Counter())[f"{entry.method} {entry.route}"] += 1
            if entry.key is not None:
                calls[entry.partner, entry.key] += 1
                effects[entry.partner, entry.key] += entry.effect is not None
        return {
            "requests": total,
            "dropped": self._added - len(self._entries),
            "routes": {partner: dict(counts) for partner, counts in routes.items()},
            "distinct_keys": len(calls),
            "repeated_calls": calls.total() - len(calls),
            "several_effects": [
                {"partner": partner, "key": key, "effects": count, "calls": calls[partner, key]}
                for (partner, key), count in effects.items()
                if count > 1
            ],
        }


_ORDER_MEMBERS = (
    "order_id",
    "orderId",
    "Order_Id__c",
    "OrderId__c",
    "orderNumber",
    "OrderNumber__c",
    "i42as__OrderNumber__c",
    "order_reference",
    "metadata[order_id]",
)


def order_of(headers: Mapping[str, str], body: Any) -> str | None:
    """Our order id: from the headers, else from the usual members of the body."""
    named = headers.get("Waybill-Order") or headers.get("Zuora-Track-Id")
    if named is not None or not isinstance(body, dict):
        return named
    order = body.get("order")
    candidates = [*map(body.get, _ORDER_MEMBERS), order]
    if isinstance(order, dict):
        candidates.append(order.get("id"))
    return next((found for found in candidates if isinstance(found, str)), None)
