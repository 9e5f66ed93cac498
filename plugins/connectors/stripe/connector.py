"""What Stripe's connector states about itself, and which journey an order takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plugins.api import Conversation, Failed, Idempotency, Manifest, Request, Step, connector
from plugins.connectors.stripe import cancel, change_address, new_order
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.talking import StoppedError, errors
from plugins.hooks import HookPoint
from plugins.limio import text
from schemas.steps import ErrorKind

_KEY_KEPT_S = 24 * 3600
_MARKS = ("order_id", "subscription_reference")


@dataclass(frozen=True, slots=True)
class Journey:
    """How an order of one type goes through Stripe, and how its outcome is found out."""

    perform: Callable[[Step[StripeOptions]], Conversation]
    look_up: Callable[[Step[StripeOptions]], Conversation]


_NEW = Journey(new_order.perform, new_order.look_up)
JOURNEYS: Mapping[str, Journey] = {
    "new": _NEW,
    "submitted": _NEW,
    "cancel_subscription": Journey(cancel.perform, cancel.look_up),
    "change_address": Journey(change_address.perform, change_address.look_up),
}

MANIFEST = Manifest(
    name="stripe",
    service="stripe",
    summary="Opens customer and subscription in Stripe, cancels it, changes its addresses.",
    idempotency=Idempotency.NATIVE,
    options=StripeOptions,
    connection="stripe",
    key_methods=frozenset({"POST"}),
    key_valid_for_s=_KEY_KEPT_S,
    timeout_s=45.0,
    errors=errors,
    docs=(
        "For the order types new, cancel_subscription and change_address. The connection's `auth` "
        "is `bearer` with the secret key. A new order says how it is paid: "
        "`payment.stripe.paymentMethodId`, `payment.stripe.paymentIntentId` (paid in the checkout) "
        "or `payment.type: invoice`. Prices are found by a lookup key made of offer, amount and "
        "interval, else made. The entry's `map` takes `customerId`, `subscriptionId` and, for new "
        "orders, names that become metadata of the subscription. Output: `customerId`, "
        "`subscriptionId`, `status`, `invoiceId`, `invoiceNumbers`, `effectiveDate`; of a changed "
        "address `customerId`, `changed`."
    ),
)


def _is_subscription(request: Request) -> bool:
    return request.method == "POST" and request.path == "/v1/subscriptions"


def _known_by(body: Mapping[str, Any]) -> object:
    return body.get("customer"), [body.get(f"metadata[{name}]") for name in _MARKS]


BEFORE_SUBSCRIPTION = HookPoint(concerns=_is_subscription, identity=_known_by)


@connector(MANIFEST)
def stripe(step: Step[StripeOptions]) -> Conversation:
    """The journey of the order's type."""
    journey = JOURNEYS.get(_type(step))
    if journey is None:
        return _no_journey(step)
    talk, hook = journey.perform(step), step.options.before_stripe_subscription
    try:
        return (yield from BEFORE_SUBSCRIPTION.around(talk, step, hook))
    except StoppedError as problem:
        return problem.outcome


@stripe.reconcile
def stripe_look_up(step: Step[StripeOptions]) -> Conversation:
    """After an unknown outcome: what came of it?"""
    journey = JOURNEYS.get(_type(step))
    if journey is None:
        return _no_journey(step)
    try:
        return (yield from journey.look_up(step))
    except StoppedError as problem:
        return problem.outcome


def _type(step: Step[StripeOptions]) -> str:
    return text(step.order, "order_type") or "new"


def _no_journey(step: Step[StripeOptions]) -> Failed:
    known = ", ".join(sorted(JOURNEYS))
    remedy = "take stripe out of its sequence with an override"
    message = f"stripe has no journey for order_type {_type(step)!r} (it has: {known}); {remedy}"
    return Failed(ErrorKind.MISCONFIGURED, "journey_missing", message)
