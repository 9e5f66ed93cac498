"""What a draft would do to real orders: routes, settings, refusals, conditions, mappings."""

from typing import Any

import orjson

from schemas.configuration import Configuration
from schemas.steps import OnUnknown, Sealed
from streams.core.intake import Intake
from streams.core.order import Order
from streams.core.plan import Change, ChangeKind, ExpressionUse, Plan
from streams.core.planning import MOST_EXAMPLES, Planner
from streams.core.sealing import TenantKeys
from streams.core.sequence import PluginFacts, Sequencer
from tests.facts import accepted, given, succeeded, then

NAMES = ("salesforceV3", "zuora", "stripe", "entitlements")
PLUGINS = {
    name: PluginFacts(name=name, service="s", on_unknown=OnUnknown.REPEAT, connection=name)
    for name in NAMES
}
KEYS = TenantKeys.derived_from(b"the tenant's secret")
CURRENT: dict[str, Any] = {
    "sequence": [{"name": "salesforceV3"}, {"name": "zuora"}],
    "post": [{"name": "entitlements"}],
}


def sequencer(document: dict[str, Any]) -> Sequencer:
    return Sequencer(Configuration.model_validate({"version": 1, **document}), PLUGINS)


def gift(**members: Any) -> dict[str, Any]:
    offer = {"data": {"attributes": {"offer_type__limio": "gift"}}}
    return {"order_type": "new", "orderItems": [{"offer": offer, "quantity": 2}], **members}


def order(document: dict[str, Any], *done: str, output: dict[str, Any] | None = None) -> Order:
    """An order that passed these steps of the configuration in use."""
    waybill = sequencer(CURRENT).resolve(document, "new").waybill
    fact = accepted(*waybill, document=orjson.dumps(document).decode())
    facts = [succeeded(name, output=output or {"id": name}) for name in done]
    return then(given(fact), *facts)


def planned(draft: dict[str, Any], *orders: Order) -> Plan:
    before = sequencer(CURRENT)
    intake = Intake({"default": before}, {"default": KEYS}, lambda *_: None)
    planner = Planner(
        before, sequencer(draft), lambda document, under: intake.examine("default", document, under)
    )
    for one in orders:
        planner.take(one, {})
    return planner.plan()


def the_change(draft: dict[str, Any], *orders: Order) -> Change:
    [found] = planned(draft, *orders).changes
    return found


def the_use(draft: dict[str, Any], *orders: Order) -> ExpressionUse:
    [found] = planned(draft, *orders).expressions
    return found


def entry(**members: Any) -> dict[str, Any]:
    """The configuration in use with another entry for Zuora."""
    return {**CURRENT, "sequence": [{"name": "salesforceV3"}, {"name": "zuora", **members}]}


def test_a_draft_that_says_the_same_changes_nothing() -> None:
    plan = planned({**CURRENT}, order(gift()), order({}))
    assert (plan.orders, plan.kinds[ChangeKind.SAME], plan.changes) == (2, 2, ())
    assert {(one.before, one.after) for one in plan.steps} == {(2, 2)}


def test_orders_that_change_alike_are_told_together_with_examples() -> None:
    draft = {**CURRENT, "overrides": [{"offer_type": "gift", "exclude": "zuora"}]}
    plan = planned(draft, *[order(gift())] * 7, order({}))
    [found] = plan.changes
    assert (found.kind, found.orders, plan.groups) == (ChangeKind.ROUTE, 7, 1)
    assert len(found.examples) == MOST_EXAMPLES
    assert (found.removed, found.added, found.moved) == (("zuora",), (), ())
    assert found.axes["offer_type"] == "gift"
    zuora = next(one for one in plan.steps if one.step == "zuora")
    assert (zuora.before, zuora.after, zuora.gained, zuora.lost) == (8, 1, 0, 7)
    assert [one.orders for one in plan.overrides] == [7]


