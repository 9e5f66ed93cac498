"""Orders of every type on every way, and the webhooks that tell of them: the examples' source.

`python -m tests.webhook_stories` writes the examples anew; a test says when they are old.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from projections.outgoing import Outgoing
from schemas.commands import CommandKind
from schemas.envelope import Envelope
from schemas.events import Event, Fact, OrderAccepted, OrderQueued, RetryDue
from schemas.steps import ErrorKind, Failure, Phase, WaybillStep
from streams.agents.publication import Published, records_of
from streams.core import ids
from streams.core.decide import Append, decide
from streams.core.evolve import evolve
from streams.core.order import Order
from streams.core.sealing import DataKey, seal_document
from streams.core.webhooks.bodies import body_of
from streams.core.webhooks.catalogue import TYPES, types_of
from streams.core.webhooks.journeys import (
    Journey,
    JourneyType,
    journey_headers,
    journey_id,
    journey_value,
)
from streams.core.webhooks.updates import Update, read_update
from streams.topics import Topics
from tests import facts
from waybill.webhook_examples import FILE

TOPICS = Topics("")
START = datetime(2026, 3, 1, 10, 15, 30, 123456, tzinfo=UTC)
TENANT = "default"
KEY = DataKey(id="key-1", subject="subject-1", secret=b"s" * 32)
ADDRESS = {
    "firstName": "Wilhelmine",
    "lastName": "Quillfeather",
    "address1": "17 Lanternwick Passage",
    "city": "Marrowby",
    "postalCode": "MQ7 4ZZ",
    "country": "GB",
}
BUYER = {
    "firstName": "Wilhelmine",
    "lastName": "Quillfeather",
    "email": "w.quillfeather@example.com",
}
PAYMENT = {"type": "zuora", "zuora": {"refId": "8ad0ffee9c3d1e4f019c4b7722aa9999"}}
CHARGE = {
    "name": "charge_1",
    "type": "recurring",
    "trigger": "subscription_start",
    "value": "25",
    "currencyCode": "GBP",
    "repeat_interval": 3,
    "repeat_interval_type": "months",
}
ITEM = {
    "name": "Quarterly",
    "quantity": 1,
    "startDate": "2026-03-01",
    "price": {"currency": "GBP", "amount": 25},
    "offer": {
        "name": "Quarterly",
        "path": "/offers/Harbour Post/Quarterly",
        "id": "c4d81f46a9189f1b.97d170e1550eee4a",
        "data": {
            "attributes": {
                "price__limio": [CHARGE],
                "term__limio": {"length": 12, "type": "months"},
                "autoRenew__limio": True,
                "rate_plan__zuora": "Harbour Post Quarterly",
            }
        },
    },
    "products": [
        {"path": "/products/Harbour Post", "attributes": {"product_code__limio": "HP.POST"}}
    ],
}
SUNDAY = {**ITEM, "name": "Sunday", "offer": {"name": "Sunday", "path": "/offers/Sunday"}}
NEW: dict[str, Any] = {
    "__spec_version": "2",
    "order_type": "new",
    "external_id": "HARBOUR-2026-0017",
    "checkoutId": "basket-6f1c0f0a-58a1-4b3f-8f52-0d9a3c1b2e4f",
    "country": "GB",
    "source": "shop",
    "initiated_source": "shop",
    "tracking": {"campaign": "/offers/Harbour Post", "purchaseCountryCode": "GB"},
    "orderItems": [ITEM],
    "total": {"currency": "GBP", "amount": 25},
    "customerDetails": BUYER,
    "billingDetails": ADDRESS,
    "payment": PAYMENT,
}
REASON = {"reason": {"id": "goodwill", "text": "The paper came late all week."}}
CHANGES: Mapping[str, dict[str, Any]] = {
    "cancel_subscription": {"effectiveDate": "2026-05-31", "data": REASON},
    "change_offer": {"orderItems": [SUNDAY], "originalOffer": ITEM["offer"], "data": REASON},
    "add_offer": {"orderItems": [SUNDAY], "total": {"currency": "GBP", "amount": 5}},
    "change_payment": {"payment": PAYMENT, "billingDetails": ADDRESS},
    "change_address": {"addressType": "delivery", "deliveryDetails": ADDRESS},
    "update_customer_details": {"customerDetails": BUYER},
    "update_subscription": {"orderItems": [{**SUNDAY, "orderItemActionType": "add"}]},
    "renew": {"data": {"autoRenew": False}},
    "refund": {"refund": {"amount": 10, "currency": "GBP"}, "data": REASON},
    "credit": {"total": {"currency": "GBP", "amount": "7.50"}, "data": REASON},
    "external": {"notification": {"type": "CancelSubscription", "subscriptionID": "A-S00000042"}},
    "activation": {},
}
CRM = WaybillStep(id="salesforceV3", plugin="salesforceV3", service="salesforce")
BILLING = WaybillStep(id="zuora", plugin="zuora", service="zuora", compensate=True)
LOYALTY = WaybillStep(id="loyalty", plugin="calloutPlugin", service="limio", critical=False)
ACCESS = WaybillStep(
    id="entitlements", plugin="entitlements", service="limio", critical=False, phase=Phase.POST
)
STEPS = (CRM, BILLING, LOYALTY, ACCESS)
PERSON = {"accountId": "0015400000k3Y70AAE", "contactId": "0035400000kbH8CAAU"}
BILLED = {
    "orderNumber": "O-00000042",
    "accountNumber": "A00000042",
    "subscriptionNumber": "A-S00000042",
    "invoiceNumbers": ["INV00000042"],
    "effectiveDate": "2026-03-01",
    "status": "Completed",
}
GRANTED = {
    "granted": ["/entitlements/post"],
    "grantId": "grant-42",
    "effectiveDate": "2026-03-01",
}
DECLINED = Failure(
    kind=ErrorKind.DECLINED,
    code="card_declined",
    message="the gateway declined the card: insufficient funds",
    buyer_message="Your card was declined.",
    call="order",
)
BUSY = Failure(
    kind=ErrorKind.TRANSIENT,
    code="http_503",
    message="the partner answered 503",
    buyer_message="Something went wrong on our side.",
)


@dataclass
class Story:
    """One order, told fact by fact; a minute passes between two."""

    document: dict[str, Any]
    steps: tuple[WaybillStep, ...] = STEPS
    lane: str | None = None
    order: Order | None = None
    now: datetime = START
    told: int | None = None
    updates: list[Update] = field(default_factory=list)
    personal: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        document = {"external_id": "HARBOUR-2026-0018", **self.document}
        self.subscription = "22FOPJV2XZBK"
        self.id = ids.order_id(TENANT, document["external_id"], document["order_type"])
        clear, sealed = seal_document(document, self.id, KEY, bytes(12))
        hidden = orjson.loads(clear).keys()
        self.personal = {name: part for name, part in document.items() if name not in hidden}
        self.tell(
            OrderAccepted(
                order_type=document["order_type"],
                mode="production",
                external_id=document["external_id"],
                order_reference=ids.order_reference(self.id),
                subscription_reference=self.subscription,
                owner="id-59505b6823f8bb55aea2ad68852e2464",
                effective_date="2026-03-01",
                config_version=1,
                axes={},
                waybill=self.steps,
                document=clear,
                sealed=sealed,
                fingerprint=b"f",
            )
        )

    def tell(self, *told: Fact) -> "Story":
        """These facts, each of which applies, and what the core itself makes of them."""
        for fact in told:
            self._apply(fact)
        while True:
            assert self.order is not None
            lane = (self.order,)
            decision = decide(self.order, facts.around(lane, now=self.now))
            if not isinstance(decision, Append) or isinstance(decision.fact, RetryDue):
                return self
            self._apply(decision.fact)

    def command(self, kind: CommandKind, step: str | None = None, **more: Any) -> "Story":
        """An operator's, and what comes of it."""
        return self.tell(facts.command(kind, step, command=f"{kind}-{self.now:%H%M}", **more))

    def retried(self, step: str) -> "Story":
        """The pause before the next attempt is over."""
        assert self.order is not None
        return self.tell(RetryDue(expected=self.order.sequence, step=step))

    def queued(self) -> "Story":
        """Another order is before it."""
        assert self.order is not None
        return self.tell(OrderQueued(expected=self.order.sequence, behind=f"order-{'0' * 32}"))

    def _apply(self, fact: Fact) -> None:
        before = self.order
        run = 1 if before is None else before.run
        self.now += timedelta(minutes=1)
        event = Event(self._envelope(fact, run), fact)
        after = evolve(before, event, 10 if before is None else before.last + 1)
        assert after is not None
        assert after is not before, f"{fact} does not apply"
        outgoing = Outgoing(event, before, after, self.told)
        for topic, _, value, headers in records_of(outgoing, TOPICS, _PUBLISHED):
            if topic == TOPICS.order_updates:
                self.updates.append(read_update(headers, value))
        self.order = after
        self.told = after.sequence if outgoing.news else self.told

    def _envelope(self, fact: Fact, run: int) -> Envelope:
        return Envelope(
            event_id=ids.event_id(self.id, run, fact),
            tenant=TENANT,
            lane=ids.lane_id(TENANT, self.subscription),
            order_id=self.id,
            run=run,
            occurred_at=self.now,
            actor="worker",
            trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )


