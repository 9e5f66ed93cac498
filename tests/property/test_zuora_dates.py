"""Whatever day is wanted: a change takes effect within the term, and says so if it was moved."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as some

from plugins.connectors.zuora.effective import taken
from plugins.connectors.zuora.examples.scene import order, step, subscription
from plugins.connectors.zuora.subscription import Subscription, read

FIRST = date(2026, 1, 1)
DAYS = some.integers(0, 2000).map(lambda days: FIRST + timedelta(days=days))
RULES = some.sampled_from(["immediately", "end_of_billing_period", "end_of_term"])


def held(at, **more) -> Subscription:
    talk = read(at)
    next(talk)
    try:
        talk.send(subscription(**more))
    except StopIteration as end:
        found: Subscription = end.value
        return found
    raise AssertionError


@given(
    today=DAYS,
    start=DAYS,
    length=some.integers(1, 800),
    billed=some.none() | DAYS,
    wanted=DAYS | RULES,
)
def test_a_change_takes_effect_within_the_term(today, start, length, billed, wanted):
    at = step({**order("change_offer"), "effective_date": today.isoformat()})
    end = start + timedelta(days=length)
    charge = {"chargedThroughDate": billed and billed.isoformat()}
    plans = [{"id": "rp", "ratePlanCharges": [charge]}]
    term = {"termStartDate": start.isoformat(), "termEndDate": end.isoformat()}
    found = taken(at, held(at, ratePlans=plans, **term), wanted)
    assert start <= found.day <= end
    if isinstance(wanted, date):
        assert bool(found.warnings) is (found.day != wanted)
    if wanted == "end_of_term":
        assert (found.day, found.warnings) == (end, ())
    if wanted == "immediately" and start <= today <= end:
        assert found.day == today


@given(today=DAYS, wanted=DAYS | RULES)
def test_what_runs_for_ever_never_ends_before_it_began(today, wanted):
    at = step({**order("cancel_subscription"), "effective_date": today.isoformat()})
    endless = held(at, termType="EVERGREEN", termEndDate=None, termStartDate=FIRST.isoformat())
    assert taken(at, endless, wanted).day >= FIRST