def test_steps_that_come_and_move_are_named() -> None:
    names = ("stripe", "zuora", "salesforceV3")
    found = the_change({**CURRENT, "sequence": [{"name": one} for one in names]}, order({}))
    assert (found.added, found.removed) == (("stripe",), ())
    assert set(found.moved) == {"zuora", "salesforceV3"}


def test_other_settings_are_no_other_route() -> None:
    draft = entry(critical=False, options={"a": 1}, timeout=3)
    found = the_change(draft, order({}))
    assert found.kind is ChangeKind.SETTINGS
    [(step, names)] = found.settings
    assert (step, set(names)) == ("zuora", {"critical", "options.a", "timeout", "retry"})


def test_a_condition_that_does_not_hold_is_another_route() -> None:
    draft = entry(when="order.order_type == 'renew'")
    found = the_change(draft, order(gift()))
    assert (found.kind, found.removed) == (ChangeKind.ROUTE, ("zuora",))
    use = the_use(draft, order(gift()), order({}))
    assert (use.member, use.orders, use.yes, use.no) == ("when", 2, 0, 2)
    assert use.examples


def test_a_condition_on_outputs_is_asked_of_what_the_step_really_said() -> None:
    draft = entry(when="context.salesforceV3.vip")
    vip = order({}, "salesforceV3", output={"vip": True})
    use = the_use(draft, vip, order({}, "salesforceV3"), order({}))
    assert (use.yes, use.no, use.open) == (1, 1, 1)


def test_what_the_draft_no_longer_runs_before_says_nothing() -> None:
    draft = {
        **CURRENT,
        "sequence": [{"name": "zuora", "when": "context.salesforceV3"}, {"name": "salesforceV3"}],
    }
    use = the_use(draft, order({}, "salesforceV3"))
    assert (use.yes, use.no, use.open) == (0, 1, 0)


def test_mappings_that_fail_or_pick_nothing_are_counted_without_values() -> None:
    draft = entry(map={"number": "sum(order.secrets)"})
    use = the_use(draft, order({"secrets": ["4111"]}), order({"secrets": [1]}))
    assert (use.name, use.yes, use.fails) == ("number", 1, 1)
    assert use.error is not None
    assert "sum()" in use.error
    assert "4111" not in use.error
    assert the_use(entry(map={"number": "order.nothing"}), order({})).no == 1


def test_a_filter_that_takes_no_items_is_seen() -> None:
    use = the_use(entry(items="quantity > `5`"), order(gift()), order({}))
    assert (use.member, use.orders, use.yes, use.no) == ("items", 1, 0, 1)


def test_an_expression_that_nobody_comes_by_is_there_with_no_orders() -> None:
    override = {"order_type": "renew", "sequence": [{"name": "stripe", "when": "order.id"}]}
    use = the_use({**CURRENT, "overrides": [override]}, order({}))
    assert (use.plugin, use.orders) == ("stripe", 0)


def test_orders_that_the_draft_refuses_are_told_with_the_reason() -> None:
    found = the_change({**CURRENT, "sequence": [], "post": []}, order({}))
    assert found.kind is ChangeKind.REFUSED
    assert found.refusal is not None
    assert found.refusal.code == "no_matching_configuration"
    assert [stop.step for stop in found.before] == ["salesforceV3", "zuora", "entitlements"]
    assert found.after == ()


def test_orders_that_the_draft_would_take_are_told_too() -> None:
    draft = {**CURRENT, "order_types": ["upgrade"]}
    found = the_change(draft, order({"order_type": "upgrade"}))
    assert found.kind is ChangeKind.TAKEN
    assert found.refusal is not None
    assert found.refusal.code == "unknown_order_type"


def test_what_was_erased_is_open() -> None:
    sealed = Sealed(paths=("/payment",), key_id="k", subject="s", nonce=b"", ciphertext=b"")
    waybill = sequencer(CURRENT).resolve({}, "new").waybill
    erased = given(accepted(*waybill, sealed=(sealed,)))
    assert the_use(entry(when="order.payment.method"), erased).open == 1
