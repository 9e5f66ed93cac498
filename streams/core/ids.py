"""Ids and keys: derived from what they stand for, so that a repetition derives the same one."""

import hashlib
from uuid import UUID

from schemas.events import CommandReceived, Decided, Fact, OrderAccepted, StepStarted

_NAMESPACE = UUID("7a0c2f5e-6c1b-5d0e-9a57-3a1f4c1d8e21").bytes
_REFERENCE_LENGTH = 12
# Without I, O, 0 and 1, which people confuse; a byte chooses each of the 32 equally often.
_LETTERS = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789" * 8
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def derived_uuid(*parts: str) -> str:
    """The version 5 UUID of the parts."""
    data = _NAMESPACE + "\x1f".join(parts).encode()
    text = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    variant = _VARIANT[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _reference(*parts: str) -> str:
    digest = hashlib.sha256(_NAMESPACE + "\x1f".join(parts).encode()).digest()
    return digest[:_REFERENCE_LENGTH].translate(_LETTERS).decode()


def order_id(tenant: str, identity: str, lane: str) -> str:
    """The order's id; with the lane in it, so that an id lives in one partition.

    `identity` is the `external_id`, else an idempotency key, else topic/partition/offset.
    """
    return "order-" + derived_uuid("order", tenant, identity, lane).replace("-", "")


def order_reference(order: str) -> str:
    """Twelve characters that people can read out."""
    return _reference("order-reference", order)


def subscription_reference(tenant: str, identity: str) -> str:
    """The reference of the subscription that a new order opens."""
    return _reference("subscription", tenant, identity)


def lane_id(tenant: str, subscription: str) -> str:
    """Orders of one lane never overtake each other; it is the Kafka key of `order-events`."""
    return f"{tenant}/{subscription}"


def customer_lane_id(tenant: str, customer: str) -> str:
    """The lane of a customer's orders; no subscription's, whose references hold no slash."""
    return f"{tenant}/customer/{customer}"


def command_id(tenant: str, identity: str) -> str:
    """The id of a command that brought none; `identity` is topic/partition/offset."""
    return "command-" + derived_uuid("command", tenant, identity).replace("-", "")


def call_key(tenant: str, order: str, step: str, call: str, generation: int) -> str:
    """The idempotency key of one call: the same however often it is repeated.

    `generation` rises only when the call failed definitely: partners store failures under a key
    too.
    """
    return derived_uuid("call", tenant, order, step, call, str(generation))


def event_id(order: str, run: int, fact: Fact) -> str:
    """The same decision, written twice, carries the same id."""
    kind = type(fact).__name__
    if isinstance(fact, OrderAccepted):
        return derived_uuid("event", order, kind, fact.fingerprint.hex())
    if isinstance(fact, CommandReceived):
        return derived_uuid("event", order, kind, fact.command)
    if isinstance(fact, StepStarted):
        return derived_uuid("event", order, str(run), kind, str(fact.expected), fact.worker)
    if isinstance(fact, Decided):
        return derived_uuid("event", order, str(run), kind, str(fact.expected))
    return derived_uuid("event", order, str(run), kind, fact.step, str(fact.attempt))
