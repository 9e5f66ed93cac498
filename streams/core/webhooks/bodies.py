"""Bodies of webhooks: from an update to the bytes that are signed and sent."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import orjson

from streams.core import ids
from streams.core.webhooks.updates import Update

Payload: TypeAlias = Literal["thin", "full"]
"""`thin` says what has happened to which order; `full` also what the order holds."""

_THIN = (
    *("id", "order_reference", "external_id", "order_type", "mode", "status"),
    *("subscriptionReference", "sequence", "run", "created", "updated", "completion"),
)


def message_id(update_id: str, name: str) -> str:
    """The id of the message: the same whenever the update is heard, another for each type."""
    return "msg_" + ids.derived_uuid("message", update_id, name).replace("-", "")


def body_of(
    name: str, update: Update, payload: Payload, personal: Mapping[str, Any] | None
) -> bytes:
    """The body of the type `name` for the update; the same arguments give the same bytes.

    `personal` are the unsealed sections of the order's document by member name, for endpoints
    that may have them; None for all others.
    """
    return orjson.dumps(
        {"type": name, "timestamp": update.at.isoformat(), "data": _data(update, payload, personal)}
    )


def _data(update: Update, payload: Payload, personal: Mapping[str, Any] | None) -> Any:
    if update.kind.startswith("webhook."):
        return update.data
    if payload == "full":
        return {**update.data, **(personal or {})}
    return {member: update.data.get(member) for member in _THIN}
