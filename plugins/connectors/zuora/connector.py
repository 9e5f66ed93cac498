"""What Zuora's connector states about itself, and which journey an order takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plugins.api import (
    Conversation,
    Failed,
    Idempotency,
    Manifest,
    OAuthClientCredentials,
    Step,
    connector,
)
from plugins.connectors.zuora import new_order
from plugins.connectors.zuora.envelope import StoppedError, errors
from plugins.connectors.zuora.hooked import BEFORE_ORDER
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import text
from schemas.steps import ErrorKind

_KEY_KEPT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Journey:
    """How an order of one type goes through Zuora, and how its outcome is found out."""

    perform: Callable[[Step[ZuoraOptions]], Conversation]
    look_up: Callable[[Step[ZuoraOptions]], Conversation]


_NEW_ORDER = Journey(new_order.perform, new_order.look_up)
JOURNEYS: Mapping[str, Journey] = {"new": _NEW_ORDER, "submitted": _NEW_ORDER}

MANIFEST = Manifest(
    name="zuora",
    service="zuora",
    summary="Opens the account and the subscriptions in one Zuora order.",
    idempotency=Idempotency.NATIVE,
    options=ZuoraOptions,
    connection="zuora",
    # A live tenant refuses PUT with a key.
    key_methods=frozenset({"POST", "PATCH"}),
    key_valid_for_s=_KEY_KEPT_S,
    timeout_s=45.0,
    errors=errors,
    oauth=OAuthClientCredentials(token_path="/oauth/token"),  # noqa: S106 (a path)
    docs=(
        "Order, account and subscription numbers are ours, so a repeated order is recognised. "
        "The entry's `map` takes `accountNumber` (an existing account), `crmId`, `customFields` "
        "(`{account, order, subscription: {...}}`) and, for the subscription, any name ending "
        "in `__c`. Output: `accountNumber`, `accountId`, `orderNumber`, `status`, "
        "`subscriptionNumber`, `subscriptionNumbers`, `invoiceNumbers`, `paymentNumber`."
    ),
)


@connector(MANIFEST)
def zuora(step: Step[ZuoraOptions]) -> Conversation:
    """The journey of the order's type."""
    journey = JOURNEYS.get(_type(step))
    if journey is None:
        return _no_journey(step)
    try:
        talk, hook = journey.perform(step), step.options.before_zuora_order
        return (yield from BEFORE_ORDER.around(talk, step, hook))
    except StoppedError as problem:
        return problem.outcome


@zuora.reconcile
def zuora_look_up(step: Step[ZuoraOptions]) -> Conversation:
    """After an unknown outcome: did the order come into being?"""
    journey = JOURNEYS.get(_type(step))
    if journey is None:
        return _no_journey(step)
    try:
        return (yield from journey.look_up(step))
    except StoppedError as problem:
        return problem.outcome


def _type(step: Step[ZuoraOptions]) -> str:
    return text(step.order, "order_type") or "new"


def _no_journey(step: Step[ZuoraOptions]) -> Failed:
    known = ", ".join(sorted(JOURNEYS))
    remedy = "take zuora out of its sequence with an override"
    message = f"zuora has no journey for order_type {_type(step)!r} (it has: {known}); {remedy}"
    return Failed(ErrorKind.MISCONFIGURED, "journey_missing", message)
