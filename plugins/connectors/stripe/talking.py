"""How Stripe is spoken to: forms with names in brackets, amounts in small coins, its errors."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from plugins.api import Failed, PartnerSurpriseError, Reply, Request, Step, Unknown
from plugins.connectors.stripe.options import StripeOptions
from plugins.journeys import StoppedError
from plugins.limio import part, text
from schemas.steps import ErrorKind

_PAYMENT_REQUIRED, _TOO_MANY, _SERVER_ERROR = 402, 429, 500
_IN_PROGRESS = 409
_OURS_TO_FIX = frozenset({401, 403})
# Stripe counts the króna and the Ugandan shilling in hundredths although nobody else does.
_PLACES: Mapping[str, int] = {
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
_USUAL_PLACES = 2


def unfit(code: str, message: str, kind: ErrorKind = ErrorKind.PERMANENT) -> StoppedError:
    """The order cannot be put in Stripe's terms."""
    return StoppedError(Failed(kind, code, message))


def post(
    step: Step[StripeOptions],
    path: str,
    body: Mapping[str, Any],
    *,
    call: str,
    accept: frozenset[int] = frozenset(),
) -> Request:
    """A request that changes something."""
    form = dict(_flat(body))
    return Request.post(path, form, call=call, form=True, headers=_headers(step), accept=accept)


def get(
    step: Step[StripeOptions],
    path: str,
    query: Mapping[str, Any] | None = None,
    accept: frozenset[int] = frozenset(),
) -> Request:
    """A request that changes nothing."""
    flat = dict(_flat(query or {}))
    return Request("GET", path, query=flat, accept=accept, headers=_headers(step))


def delete(step: Step[StripeOptions], path: str, body: Mapping[str, Any], *, call: str) -> Request:
    """A request that ends something."""
    form = dict(_flat(body))
    return Request("DELETE", path, form, call=call, form=True, headers=_headers(step))


def _headers(step: Step[StripeOptions]) -> dict[str, str]:
    return {"Stripe-Version": step.options.api_version}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """`{"items": [{"price": "p"}]}` as `items[0][price]=p`; what is None or empty is left out."""
    if isinstance(value, Mapping):
        for member, inner in value.items():
            yield from _flat(inner, f"{name}[{member}]" if name else member)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{index}]")
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value not in (None, ""):
        yield name, str(value)


def id_of(reply: Reply) -> str:
    """The id of what the reply is about; an answer without one cannot be understood."""
    found = reply["id"]
    if not isinstance(found, str) or not found:
        raise PartnerSurpriseError("the reply's 'id' is no text")
    return found


def record_of(reply: Reply) -> dict[str, Any]:
    """What the reply is about."""
    id_of(reply)
    return dict(reply.body)


def small_coins(amount: Decimal, currency: str) -> int:
    """The amount in the currency's smallest unit, as Stripe counts it."""
    coins = amount.scaleb(_PLACES.get(currency.upper(), _USUAL_PLACES))
    if coins != coins.to_integral_value():
        raise unfit("price", f"the price {amount} is finer than {currency} is counted")
    return int(coins)


def timestamp(day: date) -> int:
    """The first second of the day, in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def day_of(seconds: Any) -> str | None:
    """The day of one of Stripe's timestamps, as ISO date."""
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def errors(reply: Reply) -> Failed | Unknown | None:
    """The class of an error reply; None: the general rules by status hold."""
    said = part(reply.body, "error")
    if not said or reply.status >= _SERVER_ERROR or reply.status == _IN_PROGRESS:
        return None
    code = text(said, "decline_code") or text(said, "code") or text(said, "type") or "refused"
    message = text(said, "message") or "Stripe refused without saying why"
    if text(said, "type") == "idempotency_error":
        # Another body went out under this key, and what became of it nobody says.
        return Unknown(code, message)
    return Failed(_kind(reply.status, code, message), code, message)


def _kind(status: int, code: str, message: str) -> ErrorKind:
    if status == _PAYMENT_REQUIRED:
        return ErrorKind.DECLINED
    if status == _TOO_MANY:
        return ErrorKind.CONTENTION if code == "lock_timeout" else ErrorKind.RATE_LIMITED
    if "already uses that lookup key" in message:
        # Two orders made the same price; the next attempt finds it.
        return ErrorKind.CONTENTION
    return ErrorKind.MISCONFIGURED if status in _OURS_TO_FIX else ErrorKind.PERMANENT
