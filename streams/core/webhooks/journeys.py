"""What shops tell of buyers on their way: published beside what becomes of orders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

import orjson

from streams.core import ids
from streams.core.sealing import SECTIONS

JourneyType: TypeAlias = Literal[
    "checkout_initiated", "cancel_attempted", "payment_method_added", "address_added"
]
JOURNEY_TYPES: Final[tuple[str, ...]] = get_args(JourneyType)
REDACTED: Final = "[redacted]"

_PERSONAL: Final = frozenset(
    name.lower()
    for name in (
        *SECTIONS,
        *("name", "firstName", "lastName", "fullName", "middleName", "username", "company"),
        *("email", "workEmail", "personalEmail", "phone", "workPhone", "otherPhone", "mobile"),
        *("mobilePhone", "address", "address1", "address2", "street", "streetName", "city"),
        *("postalCode", "zip", "zipCode", "birthDate", "dateOfBirth", "iban", "bic", "pan"),
        *("cardNumber", "cardHolder", "cardHolderName", "holder", "cvv", "cvc", "sortCode"),
        *("bankAccount", "password", "secret", "token", "accessToken", "refreshToken", "idToken"),
        *("apiKey", "clientSecret", "signature", "authorization", "cookie", "ip", "ipAddress"),
    )
)
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_CARD: Final = re.compile(r"(?:\d[ -]?){12,18}\d")
_PARTS: Final = re.compile(r"[-_ ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Something that a buyer has done; `order` and `subscription` where it is about one."""

    id: str
    type: JourneyType
    tenant: str
    at: datetime
    order: str | None
    subscription: str | None
    data: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """What it is about, for the order in which webhooks are sent."""
        return self.order or self.subscription or self.id


def journey_id(tenant: str, identity: str) -> str:
    """The same for the same identity: whoever tells it again tells nothing new."""
    return "event-" + ids.derived_uuid("journey", tenant, identity).replace("-", "")


def journey_value(journey: Journey) -> bytes:
    """The data of the CloudEvent, without what is personal."""
    return orjson.dumps(
        {
            "id": journey.id,
            "type": journey.type,
            "created": journey.at.isoformat(),
            "order": journey.order,
            "subscription": journey.subscription,
            "data": redacted(journey.data),
        }
    )


def journey_headers(journey: Journey, lane: str, trace: str | None) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 for Kafka, binary mode."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": journey.id,
        "ce_type": f"waybill.journey.{journey.type}.v1",
        "ce_source": f"/tenants/{journey.tenant}",
        "ce_subject": journey.subject,
        "ce_time": journey.at.isoformat(),
        "ce_partitionkey": lane,
        "content-type": "application/json",
    }
    if trace is not None:
        attributes["ce_traceparent"] = trace
    return [(name, value.encode()) for name, value in attributes.items()]


def redacted(value: Any) -> Any:
    """The value with a mark in place of what is personal or secret.

    Members are known by their names; elsewhere e-mail addresses and numbers of cards are found.
    """
    if isinstance(value, Mapping):
        return {
            name: REDACTED if is_personal(name) and inner is not None else redacted(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [redacted(one) for one in value]
    if isinstance(value, str):
        return _CARD.sub(_hidden_card, _EMAIL.sub(REDACTED, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return REDACTED if _CARD.fullmatch(str(value)) and _is_card(str(value)) else value
    return value


def is_personal(name: str) -> bool:
    """Whether a member of that name holds something personal or secret."""
    return _PARTS.sub("", name).lower() in _PERSONAL


def _hidden_card(found: "re.Match[str]") -> str:
    return REDACTED if _is_card(found[0]) else found[0]


def _is_card(text: str) -> bool:
    """Whether the last digit is right for the number of a card (Luhn)."""
    digits = [int(digit) for digit in text if digit.isdigit()][::-1]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
