"""What a view is: it takes applied events one by one and writes its rows once per transaction."""

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson
from sqlalchemy import Connection

from schemas.events import Event
from streams.core.order import Order


class Change(NamedTuple):
    """One applied event: where it stands, what it says, the order before and after it.

    `place` is the event's, `order_place` that of the order's acceptance (`tables.place_of`), which
    names the order in all tables. `value` is the record as the log holds it. The orders carry
    their acceptance without document and sealed parts.
    """

    place: int
    order_place: int
    value: bytes
    event: Event
    before: Order | None
    after: Order


class View(Protocol):
    """One view during one transaction."""

    def apply(self, change: Change) -> None:
        """Take one applied event into account; events of an order come in log order."""

    def write(self, connection: Connection) -> None:
        """Write what has come of all of them."""


@lru_cache(maxsize=2)
def parsed(document: str) -> Any:
    """The JSON of an order's document. The views look into it one after the other: read it only."""
    return orjson.loads(document)