_PUBLISHED = Published(step_results=lambda _: True, secrets={"zuora": ("clientSecret",)})


def declined() -> Story:
    """A new order whose card is declined; the next run then goes well but for one step."""
    story = Story(NEW).tell(facts.succeeded("salesforceV3", output=PERSON))
    story.tell(facts.failed("zuora", **_members(DECLINED)))
    story.command(CommandKind.RETRY, "zuora")
    story.tell(facts.failing("zuora", 2, until=story.now + timedelta(hours=1), **_members(BUSY)))
    story.retried("zuora").tell(facts.succeeded("zuora", 3, output=BILLED))
    story.tell(facts.failed("loyalty", **_members(BUSY)))
    return story.tell(facts.succeeded("entitlements", output=GRANTED))


def known_customer() -> Story:
    """A new order of somebody whom the CRM knows."""
    story = Story({**NEW, "external_id": "HARBOUR-2026-0019"})
    story.tell(facts.succeeded("salesforceV3", output={**PERSON, "matched": ["account"]}))
    story.tell(facts.succeeded("zuora", output={**BILLED, "clientSecret": "hush"}))
    story.tell(facts.skipped("loyalty"))
    return story.tell(facts.succeeded("entitlements", output=GRANTED))


def undone() -> Story:
    """A new order that is queued, held up, in doubt, and cancelled in the end."""
    story = Story({**NEW, "external_id": "HARBOUR-2026-0020"}, (BILLING, CRM)).queued()
    story.command(CommandKind.RELEASE).command(CommandKind.PAUSE).command(CommandKind.RESUME)
    story.tell(facts.deferred("zuora", until=story.now + timedelta(minutes=5)))
    story.retried("zuora").tell(facts.succeeded("zuora", 2, output=BILLED))
    story.tell(facts.doubtful("salesforceV3")).command(CommandKind.CANCEL)
    story.tell(facts.not_undone("zuora", 3, until=story.now + timedelta(minutes=5)))
    return story.retried("zuora").tell(facts.undone("zuora", 4))


