"""Scripted additions: an offer beside the others, a discount that keeps a subscriber."""

from collections.abc import Sequence

from plugins.api import Done, Example, Failed
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    END,
    FIND,
    OTHER_FEE,
    OTHER_PLAN,
    READ,
    changed,
    found,
    offer,
    order,
    ordered,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_DISCOUNT = offer(
    "UK Discount",
    offer_type__limio="discount",
    price__limio=[{"name": "20 % off", "label": "20 % off", "type": "discount", "value": "20"}],
)
_SAVED = order("add_offer", _DISCOUNT, data={"reason": {"id": "too_expensive"}})
_KNOWN = {"UK Discount": {"id": OTHER_PLAN, "charges": {"20 % off": OTHER_FEE}}}
_ENDS = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a discount keeps a subscriber from the end of the term on",
        step=step(_SAVED, ratePlans=_KNOWN, customFields=["CancellationReason__c"]),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
        found={FIND: found(END)},
        missing={FIND: ABSENT},
    ),
    Example(
        name="an offer that counts at once is billed at once",
        step=step(
            order("add_offer", offer("UK Bundle Quarterly", "55"), effectiveDate="immediately")
        ),
        replies={READ: subscription(), "create-order": ordered(invoiceNumbers=["INV00000160"])},
        expected=Done(**changed("2026-04-15", invoiceNumbers=["INV00000160"])),
    ),
    Example(
        name="nothing is added to what is over by then",
        step=step(_SAVED, ratePlans=_KNOWN),
        replies={READ: subscription(**_ENDS), FIND: ABSENT},
        expected=Failed(ErrorKind.PERMANENT, "subscription_cancelled", ""),
    ),
)
