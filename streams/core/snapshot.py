"""An order's folded state as bytes, beside its acceptance, which the log holds unchanged."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.codec import decode, encode
from schemas.envelope import Envelope
from schemas.events import CommandReceived, Event, Fact, OrderAccepted
from schemas.steps import ErrorKind, Failure, Sealed
from streams.core.order import Order, Progress, State, StepStatus

_STATE = tuple(name for name in Order._fields if name not in {"accepted", "pending"})
_MOMENTS = ("started", "ended", "retry_at", "failing_since")
_NOBODY = Envelope(
    event_id="",
    tenant="",
    lane="",
    order_id="",
    run=0,
    occurred_at=datetime(1970, 1, 1, tzinfo=UTC),
    actor="",
)


def state_bytes(order: Order) -> bytes:
    """The state without its acceptance. Deterministic: equal orders give equal bytes."""
    plain = {name: getattr(order, name) for name in _STATE}
    if order.pending:
        plain["pending"] = [_text(command) for command in order.pending]
    if order.revised:
        plain["accepted"] = _text(order.accepted)
    return orjson.dumps(plain, default=_plain, option=orjson.OPT_SORT_KEYS)


def restored(state: bytes, accepted: OrderAccepted) -> Order:
    """The order whose `state_bytes` these are; a revised one brings what it was accepted as."""
    plain = orjson.loads(state)
    revised = plain.get("accepted")
    plain["accepted"] = accepted if revised is None else _revised(revised, accepted)
    plain["state"] = State(plain["state"])
    plain["created"] = datetime.fromisoformat(plain["created"])
    plain["updated"] = datetime.fromisoformat(plain["updated"])
    plain["progress"] = tuple(_progress(entry) for entry in plain["progress"])
    plain["failure"] = _failure(plain["failure"])
    if plain["original"] is not None:
        plain["original"] = base64.b64decode(plain["original"])
    plain["commands"] = tuple(plain["commands"])
    plain["pending"] = tuple(_command(text) for text in plain.get("pending", ()))
    plain["sealed"] = {
        step: tuple(_sealed(part) for part in parts) for step, parts in plain["sealed"].items()
    }
    return Order(**plain)


def _text(fact: Fact) -> str:
    return base64.b64encode(encode(Event(_NOBODY, fact))).decode()


def _revised(text: str, accepted: OrderAccepted) -> OrderAccepted:
    """A revised waybill; with the accepted document where no amendment brought another one.

    Whoever folds without documents writes none for an order whose document never changed.
    """
    revised = _fact(text)
    assert isinstance(revised, OrderAccepted)
    if revised.document:
        return revised
    return replace(revised, document=accepted.document, sealed=accepted.sealed)


def _fact(text: str) -> Fact:
    return decode(base64.b64decode(text)).fact


def _command(text: str) -> CommandReceived:
    fact = _fact(text)
    assert isinstance(fact, CommandReceived)
    return fact


def _plain(value: Any) -> Any:
    if isinstance(value, Progress):
        return tuple(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not part of an order's state")


def _progress(entry: list[Any]) -> Progress:
    plain = dict(zip(Progress._fields, entry, strict=True))
    plain["status"] = StepStatus(plain["status"])
    plain["failure"] = _failure(plain["failure"])
    for name in _MOMENTS:
        text = plain[name]
        plain[name] = None if text is None else datetime.fromisoformat(text)
    return Progress(**plain)


def _failure(plain: dict[str, Any] | None) -> Failure | None:
    if plain is None:
        return None
    return Failure(**{**plain, "kind": ErrorKind(plain["kind"])})


def _sealed(plain: dict[str, Any]) -> Sealed:
    return Sealed(
        paths=tuple(plain["paths"]),
        key_id=plain["key_id"],
        subject=plain["subject"],
        nonce=base64.b64decode(plain["nonce"]),
        ciphertext=base64.b64decode(plain["ciphertext"]),
    )
