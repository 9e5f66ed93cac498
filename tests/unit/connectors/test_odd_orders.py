"""Whatever stands where in an order, a connector answers with a request or with words."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from plugins.api import Connector, NoOptions, Options, Outcome, Request, Step, json_of
from plugins.connectors.callout_plugin import CalloutOptions, callout_plugin
from plugins.connectors.duplicate_subscription_check import (
    CheckOptions,
    duplicate_subscription_check,
)
from plugins.connectors.entitlements import entitlements
from plugins.connectors.platform_events import PlatformEventsOptions, platform_events
from plugins.connectors.salesforce_v3 import SalesforceOptions, salesforce_v3
from plugins.connectors.stripe import StripeOptions, stripe
from plugins.connectors.transfer_contact import TransferOptions, transfer_contact
from plugins.connectors.transfer_ownership import transfer_ownership
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.options import ZuoraOptions

ODD = (None, True, 7, -1.5, "", "odd", "NaN", [], [None], ["odd"], {}, {"odd": {"odd": 1}})
PLANS = {
    "UK-UK Bundle Quarterly": {"id": "1" * 32, "charges": {"Charge 1": "2" * 32}},
    "odd": "3" * 32,
}
CASES = [
    (callout_plugin, CalloutOptions(endpoint="https://example.org/users")),
    (salesforce_v3, SalesforceOptions.model_validate({"includeBillingDetails": True})),
    (zuora, ZuoraOptions.model_validate({"ratePlans": PLANS, "collectPayment": True})),
    (platform_events, PlatformEventsOptions.model_validate({"sendWholeOrder": True})),
    (entitlements, NoOptions()),
    (duplicate_subscription_check, CheckOptions.model_validate({"allProducts": True})),
    (transfer_ownership, NoOptions()),
    (transfer_contact, TransferOptions()),
    (stripe, StripeOptions()),
]


def _places(document: Any, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in inner:
        yield (*above, name)
        if isinstance(value, dict | list):
            yield from _places(value, *above, name)


def _changed(document: dict[str, Any], place: tuple[str | int, ...], odd: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(document)
    holder = changed
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = odd
    return dict(changed)


def _first(connector: Connector, step: Step[Any]) -> Request | Outcome:
    try:
        return next(connector.perform(step))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


@pytest.mark.parametrize(
    ("connector", "options"), CASES, ids=lambda case: getattr(case, "name", "")
)
def test_an_odd_order_never_breaks_a_conversation(order, connector: Connector, options: Options):
    document = order()
    fixed = {"id", "order_reference", "subscriptionReference", "owner", "effective_date"}
    for place in _places({k: v for k, v in document.items() if k not in fixed}):
        for odd in ODD:
            changed = _changed(document, place, odd)
            try:
                answer = _first(connector, Step(id="step", order=changed, options=options))
                if isinstance(answer, Request):
                    json_of(answer.body)
            except Exception as problem:  # noqa: BLE001 (the test says where)
                pytest.fail(f"{place} = {odd!r}: {problem!r}")
