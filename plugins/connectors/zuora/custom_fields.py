"""Custom fields: Limio's built-in ones, and those that the entry's `map` picks."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from plugins.api import Step
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import first_text, part, text

Holder: TypeAlias = Literal["account", "contact", "order", "subscription", "ratePlan", "memo"]

HOLDERS: Final = ("account", "contact", "order", "subscription", "ratePlan", "memo")
_MAPPED = frozenset({"accountNumber", "crmId", "customFields"})
_SUFFIX = "__c"


def given(**members: Any) -> dict[str, Any]:
    """Without what is not there: Zuora takes null for an instruction."""
    return {name: value for name, value in members.items() if value not in (None, {})}


def custom_fields(step: Step[ZuoraOptions], holder: Holder) -> dict[str, Any]:
    """What the entry's `map` picks for the holder; a name ending in `__c` is the subscription's."""
    _check(step.mapped)
    fields = dict(part(step.mapped, "customFields", holder))
    if holder == "subscription":
        fields |= {name: v for name, v in step.mapped.items() if name.endswith(_SUFFIX)}
    return given(**fields)


def order_fields(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """The two sources look crossed, but that is how Limio fills them."""
    built_in = {
        "Source__c": text(step.order, "initiated_source"),
        "InitiatedSource__c": text(step.order, "source"),
    }
    return {**_wanted(step, built_in), **custom_fields(step, "order")}


def rate_plan_fields(step: Step[ZuoraOptions], item: Mapping[str, Any]) -> dict[str, Any]:
    """Which offer a rate plan was bought by."""
    offer = first_text(text(item, "offer", "path"), text(item, "offer", "data", "path"))
    return {**_wanted(step, {"lmo_offer__c": offer}), **custom_fields(step, "ratePlan")}


def memo_fields(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """Memos and refunds have their custom fields beside the others, not in an object."""
    code = first_text(text(step.order, "giftCode"), text(step.order, "gift_code"))
    return {**_wanted(step, {"GiftCode__c": code}), **_beside(step, "memo")}


def contact_fields(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """Contacts, too, have them beside the others."""
    return _beside(step, "contact")


def account_fields(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """An account that is opened without an order has them beside the others as well."""
    return _beside(step, "account")


def _beside(step: Step[ZuoraOptions], holder: Holder) -> dict[str, Any]:
    """Only names that no member of Zuora's own can have."""
    fields = custom_fields(step, holder)
    wrong = [name for name in fields if not name.endswith(_SUFFIX)]
    if wrong:
        message = f"customFields.{holder} has {', '.join(wrong)}; custom fields end in {_SUFFIX}"
        raise unfit("map_unknown", message)
    return fields


def _wanted(step: Step[ZuoraOptions], fields: Mapping[str, str | None]) -> dict[str, Any]:
    """Those of Limio's own fields that the tenant has defined in Zuora."""
    return given(**{name: v for name, v in fields.items() if name in step.options.custom_fields})


def _check(mapped: Mapping[str, Any]) -> None:
    unknown = [n for n in mapped if n not in _MAPPED and not n.endswith(_SUFFIX)]
    unknown += [f"customFields.{n}" for n in part(mapped, "customFields") if n not in HOLDERS]
    if unknown:
        known = f"accountNumber, crmId, customFields.{'|'.join(HOLDERS)} and names in __c"
        raise unfit("map_unknown", f"`map` has {', '.join(unknown)}; zuora knows {known}")
