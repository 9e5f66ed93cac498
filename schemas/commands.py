"""What operators ask of an order, and what they hand in with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.steps import Sealed, WaybillStep


class CommandKind(StrEnum):
    """What is asked. `release` lets a queued order pass the orders that rest before it."""

    RETRY = "retry"
    SKIP = "skip"
    RESOLVE = "resolve"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    AMEND = "amend"
    FORCE_COMPLETE = "force_complete"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What an order is to become: another waybill, for an amendment another document as well.

    `document` (JSON text without its sealed sections), `sealed` and `fingerprint` are as in
    `OrderAccepted`; `document` None means that only the waybill is another one. `base` is the
    fingerprint of the order that this was made from: it no longer fits where another amendment
    was first. `changed` are the top-level members that differ.
    """

    config_version: int
    axes: Mapping[str, str]
    waybill: tuple[WaybillStep, ...]
    base: bytes
    document: str | None = None
    sealed: tuple[Sealed, ...] = ()
    fingerprint: bytes | None = None
    changed: tuple[str, ...] = ()
