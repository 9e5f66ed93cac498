"""The shipped examples resolve to the waybills that they promise."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plugins.registry import Registry
from schemas.steps import Phase, WaybillStep
from streams.core.sequence import Sequencer
from waybill.configuration import check, load_configurations, plugin_facts
from waybill.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "configurations"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.json"))
REGISTRY = Registry.found()
SEED = ROOT.parent / "shared" / "data" / "order-new.json"

LIMIO_ENTRY = {
    "name": "calloutPlugin",
    "service": "limio",
    "critical": True,
    "options": {
        "endpoint": "https://example.com/provision",
        "timeoutValue": 5000,
        "shouldRejectOn": {"status": [400, 404, 500]},
    },
}


def settings(name: str) -> Settings:
    return Settings.from_environment({"WAYBILL_CONFIG": str(EXAMPLES / name)})


def sequencer(name: str) -> Sequencer:
    configuration = load_configurations(settings(name), REGISTRY)["default"]
    return Sequencer(configuration, plugin_facts(REGISTRY))


def item(offer_type: str | None = None, **attributes: Any) -> dict[str, Any]:
    named = {} if offer_type is None else {"offer_type__limio": offer_type}
    return {"quantity": 1, "offer": {"data": {"attributes": {**attributes, **named}}}}


def order(*items: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """As the seed's order is built: no order type, an empty `sourceDetails`."""
    given = {"__spec_version": "2", "source": "salesforce", "mode": "production"}
    return {**given, "orderItems": list(items), "sourceDetails": {}, **members}


def waybill(
    name: str, document: Mapping[str, Any], order_type: str = "new"
) -> dict[str, WaybillStep]:
    return {step.id: step for step in sequencer(name).resolve(document, order_type).waybill}


def phases(steps: Mapping[str, WaybillStep]) -> tuple[list[str], list[str]]:
    main, post = (
        [step.id for step in steps.values() if step.phase is phase]
        for phase in (Phase.MAIN, Phase.POST)
    )
    return main, post


@pytest.mark.parametrize("name", NAMES)
def test_no_example_has_an_error_and_only_limios_own_entry_has_warnings(name: str) -> None:
    codes = {finding.code for finding in check(settings(name), REGISTRY)}
    warned = {"server_errors_pass", "connection_missing"}
    assert codes == (warned if name == "callout-plugin-entry.json" else set())


def test_every_example_is_in_the_readme() -> None:
    text = (EXAMPLES / "README.md").read_text()
    assert [name for name in NAMES if f"| `{name}` |" not in text] == []


def test_limios_documented_entry_works_as_written() -> None:
    written = json.loads((EXAMPLES / "callout-plugin-entry.json").read_text())
    assert written["sequence"][0] == LIMIO_ENTRY
    steps = waybill("callout-plugin-entry.json", order(item()))
    assert phases(steps) == (["calloutPlugin", "salesforceV3", "zuora", "platformEvents"], [])
    callout = steps["calloutPlugin"]
    assert (callout.service, callout.critical) == ("limio", True)
    assert json.loads(callout.options) == LIMIO_ENTRY["options"]


def test_an_external_provisioning_runs_before_billing_and_hands_its_id_to_zuora() -> None:
    steps = waybill("external-provisioning.json", order(item()))
    assert phases(steps) == (["provisioning", "salesforceV3", "zuora"], ["entitlements"])
    assert json.loads(steps["provisioning"].options)["response"] == {"userId": "userId"}
    assert json.loads(steps["zuora"].map or "") == {
        "ProvisionedUser__c": "context.provisioning.userId"
    }
    assert (steps["provisioning"].critical, steps["entitlements"].critical) == (True, False)


def test_a_callout_in_the_post_phase_sees_the_crm_ids() -> None:
    steps = waybill("post-callout-with-crm-ids.json", order(item()))
    assert phases(steps) == (["salesforceV3", "zuora", "platformEvents"], ["loyalty"])
    assert json.loads(steps["loyalty"].map or "") == {
        "crmAccountId": "context.salesforceV3.accountId",
        "crmContactId": "context.salesforceV3.contactId",
    }


