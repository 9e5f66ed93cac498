"""What Zuora's connector states about itself, and which journey an order takes."""

from plugins.api import (
    Conversation,
    Done,
    Idempotency,
    Manifest,
    OAuthClientCredentials,
    Step,
    connector,
)
from plugins.connectors.zuora import (
    activation,
    add_offer,
    cancel,
    change_address,
    change_offer,
    change_payment,
    credit,
    customer_details,
    external,
    foretelling,
    new_order,
    refund,
    renew,
    update_subscription,
)
from plugins.connectors.zuora.changing import adopted
from plugins.connectors.zuora.custom_fields import HOLDERS
from plugins.connectors.zuora.envelope import errors
from plugins.connectors.zuora.hooked import BEFORE_ORDER
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.reference_fields import fields_table
from plugins.journeys import Journey, Journeys, stoppable
from plugins.zuora import KEY_METHODS, KEY_VALID_FOR_S

_NEW = Journey(new_order.perform, new_order.look_up, foretelling.new)
_BY_TYPE = {
    "new": _NEW,
    "submitted": _NEW,
    "change_offer": Journey(change_offer.perform, adopted, change_offer.preview),
    "add_offer": Journey(add_offer.perform, adopted, add_offer.preview),
    "cancel_subscription": Journey(cancel.perform, cancel.look_up, cancel.preview),
    "renew": Journey(renew.perform, renew.look_up, renew.preview),
    "update_subscription": Journey(
        update_subscription.perform, adopted, update_subscription.preview
    ),
    "refund": Journey(refund.perform, refund.look_up, foretelling.money_back),
    "credit": Journey(credit.perform, credit.look_up, foretelling.money_back),
    "change_address": Journey(change_address.perform, change_address.look_up),
    "change_payment": Journey(change_payment.perform, change_payment.look_up),
    "update_customer_details": Journey(customer_details.perform, customer_details.look_up),
    "activation": Journey(activation.perform, activation.look_up),
    "external": Journey(external.perform, external.perform),
}

JOURNEYS = Journeys("zuora", _BY_TYPE)

_DOCS = f"""\
Every order on a subscription is one Zuora order, under a number of ours, so a repeated one is \
recognised; it is read first, and what an earlier attempt did is found, not done again. The \
entry's `map` takes `accountNumber` (an existing account), `crmId`, `customFields` (an object \
for each of `{"`, `".join(HOLDERS)}`) and, for the subscription, any name ending in `__c`.

Output: of orders `orderNumber`, `accountNumber`, `accountId`, `status`, `subscriptionNumber`, \
`subscriptionNumbers`, `invoiceNumbers`, `creditMemoNumbers`, `paymentNumber`, `paidAmount`, \
`effectiveDate`, `warnings`; of memos and refunds `creditMemoNumber`, `debitMemoNumber`, \
`refundNumber`, `refundStatus`, `refund` (`processed`, `processing`, `not_possible`, `external`, \
`failed`), `amount`, `currency`; of payment methods and contacts `paymentMethodId`, `contactId`, \
`billToContactId`, `soldToContactId`; of `external` and `activation` the subscription's `status`, \
`version`, `termStartDate`, `termEndDate`, `chargedThroughDate`, `cancelledFrom`, `autoRenew`, \
`ratePlans`. What is left for a person to settle is in `follow_up`.

{fields_table()}"""

MANIFEST = Manifest(
    name="zuora",
    service="zuora",
    summary="Sells, changes and ends subscriptions in Zuora, with their accounts and payments.",
    idempotency=Idempotency.NATIVE,
    options=ZuoraOptions,
    connection="zuora",
    key_methods=KEY_METHODS,
    key_valid_for_s=KEY_VALID_FOR_S,
    timeout_s=45.0,
    errors=errors,
    personal=("paymentMethodId",),
    oauth=OAuthClientCredentials(token_path="/oauth/token"),  # noqa: S106 (a path)
    docs=_DOCS,
)


@connector(MANIFEST)
@stoppable
def zuora(step: Step[ZuoraOptions]) -> Conversation:
    """The journey of the order's type."""
    talk, hook = JOURNEYS.of(step).perform(step), step.options.before_zuora_order
    return (yield from BEFORE_ORDER.around(talk, step, hook))


@zuora.reconcile
@stoppable
def zuora_look_up(step: Step[ZuoraOptions]) -> Conversation:
    """After an unknown outcome: did the order come into being?"""
    return (yield from JOURNEYS.of(step).look_up(step))


@zuora.preview
@stoppable
def zuora_preview(step: Step[ZuoraOptions]) -> Conversation:
    """What the order would cost and give back. Zuora previews what is billed, nothing else."""
    preview = JOURNEYS.of(step).preview
    if preview is None:
        return Done()
    return (yield from BEFORE_ORDER.around(preview(step), step, step.options.before_zuora_order))
