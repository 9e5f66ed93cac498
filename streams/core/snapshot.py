"""An order's folded state as bytes, beside its acceptance, which the log holds unchanged."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from schemas.events import OrderAccepted
from schemas.steps import ErrorKind, Failure, Sealed
from streams.core.order import Order, Progress, State, StepStatus

_STATE = tuple(name for name in Order._fields if name != "accepted")


def state_bytes(order: Order) -> bytes:
    """The state without its acceptance. Deterministic: equal orders give equal bytes."""
    plain = {name: getattr(order, name) for name in _STATE}
    return orjson.dumps(plain, default=_plain, option=orjson.OPT_SORT_KEYS)


def restored(state: bytes, accepted: OrderAccepted) -> Order:
    """The order whose `state_bytes` these are."""
    plain = orjson.loads(state)
    plain["accepted"] = accepted
    plain["state"] = State(plain["state"])
    plain["created"] = datetime.fromisoformat(plain["created"])
    plain["updated"] = datetime.fromisoformat(plain["updated"])
    plain["progress"] = tuple(_progress(entry) for entry in plain["progress"])
    plain["failure"] = _failure(plain["failure"])
    plain["sealed"] = {
        step: tuple(_sealed(part) for part in parts) for step, parts in plain["sealed"].items()
    }
    return Order(**plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Progress):
        return value._asdict()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not part of an order's state")


def _progress(plain: dict[str, Any]) -> Progress:
    return Progress(
        status=StepStatus(plain["status"]),
        attempts=plain["attempts"],
        started=_moment(plain["started"]),
        ended=_moment(plain["ended"]),
        failure=_failure(plain["failure"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


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
