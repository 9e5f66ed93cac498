"""Taking an order: from a document to its acceptance, or to the reason why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, TypeAlias

from schemas.arriving import refused
from schemas.configuration import Configuration
from schemas.envelope import Envelope
from schemas.events import Event, OrderAccepted
from schemas.expressions import evaluated
from schemas.orders import CHANGES, ORDER_TYPES, Document, read_document
from schemas.steps import WaybillStep
from streams.core import about, ids
from streams.core.about import MAX_REFERENCE, existing_subscription, is_reference
from streams.core.pricing import check_money
from streams.core.sealing import DataKey, TenantKeys, fingerprint, seal_document, subject_of
from streams.core.sequence import Resolution, Sequencer

MAX_WAYBILL_BYTES = 256 << 10

_KINDS: tuple[tuple[type | tuple[type, ...], str, tuple[str, ...]], ...] = (
    (
        dict,
        "object",
        (
            *("customerDetails", "billingDetails", "deliveryDetails", "recipientDetails"),
            *("payment", "total", "originalOffer"),
        ),
    ),
    (str, "text", ("effectiveDate",)),
    (bool, "boolean", ("process_immediately",)),
    ((str, dict, list), "text, object or list", ("forSubscription",)),
)
"""Members that every reader takes to be of one kind, where they are there."""

MissingConnection: TypeAlias = Callable[[str, str, WaybillStep], str | None]
"""The connection that a step needs and that tenant and mode do not have, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An order as it came in: `identity` stands in where the document has no `external_id`."""

    tenant: str
    value: bytes | None
    identity: str
    actor: str
    origin: str
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a document is found to be, under the configuration in use.

    `subscription` is the existing one that it is about, if it is about one.
    """

    document: Document
    order_type: str
    mode: str
    external_id: str | None
    subscription: str | None
    fingerprint: bytes
    resolution: Resolution
    config_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A submission that can be accepted: all that needs no key of its data subject."""

    submission: Submission
    document: Document
    order_id: str
    lane: str
    order_type: str
    mode: str
    external_id: str | None
    subscription_reference: str
    subject: str
    fingerprint: bytes
    resolution: Resolution
    config_version: int

    @property
    def owner(self) -> str:
        """Who the order belongs to: as it says, else by its data subject."""
        given = self.document.get("owner")
        return given if isinstance(given, str) and given else about.owner_of(self.subject)


class Intake:
    """Takes orders under the configurations and keys in use.

    `sequencers` may change between two orders: each is taken under the one that it finds.
    """

    def __init__(
        self,
        sequencers: Mapping[str, Sequencer],
        keys: Mapping[str, TenantKeys],
        missing_connection: MissingConnection,
    ) -> None:
        self._sequencers = sequencers
        self._keys = keys
        self._missing_connection = missing_connection

    def prepare(self, submission: Submission) -> Prepared:
        """The order, checked and with its waybill; `RefusedError` says why it is not taken."""
        tenant = submission.tenant
        sequencer, keys = self._rules(tenant)
        found = self._examined(tenant, sequencer, keys, read_document(submission.value))
        _check_subscription(found)
        identity = found.external_id or submission.identity
        subscription = found.subscription or ids.subscription_reference(tenant, identity)
        lane_by = sequencer.configuration.lane_by
        lane = about.lane(lane_by, tenant, keys, found.document, subscription)
        order_id = ids.order_id(tenant, identity, lane)
        return Prepared(
            submission=submission,
            document=found.document,
            order_id=order_id,
            lane=lane,
            order_type=found.order_type,
            mode=found.mode,
            external_id=found.external_id,
            subscription_reference=subscription,
            subject=subject_of(keys, found.document, order_id),
            fingerprint=found.fingerprint,
            resolution=found.resolution,
            config_version=found.config_version,
        )

    def examine(
        self, tenant: str, document: Document, sequencer: Sequencer | None = None
    ) -> Examined:
        """What the document is, and its waybill; `RefusedError` says what is wrong with it.

        `sequencer` is that of another version than the one in use.
        """
        used, keys = self._rules(tenant)
        return self._examined(tenant, sequencer or used, keys, document)

    def _examined(
        self, tenant: str, sequencer: Sequencer, keys: TenantKeys, document: Document
    ) -> Examined:
        order_type = _order_type(document, sequencer.configuration)
        mode = _mode(document)
        external_id = _text(document, "external_id")
        _check_kinds(document)
        _check_items(document)
        examined = Examined(
            document=document,
            order_type=order_type,
            mode=mode,
            external_id=external_id,
            subscription=existing_subscription(document),
            fingerprint=_fingerprint(keys, document),
            resolution=_resolution(sequencer, document, order_type),
            config_version=sequencer.configuration.version,
        )
        self._check_connections(tenant, examined)
        strict = sequencer.configuration.strict_totals
        check_money(document, order_type, strict_totals=strict)
        return examined

    def config_version(self, tenant: str) -> int | None:
        """The version of the tenant's configuration in use."""
        sequencer = self._sequencers.get(tenant)
        return None if sequencer is None else sequencer.configuration.version

    def subject(self, tenant: str, document: Document, order_id: str) -> str:
        """Whose data the document holds."""
        return subject_of(self._rules(tenant)[1], document, order_id)

    def _rules(self, tenant: str) -> tuple[Sequencer, TenantKeys]:
        sequencer, keys = self._sequencers.get(tenant), self._keys.get(tenant)
        if sequencer is None or keys is None:
            raise refused(
                "no_configuration",
                f"there is no processing configuration for the tenant {tenant!r}",
                "give the tenant a configuration and a key, or correct the header waybill-tenant",
            )
        return sequencer, keys

    def _check_connections(self, tenant: str, examined: Examined) -> None:
        mode = examined.mode
        for step in examined.resolution.waybill:
            name = self._missing_connection(tenant, mode, step)
            if name is not None:
                raise refused(
                    "no_connection",
                    f"the step {step.id!r} needs the connection {name!r}, which the tenant"
                    f" {tenant!r} does not have in mode {mode!r}",
                    "add the connection; orders never use one of another mode",
                    "/mode",
                )


