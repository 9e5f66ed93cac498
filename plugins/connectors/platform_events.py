"""Platform Events: tells Salesforce's flows what became of an order, with an id to dedupe on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from plugins.api import (
    Conversation,
    Done,
    Example,
    Failed,
    Idempotency,
    Manifest,
    Options,
    Reply,
    Request,
    Step,
    Unknown,
    connector,
    json_of,
)
from plugins.limio import (
    day,
    first_text,
    handed_on,
    items,
    offer_attributes,
    offer_type,
    part,
    products,
    text,
)
from plugins.salesforce import (
    CONNECTION,
    CUSTOM_FIELD_PATTERN,
    OAUTH,
    VERSION_PATTERN,
    errors,
    refusal,
)
from schemas.steps import ErrorKind

EVENT_TYPES = {
    "new": "NEW_ORDER",
    "cancel_subscription": "CANCEL_REQUEST",
    "change_offer": "CHANGE_OFFER",
    "add_offer": "ADD_OFFER",
    "change_payment": "CHANGE_PAYMENT_REQUEST",
    "change_address": "CHANGED_DELIVERY_ADDRESS",
    "update_customer_details": "UPDATE_CUSTOMER",
    "update_subscription": "UPDATE_SUBSCRIPTION",
    "renew": "REQUEST_RENEWAL",
    "refund": "REFUND",
}
"""Limio's types; an order type without one is published under its own name."""

_KEPT = (
    *("tracking", "billingDetails", "customerDetails", "deliveryDetails", "orderDate"),
    *("orderItems", "payment", "payment_reference", "payment_status", "source", "total"),
    *("variant", "forSubscription", "originalOffer", "customFields"),
)
_ITEM_FIELDS = ("name", "type", "quantity", "id")
_PRICE_FIELDS = ("summary", "currency", "amount")
_OFFER_FIELDS = ("name", "path", "id", "version", "type")
_PRODUCT_FIELDS = ("path", "attributes", "record_type")
_LONG_TEXT_AREA = 131_072
# Longest texts of Limio's event; a label that is too long is cut, or Salesforce refuses the event.
_LENGTHS = {
    "SubscriptionId": 100,
    "ContactId": 18,
    "AccountId": 18,
    "CaseId": 18,
    "InitiatedByLimioId": 70,
    "InitiatedByExternalId": 150,
    "OfferDisplayName": 100,
    "DisplayPrice": 150,
    "Description": 100,
    "StudentCourse": 100,
    "StudentUniversity": 100,
    "StudentGraduationYear": 4,
    "PurchaseDate": 40,
}
_TEXT_LENGTH = 40


class OrderDataOptions(Options):
    """What `LimioOrder` holds: `fieldsToKeep` replaces the top-level list, the others add."""

    fields_to_keep: tuple[str, ...] | None = Field(default=None, alias="fieldsToKeep")
    """Members of the order, instead of those that Limio sends."""
    item_fields: tuple[str, ...] = Field(default=(), alias="itemFields")
    """Further members of each item."""
    product_data_fields: tuple[str, ...] = Field(default=(), alias="productDataFields")
    """Further members of each product."""
    offer_data_fields: tuple[str, ...] = Field(default=(), alias="offerDataFields")
    """Further members of each offer's `data`."""


class PlatformEventsOptions(Options):
    """Limio's options, and the names that the event has in the org."""

    send_whole_order: bool = Field(default=False, alias="sendWholeOrder")
    """Fill `LimioOrder` with the order."""
    order_data: OrderDataOptions = Field(default=OrderDataOptions(), alias="orderDataOptions")
    """What of the order `LimioOrder` holds."""
    event_object: str = Field(
        default="i42as__OrderEvent__e", alias="eventObject", pattern=r"^[A-Za-z][A-Za-z0-9_]*__e$"
    )
    """Name of the platform event in the org."""
    prefix: str = Field(default="i42as__", pattern=r"^([A-Za-z][A-Za-z0-9]*__)?$")
    """What the names of the event's fields begin with."""
    event_id_field: str | None = Field(
        default="i42as__EventId__c", alias="eventIdField", pattern=CUSTOM_FIELD_PATTERN
    )
    """Field with an id by which subscribers know a repeat; null: the org has none."""
    api_version: str = Field(default="v62.0", alias="apiVersion", pattern=VERSION_PATTERN)
    """Version of Salesforce's API."""


