"""Entries of a waybill, and what performing one of them leaves behind."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """Main: critical failures fail the order. Post: runs after it, and can no longer fail it."""

    MAIN = "main"
    POST = "post"


class OnUnknown(StrEnum):
    """What becomes of a step whose outcome nobody knows."""

    LOOK_UP = "look_up"
    REPEAT = "repeat"
    REST = "rest"
    FAIL = "fail"


class ErrorKind(StrEnum):
    """Why a step failed, as its connector's error table says."""

    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    CONTENTION = "contention"
    PERMANENT = "permanent"
    DECLINED = "declined"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed attempt is followed by another one. Seconds.

    `attempts` bounds those that were sent, the first included; `age_s` the time since the first.
    Pauses double from `first_s` to `longest_s`, each with full jitter.
    """

    attempts: int
    first_s: float
    longest_s: float
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaybillStep:
    """One entry of an order's waybill, as resolved when the order was accepted.

    `options` and `map` are JSON texts. `items` are indexes into the order's items that this step
    gets; None means all. `timeout_s` bounds the whole step; None means the connector's own.
    `retry` None: the first failure is the last. `compensate`: undone where the order is cancelled
    or amended behind it. `reads` are the members of the order that the step depends on; None
    means all.
    """

    id: str
    plugin: str
    service: str
    phase: Phase = Phase.MAIN
    critical: bool = True
    on_unknown: OnUnknown = OnUnknown.REPEAT
    options: str = "{}"
    when: str | None = None
    items: tuple[int, ...] | None = None
    map: str | None = None
    timeout_s: float | None = None
    retry: Retry | None = None
    compensate: bool = False
    reads: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A recorded request or response body: redacted, cut, with length and digest of the whole.

    `text` of a body that the log already holds is empty and `of` says what it was
    (`order`: the order's document with its context).
    """

    text: str = ""
    length: int = 0
    sha256: str = ""
    of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callout:
    """One HTTP exchange with a partner. `status` is None when no answer came."""

    call: str | None
    attempt: int
    method: str
    url: str
    status: int | None
    started_at: datetime
    duration_ms: float
    request: Body = Body()
    response: Body = Body()
    error: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt failed.

    `definite` says that nothing came of `call`: the partner answered so, or a look-up found
    nothing. Only then does the call's key change (partners store failures under a key too).
    `buyer_message` is fit for the person who bought; `message` for the operator.
    """

    kind: ErrorKind
    code: str
    message: str
    buyer_message: str
    call: str | None = None
    definite: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A part of a document that only a holder of the data subject's key can read.

    `paths` are JSON pointers that the plaintext (a JSON object path -> value) goes back to.
    """

    paths: tuple[str, ...]
    key_id: str
    subject: str
    nonce: bytes
    ciphertext: bytes
