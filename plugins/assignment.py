"""What a stage hands in to have one attempt of one step performed, and what it gets back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from plugins.api import Connector, Done, NotDone, Step
from plugins.redaction import Scrubber
from schemas.connections import Connection
from schemas.steps import Callout, Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that one attempt of one step needs.

    `key_of` gives the idempotency key of a call by its name. `order_json` is the order's document
    as JSON. `deadline_s` bounds the whole conversation from its first request on; waiting for a
    free slot of the stage does not count. `before_sending` is awaited once the slot is there and
    before the first byte leaves. `trace` is a W3C traceparent.
    """

    connector: Connector
    step: Step[Any]
    connection: Connection
    attempt: int
    key_of: Callable[[str], str]
    order_json: bytes
    scrubber: Scrubber
    deadline_s: float
    trace: str | None = None
    before_sending: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether `call` had its effect. After a look-up: it is still not known."""

    code: str
    message: str
    call: str | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of a conversation. `retry_after_s`: seconds that the partner asked to wait."""

    outcome: Done | Failure | InDoubt | NotDone
    callouts: tuple[Callout, ...] = ()
    retry_after_s: float | None = None
