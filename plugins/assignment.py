"""What a stage hands in to have one attempt of one step performed, and what it gets back."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from plugins.api import Connector, Done, NotDone, Step
from plugins.redaction import Scrubber
from schemas.connections import Connection
from schemas.steps import Callout, Failure

PATIENCE_S = 20.0
"""So long may an attempt wait for its stage before it is deferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that one attempt of one step needs.

    `key_of` gives the idempotency key of a call by its name. `order_json` is the order's document
    as JSON. `deadline_s` bounds the whole conversation from its first request on; waiting for
    the stage to take it does not count, and is bounded by `patience_s`. `before_sending` is
    awaited once the stage takes it and before the first byte leaves. `trace` is a W3C
    traceparent. `in_hand` surrounds what runs in one piece: should the process die of it, the
    next one knows.
    """

    connector: Connector
    step: Step[Any]
    connection: Connection
    attempt: int
    key_of: Callable[[str], str]
    order_json: bytes
    scrubber: Scrubber
    deadline_s: float
    patience_s: float = PATIENCE_S
    trace: str | None = None
    before_sending: Callable[[], Awaitable[None]] | None = None
    in_hand: AbstractContextManager[None] = field(default_factory=nullcontext)


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether `call` had its effect. After a look-up: it is still not known."""

    code: str
    message: str
    call: str | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of a conversation.

    `retry_after_s`: seconds that the partner asked to wait. `requests` counts what was sent,
    tokens left out. `unsent`: it ended because its last request could not leave, and nothing
    before it needs to be looked up.
    """

    outcome: Done | Failure | InDoubt | NotDone
    callouts: tuple[Callout, ...] = ()
    retry_after_s: float | None = None
    requests: int = 1
    unsent: bool = False
