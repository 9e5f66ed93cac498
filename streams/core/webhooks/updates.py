"""What is heard on `order-updates`: one update per record, from CloudEvents in binary mode."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

_PREFIX = "waybill."
_SUFFIX = ".v1"
_SOURCE = "/tenants/"


class UnreadableUpdateError(Exception):
    """The record is not an update that this version understands; the message says why."""


class Update(NamedTuple):
    """One thing that has happened to an order, or on the way to one.

    `kind` is the type of the CloudEvent without what all have: `order.accepted`,
    `order.step_failed`, `journey.checkout_initiated`. `order_id` is the subject: the order, or
    what stands in for it. `at` has its offset. `data` is the order as it stood then.
    """

    id: str
    kind: str
    tenant: str
    order_id: str
    at: datetime
    data: Mapping[str, Any]


def read_update(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Update:
    """The update in a record; `UnreadableUpdateError` where it is none."""
    named = dict(headers)
    try:
        kind, source = named["ce_type"].decode(), named["ce_source"].decode()
        update_id, subject = named["ce_id"].decode(), named["ce_subject"].decode()
        at = datetime.fromisoformat(named["ce_time"].decode())
        data = orjson.loads(value or b"")
    except KeyError as missing:
        raise UnreadableUpdateError(f"the header {missing} is missing") from None
    except ValueError as problem:
        raise UnreadableUpdateError(f"a header or the value cannot be read: {problem}") from None
    if not (kind.startswith(_PREFIX) and kind.endswith(_SUFFIX) and source.startswith(_SOURCE)):
        raise UnreadableUpdateError(f"{kind!r} from {source!r} is of a kind that is not known")
    if not isinstance(data, dict) or at.tzinfo is None:
        raise UnreadableUpdateError("the value is no object, or ce_time has no offset")
    return Update(
        id=update_id,
        kind=kind[len(_PREFIX) : -len(_SUFFIX)],
        tenant=source[len(_SOURCE) :],
        order_id=subject,
        at=at,
        data=data,
    )