def amended() -> Story:
    """A new order that waits after a failure, and is changed."""
    story = Story({**NEW, "external_id": "HARBOUR-2026-0021"}, (CRM, BILLING))
    later = story.now + timedelta(hours=1)
    story.tell(facts.failing("salesforceV3", until=later, **_members(BUSY)))
    document, sealed = seal_document({**NEW, "orderItems": [SUNDAY]}, story.id, KEY, bytes(12))
    more = {"document": document, "sealed": sealed, "changed": ("orderItems",)}
    revision = facts.revision(CRM, BILLING, base=b"f", **more)
    return story.command(CommandKind.AMEND, revision=revision)


def changes() -> Iterator[Story]:
    """An order of each of the other types, which ends well."""
    for number, (order_type, more) in enumerate(CHANGES.items(), start=22):
        document = {
            "order_type": order_type,
            "external_id": f"HARBOUR-2026-00{number}",
            "source": "salesforce",
            "initiated_source": "salesforce",
            "forSubscription": "22FOPJV2XZBK",
            **more,
        }
        yield Story(document, (BILLING,)).tell(facts.succeeded("zuora", output=BILLED))


def stories() -> Iterator[Story]:
    """All of them."""
    yield from (declined(), known_customer(), undone(), amended())
    yield from changes()


def told_otherwise() -> Iterator[Update]:
    """Updates that no order leads to."""
    told: tuple[tuple[JourneyType, dict[str, Any]], ...] = (
        ("checkout_initiated", {"checkoutId": "basket-6f1c0f0a"}),
        ("cancel_attempted", {"step": "reason"}),
        ("payment_method_added", {"paymentMethodId": "8ad0ffee9c3d1e4f"}),
        ("address_added", {"addressType": "delivery"}),
    )
    for number, (kind, data) in enumerate(told):
        subscription = None if kind == "checkout_initiated" else "22FOPJV2XZBK"
        journey = Journey(
            id=journey_id(TENANT, str(number)),
            type=kind,
            tenant=TENANT,
            at=START,
            order=None,
            subscription=subscription,
            data=data,
        )
        yield read_update(journey_headers(journey, "lane", None), journey_value(journey))
    endpoint = f"whe_{'0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f'}"
    tried = {"endpoint": endpoint, "description": "Mails to subscribers"}
    yield Update("test-1", "webhook.test", TENANT, endpoint, START, tried)
    gone = {
        "endpoint": endpoint,
        "url": "https://receiver.example.org",
        "reason": "failing",
        "failing_since": (START - timedelta(days=5)).isoformat(),
        "disabled_at": START.isoformat(),
    }
    yield Update("disabled-1", "webhook.endpoint_disabled", TENANT, endpoint, START, gone)


def all_updates() -> Iterator[tuple[Update, Mapping[str, Any]]]:
    """Every update with the personal sections of its order."""
    for story in stories():
        for update in story.updates:
            yield update, story.personal
    for update in told_otherwise():
        yield update, {}


def examples() -> dict[str, dict[str, Any]]:
    """The bodies of the first update of each type, by payload."""
    found: dict[str, dict[str, Any]] = {}
    for update, _ in all_updates():
        for name in types_of(update):
            if name in found:
                continue
            found[name] = {
                "thin": orjson.loads(body_of(name, update, "thin", None)),
                "full": orjson.loads(body_of(name, update, "full", None)),
            }
    return {name: found[name] for name in TYPES}


def _members(failure: Failure) -> dict[str, Any]:
    return {
        name: getattr(failure, name)
        for name in ("kind", "code", "message", "buyer_message", "call", "definite")
    }


def text() -> str:
    """The examples as they are kept."""
    return json.dumps(examples(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{FILE}\n")
