"""What Stripe's connector states about itself, and which journey an order takes."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Conversation, Idempotency, Manifest, Request, Step, connector
from plugins.connectors.stripe import cancel, change_address, new_order
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.talking import errors
from plugins.hooks import HookPoint
from plugins.journeys import Journey, Journeys, stoppable

_KEY_KEPT_S = 24 * 3600
_MARKS = ("order_id", "subscription_reference")


_NEW = Journey(new_order.perform, new_order.look_up)
_BY_TYPE = {
    "new": _NEW,
    "submitted": _NEW,
    "cancel_subscription": Journey(cancel.perform, cancel.look_up),
    "change_address": Journey(change_address.perform, change_address.look_up),
}
JOURNEYS = Journeys("stripe", _BY_TYPE)

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
    probe=Request.get("/v1/prices", {"limit": "1"}),
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
@stoppable
def stripe(step: Step[StripeOptions]) -> Conversation:
    """The journey of the order's type."""
    talk, hook = JOURNEYS.of(step).perform(step), step.options.before_stripe_subscription
    return (yield from BEFORE_SUBSCRIPTION.around(talk, step, hook))


@stripe.reconcile
@stoppable
def stripe_look_up(step: Step[StripeOptions]) -> Conversation:
    """After an unknown outcome: what came of it?"""
    return (yield from JOURNEYS.of(step).look_up(step))
