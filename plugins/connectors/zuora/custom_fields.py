"""Custom fields: Limio's built-in ones, and those that the entry's `map` picks."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from plugins.api import Step
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import part, text

Holder: TypeAlias = Literal["account", "order", "subscription"]

_MAPPED = frozenset({"accountNumber", "crmId", "customFields"})
_HOLDERS = frozenset({"account", "order", "subscription"})
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
    wanted = {name: v for name, v in built_in.items() if name in step.options.custom_fields}
    return {**given(**wanted), **custom_fields(step, "order")}


def rate_plan_fields(step: Step[ZuoraOptions], item: Mapping[str, Any]) -> dict[str, Any]:
    """Which offer a rate plan was bought by."""
    if "lmo_offer__c" not in step.options.custom_fields:
        return {}
    return given(lmo_offer__c=text(item, "offer", "path"))


def _check(mapped: Mapping[str, Any]) -> None:
    unknown = [n for n in mapped if n not in _MAPPED and not n.endswith(_SUFFIX)]
    unknown += [f"customFields.{n}" for n in part(mapped, "customFields") if n not in _HOLDERS]
    if unknown:
        known = "accountNumber, crmId, customFields.account|order|subscription and names in __c"
        raise unfit("map_unknown", f"`map` has {', '.join(unknown)}; zuora knows {known}")
