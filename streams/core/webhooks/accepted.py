"""What the thirteen types `accepted.*` say: of each order type its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import Field

from streams.core.subscribed import flag, part, text
from streams.core.webhooks.shapes import OrderRef, PersonalSection, Section, Shape

Document: TypeAlias = Mapping[str, Any]


class Reason(Shape):
    """Why the subscriber wants it."""

    id: str | None
    text: str | None


class Accepted(OrderRef):
    """What all have in common."""

    owner: str
    effective_date: str = Field(description="The day that its steps work with (ISO date)")
    source: str | None = Field(description="Which system submitted it")
    initiated_source: str | None = Field(description="Where it began")


class AboutSubscription(Accepted):
    """A change of the subscription `subscriptionReference`."""

    reason: Reason | None


class NewAccepted(Accepted):
    """A purchase: `subscriptionReference` is the subscription that it opens."""

    checkout_id: str | None
    country: str | None
    items: list[dict[str, Any]]
    total: Section = None
    order_discount: Section = None
    tracking: Section = None
    is_gift: bool
    is_redeem: bool
    customerDetails: PersonalSection = None  # noqa: N815 - Limio's name
    billingDetails: PersonalSection = None  # noqa: N815 - Limio's name
    deliveryDetails: PersonalSection = None  # noqa: N815 - Limio's name
    recipientDetails: PersonalSection = None  # noqa: N815 - Limio's name
    payment: PersonalSection = None


class CancelSubscriptionAccepted(AboutSubscription):
    """The subscription is to end."""

    requested_date: str | None = Field(description="`effectiveDate` of the document")


class ChangeOfferAccepted(AboutSubscription):
    """The subscription is to have other offers."""

    requested_date: str | None = Field(description="`effectiveDate` of the document")
    items: list[dict[str, Any]]
    original_offer: Section = None
    total: Section = None


class AddOfferAccepted(AboutSubscription):
    """The subscription is to have further offers, or a discount."""

    requested_date: str | None = Field(description="`effectiveDate` of the document")
    items: list[dict[str, Any]]
    total: Section = None


class ChangePaymentAccepted(AboutSubscription):
    """The subscription is to be paid in another way."""

    payment: PersonalSection = None
    billingDetails: PersonalSection = None  # noqa: N815 - Limio's name


class ChangeAddressAccepted(AboutSubscription):
    """The subscription is to be billed or delivered elsewhere."""

    address_type: str | None = Field(description="`billing`, `delivery` or `both`")
    billingDetails: PersonalSection = None  # noqa: N815 - Limio's name
    deliveryDetails: PersonalSection = None  # noqa: N815 - Limio's name


class UpdateCustomerDetailsAccepted(AboutSubscription):
    """The customer is to have another name or e-mail address."""

    customerDetails: PersonalSection = None  # noqa: N815 - Limio's name


class Update(Shape):
    """One change of the subscription."""

    action: str = Field(description="`add`, `remove` or `update`")
    item: dict[str, Any]


class UpdateSubscriptionAccepted(AboutSubscription):
    """The subscription is to hold more, less, or something else."""

    updates: list[Update]
    total: Section = None


class RenewAccepted(AboutSubscription):
    """The subscription is to run for another term, or to be renewed or not by itself."""

    auto_renew: bool | None = Field(description="Only where the order sets it")
    items: list[dict[str, Any]]
    original_offer: Section = None
    total: Section = None


class RefundAccepted(AboutSubscription):
    """Money is to be given back."""

    amount: float | str | None = Field(description="As it was sent")
    currency: str | None
    refund: Section = Field(default=None, description="What the order says of the refund")
    items: list[dict[str, Any]]


class CreditAccepted(AboutSubscription):
    """The customer is to be credited."""

    amount: float | str | None = Field(description="As it was sent")
    currency: str | None
    items: list[dict[str, Any]]


class ExternalAccepted(AboutSubscription):
    """Something was changed elsewhere, and is to be taken over here."""

    notification: Section = Field(
        default=None, description="Zuora's `type` and `subscriptionID`, where it came from there"
    )
    notificationData: PersonalSection = None  # noqa: N815 - ours, in Limio's way


class ActivationAccepted(AboutSubscription):
    """The pending subscription is to begin."""

    requested_date: str | None = Field(description="`effectiveDate` of the document")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPayload:
    """How the own payload of an order type is made: `more` adds to what all have.

    `personal` are the sections that those get who may have them.
    """

    model: type[Accepted]
    more: Callable[[Document, list[Any]], dict[str, Any]]
    personal: tuple[str, ...] = ()


def accepted_data(order: Mapping[str, Any], personal: Mapping[str, Any] | None) -> dict[str, Any]:
    """The full data of `accepted.<order type>` without what all payloads have."""
    document, order_type = order["document"], order["order_type"]
    own = OWN_PAYLOADS[order_type]
    data = {
        "owner": order["owner"],
        "effective_date": order["effective_date"],
        "source": text(document, "source"),
        "initiated_source": text(document, "initiated_source"),
        **own.more(document, order["items"]),
    }
    if personal is not None:
        data.update((name, personal[name]) for name in own.personal if name in personal)
    return data


def _new(document: Document, items: list[Any]) -> dict[str, Any]:
    return {
        "checkout_id": text(document, "checkoutId"),
        "country": text(document, "country"),
        "items": items,
        **_there(document, "total", "tracking"),
        **_there(document, order_discount="orderDiscount"),
        "is_gift": flag(document.get("isGift")),
        "is_redeem": flag(document.get("isRedeem")),
    }


def _cancelled(document: Document, _: list[Any]) -> dict[str, Any]:
    return {"reason": _reason(document), "requested_date": text(document, "effectiveDate")}


def _switched(document: Document, items: list[Any]) -> dict[str, Any]:
    more = _there(document, original_offer="originalOffer")
    return {**_added(document, items), **more}


def _added(document: Document, items: list[Any]) -> dict[str, Any]:
    return {**_cancelled(document, items), "items": items, **_there(document, "total")}


def _changed(document: Document, _: list[Any]) -> dict[str, Any]:
    return {"reason": _reason(document)}


def _moved(document: Document, items: list[Any]) -> dict[str, Any]:
    told = text(document, "addressType") or text(part(document, "data"), "addressType")
    return {**_changed(document, items), "address_type": told}


def _updated(document: Document, items: list[Any]) -> dict[str, Any]:
    updates = [
        {"action": text(item, "orderItemActionType") or "update", "item": item} for item in items
    ]
    return {**_changed(document, items), "updates": updates, **_there(document, "total")}


def _renewed(document: Document, items: list[Any]) -> dict[str, Any]:
    renews = part(document, "data").get("autoRenew")
    return {
        **_changed(document, items),
        "auto_renew": None if renews is None else flag(renews),
        "items": items,
        **_there(document, "total"),
        **_there(document, original_offer="originalOffer"),
    }


def _refunded(document: Document, items: list[Any]) -> dict[str, Any]:
    return {**_credited(document, items), **_there(document, "refund")}


def _credited(document: Document, items: list[Any]) -> dict[str, Any]:
    """The amount may be the refund's, the total's or that of the items."""
    prices = [part(item, "price") for item in items]
    places = [part(document, "refund"), part(document, "total"), *prices]
    return {
        **_changed(document, items),
        "amount": next((p["amount"] for p in places if p.get("amount") is not None), None),
        "currency": _first(text(place, "currency") for place in places),
        "items": items,
    }


def _told(document: Document, items: list[Any]) -> dict[str, Any]:
    return {**_changed(document, items), **_there(document, "notification")}


_ADDRESSES = ("billingDetails", "deliveryDetails")

OWN_PAYLOADS: Mapping[str, OwnPayload] = {
    "new": OwnPayload(
        model=NewAccepted,
        more=_new,
        personal=("customerDetails", *_ADDRESSES, "recipientDetails", "payment"),
    ),
    "cancel_subscription": OwnPayload(model=CancelSubscriptionAccepted, more=_cancelled),
    "change_offer": OwnPayload(model=ChangeOfferAccepted, more=_switched),
    "add_offer": OwnPayload(model=AddOfferAccepted, more=_added),
    "change_payment": OwnPayload(
        model=ChangePaymentAccepted, more=_changed, personal=("payment", "billingDetails")
    ),
    "change_address": OwnPayload(model=ChangeAddressAccepted, more=_moved, personal=_ADDRESSES),
    "update_customer_details": OwnPayload(
        model=UpdateCustomerDetailsAccepted, more=_changed, personal=("customerDetails",)
    ),
    "update_subscription": OwnPayload(model=UpdateSubscriptionAccepted, more=_updated),
    "renew": OwnPayload(model=RenewAccepted, more=_renewed),
    "refund": OwnPayload(model=RefundAccepted, more=_refunded),
    "credit": OwnPayload(model=CreditAccepted, more=_credited),
    "external": OwnPayload(model=ExternalAccepted, more=_told, personal=("notificationData",)),
    "activation": OwnPayload(model=ActivationAccepted, more=_cancelled),
}
"""By order type."""


def _first(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one), None)


def _there(document: Document, *names: str, **renamed: str) -> dict[str, Any]:
    """The sections that are there, as they are."""
    wanted = {**{name: name for name in names}, **renamed}
    return {new: document[name] for new, name in wanted.items() if document.get(name) is not None}


def _reason(document: Document) -> dict[str, str | None] | None:
    given = part(document, "data", "reason")
    found = {"id": text(given, "id"), "text": text(given, "text")}
    return found if any(found.values()) else None
