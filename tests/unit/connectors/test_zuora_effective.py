"""From which day a change counts."""

from datetime import date

import pytest

from plugins.connectors.zuora.effective import effective
from plugins.connectors.zuora.envelope import StoppedError
from plugins.connectors.zuora.examples.scene import END, START, offer, order, step, subscription
from plugins.connectors.zuora.subscription import read
from schemas.steps import ErrorKind

TODAY = "2026-04-15"
BILLED = "2026-05-01"


def held(at, **more):
    """The subscription as the connector reads it."""
    talk = read(at)
    next(talk)
    try:
        talk.send(subscription(**more))
    except StopIteration as end:
        return end.value
    raise AssertionError


def billed(through=BILLED):
    charge = {"number": "C-1", "chargedThroughDate": through}
    return [{"id": "rp", "ratePlanName": "Plan", "ratePlanCharges": [charge]}]


def day(said=None, explicit=None, options=None, **more):
    item = offer(**({"effective_date__limio": said} if said else {}))
    document = order("change_offer", item, **({"effectiveDate": explicit} if explicit else {}))
    at = step(document, **(options or {}))
    return effective(at, held(at, ratePlans=billed(), **more), item)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("immediately", TODAY),
        ("Immediate", TODAY),
        ("end of billing period", BILLED),
        ("END_OF_BILLING_PERIOD", BILLED),
        ("end of term", END),
        ("End of current term", END),
        ("2026-05-20", "2026-05-20"),
        (None, END),
    ],
)
def test_the_offer_says_from_when_by_default_from_the_end_of_the_term(said, expected):
    assert (day(said).iso, day(said).warnings) == (expected, ())


def test_an_explicit_date_of_the_order_wins():
    assert day("immediately", explicit="2026-05-02").iso == "2026-05-02"
    assert day("2026-05-20", explicit="end of term").iso == END


def test_another_attribute_may_say_it():
    item = offer(effective_date__limio="now", starts__acme="2026-05-09")
    at = step(order("change_offer", item), effectiveDateAttribute="starts__acme")
    assert effective(at, held(at), item).iso == "2026-05-09"


@pytest.mark.parametrize(
    ("wanted", "moved"), [("2026-06-02", END), ("2027-01-01", END), ("2026-02-28", START)]
)
def test_a_day_outside_the_term_moves_to_its_nearest_end_with_a_warning(wanted, moved):
    found = day(explicit=wanted)
    assert found.iso == moved
    [warning] = found.warnings
    assert wanted in warning
    assert moved in warning


@pytest.mark.parametrize("edge", [START, END])
def test_both_ends_of_the_term_belong_to_it(edge):
    assert (day(explicit=edge).iso, day(explicit=edge).warnings) == (edge, ())


def test_what_runs_for_ever_has_its_billing_period_for_an_end_and_says_so():
    found = day(termType="EVERGREEN", termEndDate=None)
    assert found.iso == BILLED
    assert "no end of term" in found.warnings[0]


def test_what_was_never_billed_has_no_period_to_wait_for():
    item = offer(effective_date__limio="end of billing period")
    at = step(order("change_offer", item))
    assert effective(at, held(at, ratePlans=billed(None)), item).iso == TODAY


def test_a_period_that_is_over_is_not_waited_for():
    item = offer(effective_date__limio="end of billing period")
    at = step(order("change_offer", item))
    assert effective(at, held(at, ratePlans=billed("2026-04-01")), item).iso == TODAY


def test_a_rule_that_nobody_knows_is_the_configurations_fault():
    with pytest.raises(StoppedError) as stopped:
        day("next full moon")
    assert stopped.value.outcome.kind is ErrorKind.MISCONFIGURED
    assert "effective_date__limio" in stopped.value.outcome.message


def test_a_date_that_is_none_is_the_orders_fault():
    with pytest.raises(StoppedError) as stopped:
        day(explicit="31/12/2026")
    assert stopped.value.outcome.kind is ErrorKind.PERMANENT
    assert "effectiveDate" in stopped.value.outcome.message


def test_a_cancellation_to_come_is_seen_by_any_of_its_signs():
    at, today = step(order("renew")), date.fromisoformat(TODAY)
    history = [{"status": "Active", "startDate": START}, {"status": "Cancelled", "startDate": END}]
    for signs in (
        {"scheduledCancelDate": END},
        {"status": "Cancelled", "subscriptionEndDate": END},
        {"statusHistory": history},
    ):
        assert held(at, **signs).pending_cancel(today) == date.fromisoformat(END)
        assert not held(at, **signs).is_over(today)
    assert held(at).pending_cancel(today) is None


def test_a_cancellation_that_came_is_the_end():
    at, today = step(order("renew")), date.fromisoformat(TODAY)
    over = held(at, status="Cancelled", subscriptionEndDate=TODAY)
    assert over.is_over(today)
    assert over.pending_cancel(today) is None