MANIFEST = Manifest(
    name="platformEvents",
    service="salesforce",
    summary="Publishes the order as a Salesforce platform event with the CRM ids.",
    # Salesforce dedupes nothing here: a repeat carries the same event id, which subscribers know.
    idempotency=Idempotency.NATIVE,
    options=PlatformEventsOptions,
    connection=CONNECTION,
    key_header=None,
    errors=errors,
    oauth=OAUTH,
    docs=(
        "Published at least once; `eventIdField` (null where the org has none) carries an id by "
        "which subscribers recognise a repeat. `sendWholeOrder` fills `LimioOrder`, "
        "`orderDataOptions` says with what. The entry's `map` fills further fields of the event, "
        "by their names in the org (`Reason__c: data.reason.id`). Output: `eventId`, `type`."
    ),
)


@connector(MANIFEST)
def platform_events(step: Step[PlatformEventsOptions]) -> Conversation:
    """One event. Salesforce only queues it, so `errors` is not empty when it succeeded."""
    options = step.options
    unknown = sorted(name for name in step.mapped if not re.fullmatch(CUSTOM_FIELD_PATTERN, name))
    if unknown:
        message = f"map names {', '.join(unknown)}: fields of an event end in __c"
        return Failed(ErrorKind.MISCONFIGURED, "map_unknown", message)
    record = event_of(step)
    largest = record.get(f"{options.prefix}LimioOrder__c", "")
    if len(largest) > _LONG_TEXT_AREA:
        message = f"LimioOrder has {len(largest)} characters; name fewer fields in orderDataOptions"
        return Failed(ErrorKind.MISCONFIGURED, "order_too_large", message)
    path = f"/services/data/{options.api_version}/sobjects/{options.event_object}"
    reply = yield Request.post(path, record, call="publish-event")
    problem = refusal(reply)
    if problem is not None:
        return problem
    if reply["success"] is not True:
        return Unknown("unexpected_reply", "Salesforce did not say whether it took the event")
    return Done(eventId=event_id(step), type=_type(step.order))


def event_id(step: Step[PlatformEventsOptions]) -> str:
    """The same for every repetition of this step."""
    return f"{step.order['id']}:{step.id}"


def event_of(step: Step[PlatformEventsOptions]) -> dict[str, Any]:
    """The event's fields, under the org's names; what the order leaves open is left out."""
    prefix = step.options.prefix
    fields = {**_leading(step), **_people(step), **_bought(step.order)}
    record: dict[str, Any] = {
        f"{prefix}{name}__c": value[: _LENGTHS.get(name, _TEXT_LENGTH)]
        for name, value in fields.items()
        if value
    }
    if step.options.send_whole_order:
        whole = trimmed(step.order, step.options.order_data)
        record[f"{prefix}LimioOrder__c"] = json_of(whole).decode()
    if step.options.event_id_field:
        record[step.options.event_id_field] = event_id(step)
    return record | {
        name: _plain(value) for name, value in step.mapped.items() if value is not None
    }


def _plain(value: Any) -> Any:
    """A field holds a text, a number or a flag; anything else goes in as JSON."""
    return value if isinstance(value, str | int | float) else json_of(value).decode()


def trimmed(order: Mapping[str, Any], options: OrderDataOptions) -> dict[str, Any]:
    """The order with the members that Limio sends, plus those that the options name."""
    keep = _KEPT if options.fields_to_keep is None else options.fields_to_keep
    kept = _picked(order, keep)
    if "orderItems" in kept:
        kept["orderItems"] = [_trimmed_item(item, options) for item in items(order)]
    return kept


def _trimmed_item(item: Mapping[str, Any], options: OrderDataOptions) -> dict[str, Any]:
    offer, data = part(item, "offer"), part(item, "offer", "data")
    charges = offer_attributes(item).get("price__limio", [])
    details = {**_picked(data, options.offer_data_fields), "attributes": {"price__limio": charges}}
    wanted = _PRODUCT_FIELDS + options.product_data_fields
    return {
        **_picked(item, _ITEM_FIELDS + options.item_fields),
        "price": _picked(part(item, "price"), _PRICE_FIELDS),
        "offer": {**_picked(offer, _OFFER_FIELDS), "data": details},
        "products": [_picked(product, wanted) for product in products(item)],
    }


