"""Which plugins an order passes: overrides, exclusions, offer types, items and step ids."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from schemas.configuration import Configuration, PluginEntry
from schemas.steps import OnUnknown, Phase, Retry, WaybillStep
from streams.core.retry import CRITICAL, NON_CRITICAL
from streams.core.sequence import PluginFacts, Sequencer, step_ids

NAMES = ("salesforceV3", "zuora", "platformEvents", "entitlements", "calloutPlugin")
PLUGINS = {
    name: PluginFacts(name=name, service="own", on_unknown=OnUnknown.REPEAT, connection=name)
    for name in NAMES
}
DEFAULT = [{"name": "salesforceV3"}, {"name": "zuora"}, {"name": "platformEvents"}]


def sequencer(*overrides: Mapping[str, Any], **more: Any) -> Sequencer:
    given = {"version": 1, "sequence": DEFAULT, "post": [{"name": "entitlements"}], **more}
    return Sequencer(Configuration.model_validate({**given, "overrides": overrides}), PLUGINS)


def item(**attributes: Any) -> dict[str, Any]:
    return {"offer": {"data": {"attributes": attributes}}}


def express_gift() -> dict[str, Any]:
    return {"processing_type": "express", "orderItems": [item(offer_type__limio="gift")]}


def waybill(under: Sequencer, order_type: str = "new", **order: Any) -> tuple[WaybillStep, ...]:
    return under.resolve(order, order_type).waybill


def ids(under: Sequencer, order_type: str = "new", **order: Any) -> list[str]:
    return [step.id for step in waybill(under, order_type, **order)]


def only(name: str, **axes: Any) -> dict[str, Any]:
    return {**axes, "sequence": [{"name": name}], "post": []}


def test_without_overrides_an_order_passes_the_default_and_then_the_post_phase() -> None:
    steps = waybill(sequencer())
    assert [step.id for step in steps] == [*NAMES[:3], "entitlements"]
    assert [step.phase for step in steps] == [Phase.MAIN] * 3 + [Phase.POST]


def test_what_an_entry_leaves_out_is_the_plugins_own() -> None:
    [step, *_] = waybill(sequencer())
    assert (step.critical, step.service, step.on_unknown) == (True, "own", OnUnknown.REPEAT)
    assert (step.items, step.when, step.map, step.timeout_s) == (None, None, None, None)


def test_what_an_entry_says_is_pinned_in_its_step() -> None:
    entry = {
        "name": "zuora",
        "service": "billing",
        "critical": False,
        "options": {"a": 1},
        "when": "order.total",
        "map": {"user": "context.calloutPlugin.id"},
        "timeout": 5,
        "on_unknown": "fail",
        "retry": {"attempts": 3, "first_s": 90},
        "compensate": True,
    }
    [step] = waybill(sequencer(sequence=[entry], post=[]))
    assert step == WaybillStep(
        id="zuora",
        plugin="zuora",
        service="billing",
        critical=False,
        on_unknown=OnUnknown.FAIL,
        options='{"a":1}',
        when="order.total",
        map='{"user":"context.calloutPlugin.id"}',
        timeout_s=5,
        retry=Retry(attempts=3, first_s=90, longest_s=90, age_s=3600),
        compensate=True,
    )


def test_an_override_replaces_the_sequence_of_the_orders_that_it_names() -> None:
    under = sequencer({"order_type": "cancel_subscription", "sequence": [{"name": "zuora"}]})
    assert ids(under, "cancel_subscription") == ["zuora", "entitlements"]
    assert ids(under, "new") == [*NAMES[:3], "entitlements"]


def test_an_axis_takes_a_value_or_a_list() -> None:
    under = sequencer(only("zuora", order_type=["renew", "credit"]))
    assert ids(under, "renew") == ids(under, "credit") == ["zuora"]
    assert len(ids(under, "refund")) == 4


def test_an_override_for_submitted_orders_holds_for_new_ones() -> None:
    assert ids(sequencer(only("zuora", order_type="submitted")), "new") == ["zuora"]


def test_the_override_that_names_most_axes_wins() -> None:
    under = sequencer(
        only("salesforceV3", order_type="new"),
        only("zuora", processing_type="express", offer_type="gift"),
    )
    order = express_gift()
    assert ids(under, **order) == ["zuora"]


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ({"order_type": "new"}, {"processing_type": "express"}),
        ({"order_type": "new"}, {"offer_type": "gift"}),
        ({"processing_type": "express"}, {"offer_type": "gift"}),
        (
            {"order_type": "new", "processing_type": "express"},
            {"order_type": "new", "offer_type": "gift"},
        ),
        (
            {"order_type": "new", "offer_type": "gift"},
            {"processing_type": "express", "offer_type": "gift"},
        ),
    ],
)
def test_on_a_tie_order_type_beats_processing_type_beats_offer_type(
    stronger: dict[str, str], weaker: dict[str, str]
) -> None:
    order = express_gift()
    overrides = only("zuora", **stronger), only("salesforceV3", **weaker)
    assert ids(sequencer(*overrides), **order) == ["zuora"]
    assert ids(sequencer(*reversed(overrides)), **order) == ["zuora"]


def test_sequence_and_post_come_from_the_most_specific_override_that_gives_them() -> None:
    under = sequencer(
        {"order_type": "new", "processing_type": "express", "sequence": [{"name": "zuora"}]},
        {"order_type": "new", "post": [{"name": "calloutPlugin"}]},
    )
    assert ids(under, processing_type="express") == ["zuora", "calloutPlugin"]


def test_every_matching_exclude_is_taken_out_in_both_phases() -> None:
    under = sequencer(
        {"order_type": "new", "exclude": "zuora"},
        {"processing_type": "express", "exclude": ["entitlements", "platformEvents"]},
    )
    assert ids(under, processing_type="express") == ["salesforceV3"]


def test_an_exclude_names_a_plugin_or_a_step() -> None:
    twice = [{"name": "calloutPlugin"}, {"name": "calloutPlugin", "id": "warehouse"}]
    given = {"sequence": [*twice, {"name": "calloutPlugin"}], "post": []}
    by_name = sequencer({"order_type": "new", "exclude": "calloutPlugin"}, **given)
    by_id = sequencer({"order_type": "new", "exclude": "warehouse"}, **given)
    assert ids(by_name) == []
    assert ids(by_id) == ["calloutPlugin", "calloutPlugin-2"]


def test_an_exclude_holds_in_a_sequence_that_another_override_gives() -> None:
    under = sequencer(
        {"order_type": "new", "sequence": [{"name": "zuora"}, {"name": "calloutPlugin"}]},
        {"offer_type": "trial", "exclude": "zuora"},
    )
    trial = ids(under, orderItems=[item(trial__limio=True)])
    assert trial == ["calloutPlugin", "entitlements"]


def test_the_same_plugin_twice_gets_numbered_ids_across_the_phases() -> None:
    under = sequencer(
        sequence=[{"name": "calloutPlugin"}, {"name": "calloutPlugin"}],
        post=[{"name": "calloutPlugin"}],
    )
    assert ids(under) == ["calloutPlugin", "calloutPlugin-2", "calloutPlugin-3"]


def test_a_numbered_id_avoids_one_that_is_taken() -> None:
    entries = [PluginEntry(name="a", id="b-2"), PluginEntry(name="b"), PluginEntry(name="b")]
    assert step_ids(entries) == ["b-2", "b", "b-3"]


@pytest.mark.parametrize(
    ("order", "offer_type"),
    [
        ({"orderItems": [item(offer_type__limio="gift", trial__limio=True)]}, "gift"),
        ({"orderItems": [item(trial__limio=True)]}, "trial"),
        ({"orderItems": [item(trial__limio="yes")]}, "standard"),
        ({"orderItems": [{}]}, "standard"),
        ({"originalOffer": item(offer_type__limio="gift")["offer"]}, "gift"),
        ({"subscription": item(trial__limio=True)["offer"]}, "trial"),
        ({}, "standard"),
        ({"orderItems": [item(offer_type__limio="gift"), item()]}, "gift,standard"),
    ],
)
def test_the_offer_type_is_read_from_items_then_original_offer_then_subscription(
    order: dict[str, Any], offer_type: str
) -> None:
    assert sequencer().resolve(order, "new").axes["offer_type"] == offer_type


def test_the_processing_type_is_read_from_the_order_or_its_source() -> None:
    under = sequencer()
    assert under.resolve({}, "new").axes["processing_type"] == "standard"
    source = {"sourceDetails": {"processing_type": "express"}}
    assert under.resolve(source, "new").axes["processing_type"] == "express"


def test_axes_are_read_as_the_configuration_says() -> None:
    axes = {"processing_type": "channel", "offer_type": "campaign.kind"}
    under = sequencer(axes=axes)
    resolution = under.resolve({"channel": "kiosk", "campaign": {"kind": "gift"}}, "new")
    assert (resolution.axes["processing_type"], resolution.axes["offer_type"]) == ("kiosk", "gift")


def test_where_items_differ_an_excluded_step_gets_only_the_others() -> None:
    under = sequencer({"offer_type": "trial", "exclude": "zuora"})
    steps = waybill(under, orderItems=[item(), item(trial__limio=True), item()])
    assert {step.id: step.items for step in steps} == {
        "salesforceV3": None,
        "zuora": (0, 2),
        "platformEvents": None,
        "entitlements": None,
    }


def test_where_sequences_differ_they_are_merged_and_keep_their_order() -> None:
    under = sequencer(
        {
            "offer_type": "gift",
            "sequence": [{"name": "salesforceV3"}, {"name": "calloutPlugin"}, {"name": "zuora"}],
        }
    )
    steps = waybill(under, orderItems=[item(), item(offer_type__limio="gift")])
    assert {step.id: step.items for step in steps} == {
        "salesforceV3": None,
        "calloutPlugin": (1,),
        "zuora": None,
        "platformEvents": (0,),
        "entitlements": None,
    }
    assert [step.id for step in steps][:3] == ["salesforceV3", "calloutPlugin", "zuora"]


def test_entries_that_differ_by_offer_type_become_steps_of_their_own() -> None:
    other = {"name": "zuora", "options": {"a": 1}}
    under = sequencer({"offer_type": "gift", "sequence": [other]}, sequence=[{"name": "zuora"}])
    steps = waybill(under, orderItems=[item(), item(offer_type__limio="gift")])
    found = {step.id: (step.options, step.items) for step in steps[:2]}
    assert sorted(found) == ["zuora", "zuora-2"]
    assert sorted(found.values()) == [('{"a":1}', (1,)), ("{}", (0,))]


def test_a_step_gets_the_items_that_its_predicate_picks() -> None:
    picking = [{"name": "zuora", "items": "kind == 'digital'"}, {"name": "calloutPlugin"}]
    under = sequencer(sequence=picking, post=[])
    items = [{"kind": "digital"}, {"kind": "print"}]
    zuora, callout = waybill(under, orderItems=items)
    assert (zuora.items, callout.items) == ((0,), None)
    [nothing, _] = waybill(under, orderItems=items[1:])
    assert nothing.items == ()


def test_a_step_with_a_predicate_runs_for_an_order_without_items() -> None:
    under = sequencer(sequence=[{"name": "zuora", "items": "kind == 'digital'"}], post=[])
    [step] = waybill(under, "update_customer_details")
    assert step.items is None


def test_an_expression_that_does_not_fit_the_order_is_refused() -> None:
    under = sequencer(sequence=[{"name": "zuora", "items": "starts_with(kind, 'd')"}])
    with pytest.raises(ValueError, match="starts_with"):
        waybill(under, orderItems=[{"kind": 1}])


def test_many_processing_types_do_not_fill_the_memory() -> None:
    under = sequencer()
    for number in range(5000):
        under.resolve({"processing_type": f"p-{number}"}, "new")
    assert len(under._resolved) <= 4096


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, CRITICAL),
        ({"critical": False}, NON_CRITICAL),
        ({"retry": "none"}, None),
        ({"retry": {}}, CRITICAL),
        ({"retry": {"age_s": 60}}, Retry(attempts=10, first_s=1, longest_s=300, age_s=60)),
        (
            {"retry": {"longest_s": 0.5}},
            Retry(attempts=10, first_s=0.5, longest_s=0.5, age_s=86400),
        ),
    ],
)
def test_what_a_retry_policy_leaves_out_depends_on_whether_the_order_waits(
    entry: dict[str, Any], expected: Retry | None
) -> None:
    [step] = waybill(sequencer(sequence=[{"name": "zuora", **entry}], post=[]))
    assert step.retry == expected


def test_steps_of_the_post_phase_hold_nobody_up() -> None:
    assert waybill(sequencer())[-1].retry == NON_CRITICAL


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, ("customerDetails",)),
        ({"map": {"id": "context.salesforceV3.crmId"}}, {"customerDetails", "context", "crmId"}),
        ({"items": "offer"}, {"customerDetails", "orderItems"}),
        ({"when": "total.amount > `5`"}, {"customerDetails", "total"}),
        ({"when": "order.total"}, None),
        ({"map": {"all": "@"}}, None),
    ],
)
def test_what_a_step_depends_on_includes_what_its_expressions_name(
    entry: dict[str, Any], expected: Any
) -> None:
    facts = {**PLUGINS, "zuora": replace(PLUGINS["zuora"], reads=("customerDetails",))}
    given = {"version": 1, "sequence": [{"name": "zuora", **entry}], "post": []}
    [step] = waybill(Sequencer(Configuration.model_validate(given), facts), orderItems=[item()])
    if expected is None:
        assert step.reads is None
    else:
        assert set(expected) <= set(step.reads or ())


def test_a_plugin_that_does_not_say_what_it_reads_may_read_anything() -> None:
    assert {step.reads for step in waybill(sequencer())} == {None}
