"""Whatever stands where in an order, a connector answers with a request or with words."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from plugins.api import (
    Connector,
    Example,
    NoOptions,
    Options,
    Outcome,
    PartnerSurpriseError,
    Reply,
    Request,
    Script,
    Step,
    json_of,
)
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
from plugins.connectors.zuora import EXAMPLES, zuora
from plugins.connectors.zuora.options import ZuoraOptions

FIXED = {"id", "order_reference", "subscriptionReference", "owner", "effective_date"}
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
    for place in _places({k: v for k, v in document.items() if k not in FIXED}):
        for odd in ODD:
            changed = _changed(document, place, odd)
            try:
                answer = _first(connector, Step(id="step", order=changed, options=options))
                if isinstance(answer, Request):
                    json_of(answer.body)
            except Exception as problem:  # noqa: BLE001 (the test says where)
                pytest.fail(f"{place} = {odd!r}: {problem!r}")


def _talked(talk, step: Step[Any], script: Script) -> None:
    """As far as the script goes."""
    given: dict[str, int] = {}
    with suppress(StopIteration, PartnerSurpriseError):
        conversation = talk(step)
        request = next(conversation)
        while True:
            name = f"{request.method} {request.path}"
            answer = script.get(request.call or name) or script.get(name)
            if answer is None:
                return
            if not isinstance(answer, Reply):
                turn = given.get(name, 0)
                given[name] = turn + 1
                answer = answer[min(turn, len(answer) - 1)]
            request = conversation.send(answer)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_odd_order_of_any_type_never_breaks_zuora(example: Example) -> None:
    order = {"refund": {"amount": 1}, "orderDiscount": {}, "tracking": {}, **example.step.order}
    scripts = [(zuora.perform, example.replies), (zuora.look_up, example.found or {})]
    for place in _places({k: v for k, v in order.items() if k not in {*FIXED, "order_type"}}):
        for odd in (None, 7, "odd", [None], {}):
            step = replace(example.step, order=_changed(order, place, odd))
            for talk, script in scripts:
                try:
                    _talked(talk, step, script)
                except Exception as problem:  # noqa: BLE001 (the test says where)
                    pytest.fail(f"{place} = {odd!r}: {problem!r}")