def _picked(document: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _type(order: Mapping[str, Any]) -> str:
    order_type = text(order, "order_type") or "new"
    if order_type == "new" and order.get("isGift") is True and order.get("isRedeem") is not True:
        return "NEW_GIFT_ORDER"
    return EVENT_TYPES.get(order_type, order_type.upper())


def _leading(step: Step[PlatformEventsOptions]) -> dict[str, str | None]:
    order = step.order
    # A change counts from the day that the billing system settled on.
    settled = handed_on(step.context, "effectiveDate")
    effective = _moment(settled) or _moment(text(order, "effective_date"))
    return {
        "OrderType": _type(order),
        "ChangeType": text(order, "order_type") or "new",
        "OrderNumber": first_text(text(order, "order_reference"), text(order, "id")),
        "PurchaseDate": _moment(text(order, "orderDate")) or _moment(text(order, "effective_date")),
        "EffectiveDate": effective,
        "SubscriptionId": first_text(
            handed_on(step.context, "subscriptionNumber"), text(order, "subscriptionReference")
        ),
        "Source": "Limio",
        "OrderSource": text(order, "source"),
        "InitiatedSource": first_text(text(order, "initiated_source"), text(order, "source")),
        "GiftCode": first_text(text(order, "giftCode"), text(order, "gift_code")),
    }


def _people(step: Step[PlatformEventsOptions]) -> dict[str, str | None]:
    """CRM ids of earlier steps come before those that the order brought along."""
    order, context = step.order, step.context
    owner = text(order, "owner")
    return {
        "ContactId": first_text(
            handed_on(context, "contactId"), text(order, "tracking", "contactId")
        ),
        "AccountId": first_text(handed_on(context, "crmId"), text(order, "tracking", "accountId")),
        "CaseId": text(order, "tracking", "caseId"),
        "InitiatedByLimioId": owner,
        "InitiatedByExternalId": first_text(text(order, "tracking", "userId"), owner),
    }


def _bought(order: Mapping[str, Any]) -> dict[str, str | None]:
    """The first item's offer and product: the event has one place for each.

    An order without items is about the offer that the subscription has.
    """
    held = part(order, "originalOffer")
    item = next(iter(items(order)), {"offer": held} if held else None)
    if item is None:
        return {}
    attributes, student = offer_attributes(item), part(order, "studentDetails")
    product = next(iter(products(item)), {})
    # An offer id ends in the hash of its version, which the field has no room for.
    offer_id = (text(item, "offer", "id") or "").split(".")[0]
    return {
        "OfferId": offer_id,
        "OfferType": offer_type(item),
        "TermLengthUnits": text(attributes, "term__limio", "type"),
        "TermLengthValue": text(attributes, "term__limio", "length"),
        "OfferDisplayName": text(attributes, "display_name__limio"),
        "DisplayPrice": text(attributes, "display_price__limio"),
        "Description": text(attributes, "description__limio"),
        "ProductCode": text(product, "attributes", "product_code__limio"),
        "ProductName": text(product, "name"),
        "StudentCourse": text(student, "course"),
        "StudentUniversity": text(student, "university"),
        "StudentGraduationYear": text(student, "graduationYear"),
    }


def _moment(value: str | None) -> str | None:
    """Salesforce's DateTime; an order says a day, which begins in UTC."""
    found = day(value)
    return f"{found.isoformat()}T00:00:00.000Z" if found else None


_ORDER = {
    "id": "order-1",
    "order_reference": "7Q2KX5M9ADLP",
    "order_type": "new",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "owner": "id-41",
    "effective_date": "2026-03-01",
    "customerDetails": {"lastName": "Brandvold", "email": "ottilie.brandvold@example.org"},
}
_QUEUED = [{"statusCode": "OPERATION_ENQUEUED", "message": "3a9f1c2e", "fields": []}]

EXAMPLES: Sequence[Example] = (
    Example(
        name="an event that was queued counts as published",
        step=Step(
            id="platformEvents",
            order=_ORDER,
            options=PlatformEventsOptions.model_validate({"sendWholeOrder": True}),
            context={"salesforceV3": {"crmId": "001xx000003DGb2AAG"}},
        ),
        replies={
            "publish-event": Reply(201, {"id": "e01xx", "success": True, "errors": _QUEUED}),
        },
        expected=Done(eventId="order-1:platformEvents", type="NEW_ORDER"),
    ),
)
