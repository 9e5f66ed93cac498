"""Bodies of webhooks: from an update to the bytes that are signed and sent."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson

from streams.core import ids
from streams.core.webhooks.accepted import accepted_data
from streams.core.webhooks.endpoint import Payload
from streams.core.webhooks.limio_bodies import limio_body
from streams.core.webhooks.shapes import OrderRef
from streams.core.webhooks.updates import Update

Personal: TypeAlias = Mapping[str, Any] | None
"""The unsealed sections of the order's document by member name; None for those who may not."""

_REF: Final = tuple(OrderRef.model_fields)
_OUTCOME: Final = ("id", "name", "status", "attempt", "next_attempt")


def message_id(update_id: str, name: str) -> str:
    """The id of the message: the same whenever the update is heard, another for each type."""
    return "msg_" + ids.derived_uuid("message", update_id, name).replace("-", "")


def body_of(name: str, update: Update, payload: Payload, personal: Personal) -> bytes:
    """The body of the type `name` for the update; the same arguments give the same bytes.

    `payload`: `thin` says what has happened to which order, `full` also what the order holds.
    `personal` are the unsealed sections of the order's document by member name, for endpoints
    that may have them; None for all others. Thin bodies never hold any.
    """
    if name.startswith("limio."):
        shown = personal if payload == "full" else None
        return orjson.dumps(limio_body(name, update, shown, summary=payload == "thin"))
    made = _FULL if payload == "full" else _THIN
    data = made[name.partition(".")[0]](update, personal)
    return orjson.dumps({"type": name, "timestamp": update.at.isoformat(), "data": data})


def _ref(update: Update) -> dict[str, Any]:
    data = update.data
    return {member: data[member] for member in _REF}


def _thin_order(update: Update, _: Personal) -> dict[str, Any]:
    return {**_ref(update), "error": _buyer_error(update.data["error"])}


def _full_order(update: Update, personal: Personal) -> dict[str, Any]:
    if personal is None or "document" not in update.data:
        return dict(update.data)
    return {**update.data, **personal}


def _thin_step(update: Update, _: Personal) -> dict[str, Any]:
    step = update.data["step"]
    outcome = {member: step[member] for member in _OUTCOME}
    return {**_ref(update), "step": {**outcome, "error": _buyer_error(step["error"])}}


def _full_step(update: Update, _: Personal) -> dict[str, Any]:
    return {**_ref(update), "step": update.data["step"]}


def _thin_accepted(update: Update, _: Personal) -> dict[str, Any]:
    return _ref(update)


def _full_accepted(update: Update, personal: Personal) -> dict[str, Any]:
    return {**_ref(update), **accepted_data(update.data, personal)}


def _as_told(update: Update, _: Personal) -> dict[str, Any]:
    return dict(update.data)


_Made: TypeAlias = Mapping[str, Callable[[Update, Personal], dict[str, Any]]]

_THIN: Final[_Made] = {
    "order": _thin_order,
    "step": _thin_step,
    "accepted": _thin_accepted,
    "webhook": _as_told,
}
_FULL: Final[_Made] = {
    "order": _full_order,
    "step": _full_step,
    "accepted": _full_accepted,
    "webhook": _as_told,
}


def _buyer_error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"code": error["code"], "buyer_message": error["buyer_message"]}