def acceptance(prepared: Prepared, key: DataKey, nonce: bytes, now: datetime) -> Event:
    """The event that takes the order; its personal sections sealed with the subject's `key`."""
    submission = prepared.submission
    document, sealed = seal_document(prepared.document, prepared.order_id, key, nonce)
    fact = OrderAccepted(
        order_type=prepared.order_type,
        mode=prepared.mode,
        external_id=prepared.external_id,
        order_reference=ids.order_reference(prepared.order_id),
        subscription_reference=prepared.subscription_reference,
        owner=prepared.owner,
        effective_date=effective_date(prepared.document, now),
        config_version=prepared.config_version,
        axes=prepared.resolution.axes,
        waybill=prepared.resolution.waybill,
        document=document,
        sealed=sealed,
        fingerprint=prepared.fingerprint,
    )
    envelope = Envelope(
        event_id=ids.event_id(prepared.order_id, 1, fact),
        tenant=submission.tenant,
        lane=prepared.lane,
        order_id=prepared.order_id,
        run=1,
        occurred_at=now,
        actor=submission.actor,
        causation=submission.origin,
        trace=submission.trace,
        origin=submission.origin,
    )
    return Event(envelope, fact)


def effective_date(document: Document, now: datetime) -> str:
    """The day that the steps work with: the order's, its first item's start, else today (UTC)."""
    items = document.get("orderItems") or [{}]
    for given in (document.get("orderDate"), items[0].get("startDate")):
        if isinstance(given, str):
            try:
                return date.fromisoformat(given[:10]).isoformat()
            except ValueError:
                continue
    return now.date().isoformat()


def _fingerprint(keys: TenantKeys, document: Document) -> bytes:
    try:
        return fingerprint(keys, document)
    except TypeError:
        raise refused(
            "malformed", "the order is nested too deep", "nest at most 250 levels"
        ) from None


def _order_type(document: Document, configuration: Configuration) -> str:
    given = _text(document, "order_type") or "new"
    if configuration.axes.order_type != "order_type":
        given = str(_evaluated(configuration.axes.order_type, document) or "new")
    order_type = "new" if given == "submitted" else given
    known = (*ORDER_TYPES, *configuration.order_types)
    if order_type not in known:
        near = get_close_matches(order_type, known, 1)
        raise refused(
            "unknown_order_type",
            f"{given[:MAX_REFERENCE]!r} is not an order type",
            f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}",
            "/order_type",
        )
    return order_type


def _mode(document: Document) -> str:
    mode = _text(document, "mode") or "production"
    if mode not in {"production", "test"}:
        raise refused("malformed", f"{mode!r} is not a mode", "use 'production' or 'test'", "/mode")
    return mode


def _text(document: Document, member: str) -> str | None:
    value = document.get(member)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_reference(value):
        raise refused(
            "malformed",
            f"{member} is not a text of at most {MAX_REFERENCE} characters without control ones",
            f"send {member} as a JSON string",
            f"/{member}",
        )
    return value


def _check_kinds(document: Document) -> None:
    for kind, name, members in _KINDS:
        for member in members:
            value = document.get(member)
            if value is not None and not isinstance(value, kind):
                raise refused(
                    "malformed",
                    f"{member} is no {name}",
                    f"send {member} as a JSON {name}, or leave it out",
                    f"/{member}",
                )


def _check_items(document: Document) -> None:
    items = document.get("orderItems")
    if items is None:
        return
    if not isinstance(items, list):
        raise refused("malformed", "orderItems is not a list", "send a list", "/orderItems")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise refused(
                "malformed",
                "an order item is not an object",
                "send objects",
                f"/orderItems/{index}",
            )


def _check_subscription(found: Examined) -> None:
    if found.subscription is None and found.order_type in CHANGES:
        raise refused(
            "subscription_required",
            f"an order of type {found.order_type} is about a subscription, and this one names none",
            "send the subscription's reference as forSubscription",
            "/forSubscription",
        )


def _evaluated(expression: str, document: Document) -> Any:
    try:
        return evaluated(expression, document)
    except ValueError as problem:
        raise refused(
            "no_matching_configuration", str(problem), "correct the configuration's expression"
        ) from None


def _resolution(sequencer: Sequencer, document: Document, order_type: str) -> Resolution:
    try:
        resolution = sequencer.resolve(document, order_type)
    except ValueError as problem:
        raise refused(
            "no_matching_configuration", str(problem), "correct the configuration's expression"
        ) from None
    if not resolution.waybill:
        raise refused(
            "no_matching_configuration",
            f"no plugin is left for this order ({dict(resolution.axes)})",
            "give these orders a sequence, or correct the exclusions",
        )
    size = sum(len(step.options) + len(step.map or "") for step in resolution.waybill)
    if size > MAX_WAYBILL_BYTES:
        raise refused("oversize", f"the waybill has {size} bytes of options", "shorten the options")
    return resolution
