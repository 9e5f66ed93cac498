"""What the view of subscriptions says of journeys is what the billing system holds after them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from streams.core.order import State
from streams.core.subscription import Subscription, standing
from streams.core.subscriptions import completed, sold_anew
from tests.journeys.office import Carried, Office
from tests.journeys.reading import HERE, journeys
from tests.journeys.travelling import travelled

TOLD = (
    *("activation/sold-without-a-day", "add_offer/add-on-at-once", "add_offer/cancel-save"),
    *("cancel_subscription/at-once", "cancel_subscription/end-of-term"),
    *("change_offer/end-of-term", "change_offer/immediately", "change_offer/reactivation"),
    *("external/synchronised", "new/discount", "new/gift-redeemed", "renew/anew"),
    *("renew/auto-renew", "renew/early", "renew/other-offer", "renew/other-term", "renew/plain"),
    *("update_subscription/add-on", "update_subscription/remove-and-reprice"),
)
"""Journeys after which a subscription is another one; those of gifts and Stripe have none here."""


@pytest.mark.parametrize("name", TOLD)
async def test_the_fold_of_the_orders_is_what_zuora_holds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried: list[Carried] = []
    carry = Office.carry

    async def noting(office: Office, *given: Any) -> Carried:
        carried.append(await carry(office, *given))
        return carried[-1]

    monkeypatch.setattr(Office, "carry", noting)
    [journey, *_] = journeys(HERE / f"{name}.yaml")
    async with travelled(journey) as arrived:
        held = arrived.after["zuora"]["subscriptions"]
    folded = subscriptions(carried)
    assert folded.keys() == held.keys()
    for reference, subscription in folded.items():
        assert told(subscription, journey.today) == billed(held[reference], subscription.ends)


def subscriptions(carried: list[Carried]) -> dict[str, Subscription]:
    found: dict[str, Subscription] = {}
    for order in (one.order for one in carried):
        assert order.state is State.COMPLETED
        reference, document = (
            order.accepted.subscription_reference,
            orjson.loads(order.accepted.document),
        )
        before = found.get(reference)
        anew = sold_anew(before, order, document)
        if anew is not None:
            found[anew.reference] = anew
        found[reference] = completed(before, order, document)
    return found


def told(subscription: Subscription, today: str) -> dict[str, Any]:
    # What a cancellation ends stays on Zuora's subscription.
    held = {None, subscription.ends}
    return {
        "status": standing(subscription, today),
        "account": subscription.number("accountNumber"),
        "term": (subscription.term_start, subscription.term_end),
        "auto_renew": subscription.auto_renew,
        "plans": sorted(i.rate_plan or "" for i in subscription.items if i.until in held),
    }


def billed(held: Mapping[str, Any], ends: str | None) -> dict[str, Any]:
    if ends is not None:
        assert held["subscriptionEndDate"] == ends
    plans = [
        plan["ratePlanName"]
        for plan in held["ratePlans"]
        if not str(plan.get("lastChangeType") or "").startswith("Remove")
    ]
    return {
        "status": held["status"].lower(),
        "account": held["accountNumber"],
        "term": (held["termStartDate"], held["termEndDate"]),
        "auto_renew": held["autoRenew"],
        "plans": sorted(plans),
    }