def test_the_same_plugin_twice_is_critical_once() -> None:
    steps = waybill("same-plugin-twice.json", order(item()))
    assert phases(steps) == (["provisioning", "salesforceV3", "zuora", "warehouse"], [])
    assert {step.plugin for step in (steps["provisioning"], steps["warehouse"])} == {
        "calloutPlugin"
    }
    assert (steps["provisioning"].critical, steps["warehouse"].critical) == (True, False)


def test_cancellations_pass_a_shorter_sequence() -> None:
    name = "shorter-cancellations.json"
    cancelled = waybill(name, {"forSubscription": "SUB-1"}, "cancel_subscription")
    assert phases(cancelled) == (["zuora", "platformEvents"], [])
    assert phases(waybill(name, order(item())))[0] == ["salesforceV3", "zuora", "platformEvents"]


@pytest.mark.parametrize(
    "members",
    [
        {"processing_type": "express_apple_pay"},
        {"sourceDetails": {"processing_type": "express_apple_pay"}},
    ],
)
def test_express_apple_pay_passes_a_sequence_for_buyers_who_do_not_sign_in(
    members: dict[str, Any],
) -> None:
    name = "express-apple-pay.json"
    express = waybill(name, order(item(), **members))
    checked = ["salesforceV3", "duplicateSubscriptionCheck", "transferContact"]
    assert phases(express) == ([*checked, "zuora", "transferOwnership"], ["entitlements"])
    assert "platformEvents" in waybill(name, order(item()))


@pytest.mark.parametrize("trial", [item("trial"), item(trial__limio=True)])
def test_a_trial_reaches_salesforce_but_not_zuora(trial: dict[str, Any]) -> None:
    steps = waybill("trial-skips-zuora.json", order(trial))
    assert phases(steps) == (["salesforceV3", "platformEvents"], ["entitlements"])


def test_of_a_mixed_order_zuora_gets_what_is_no_trial() -> None:
    steps = waybill("trial-skips-zuora.json", order(item("trial"), item("standard"), item()))
    assert steps["zuora"].items == (1, 2)
    assert steps["salesforceV3"].items is None


def test_decomposition_sends_each_system_its_part() -> None:
    parts = item(group__limio="print"), item(group__limio="digital"), item(group__limio="print")
    steps = waybill("decomposition.json", order(*parts))
    assert {step.id: step.items for step in steps.values()} == {
        "salesforceV3": None,
        "zuora": None,
        "print-fulfilment": (0, 2),
        "platformEvents": None,
        "entitlements": (1,),
    }
    digital = waybill("decomposition.json", order(item(group__limio="digital")))
    assert digital["print-fulfilment"].items == ()


def seed() -> dict[str, Any]:
    if not SEED.exists():
        pytest.skip(f"Limio's own order is not here: {SEED} is missing")
    document: dict[str, Any] = json.loads(SEED.read_text())
    return document


def test_limios_own_order_is_a_trial_and_passes_zuora_without_the_override() -> None:
    document = seed()
    plain = sequencer("same-plugin-twice.json").resolve(document, "new")
    assert plain.axes == {
        "order_type": "new",
        "processing_type": "standard",
        "offer_type": "trial",
    }
    assert "zuora" in [step.id for step in plain.waybill]
    assert "zuora" not in waybill("trial-skips-zuora.json", document)


def test_limios_own_order_is_digital_and_leaves_nothing_to_print() -> None:
    steps = waybill("decomposition.json", seed())
    assert steps["print-fulfilment"].items == ()
    assert steps["entitlements"].items is None


def test_limios_own_order_passes_the_default_sequence() -> None:
    found = load_configurations(Settings.from_environment({}), REGISTRY)["default"]
    steps = Sequencer(found, plugin_facts(REGISTRY)).resolve(seed(), "new").waybill
    assert [step.id for step in steps] == [
        "salesforceV3",
        "zuora",
        "platformEvents",
        "entitlements",
    ]
