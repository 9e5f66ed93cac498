"""Every type of webhook: its name, when it is sent, and which updates lead to it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from streams.core.webhooks.accepted import OWN_PAYLOADS
from streams.core.webhooks.updates import Update

_Names: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of webhook. `personal`: its full body has personal data, for those who may."""

    name: str
    group: str
    title: str
    description: str
    personal: bool


def types_of(update: Update) -> Sequence[str]:
    """The names of the types that the update is sent as; none where it is of none."""
    found = _TYPES_OF.get(update.kind, ())
    return found if isinstance(found, tuple) else found(update.data)


def wants_step_results(patterns: Iterable[str]) -> bool:
    """Whether one of the patterns means the result of a step."""
    return any(matches(patterns, f"step.{result}") for result in _STEPS)


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns (`order.failed`, `order.*`, `*`) means the type."""
    group = f"{name.partition('.')[0]}.*"
    return any(pattern in {"*", name, group} for pattern in patterns)


def unknown_patterns(patterns: Iterable[str]) -> Mapping[str, str | None]:
    """The patterns that mean no type, each with the name or pattern that is nearest to it."""
    known = [*TYPES, *sorted({f"{name.partition('.')[0]}.*" for name in TYPES}), "*"]
    return {
        pattern: next(iter(get_close_matches(pattern, known, 1)), None)
        for pattern in patterns
        if pattern not in known
    }


_STATES: Final[Mapping[str, str]] = {
    "accepted": "The order is taken and its waybill pinned",
    "processing": "Its steps are run",
    "waiting": "It waits: for the next attempt of a step, or for a stage that takes no more now",
    "queued": "It waits for an earlier order of its lane",
    "paused": "A person has paused it",
    "in_doubt": "Nobody can tell what became of a step; a person decides",
    "post_processing": "Its main phase is done; from here it cannot fail",
    "completed": "It has ended well",
    "failed": "Its run has ended badly; a person can open the next one",
    "cancelled": "It has ended because a person cancelled it",
    "amended": "A person has changed what it says, or its waybill",
    "reopened": "The next run of a failed order has begun",
}
_WITH_DOCUMENT = frozenset({"accepted", "in_doubt", "completed", "failed", "cancelled", "amended"})
_STEPS: Final[Mapping[str, str]] = {
    "succeeded": "The step is done",
    "failed": "An attempt failed; `next_attempt` says whether another one follows",
    "in_doubt": "A request was sent and nobody can tell what became of it",
    "skipped": "The step had nothing to do for this order",
    "deferred": "The attempt was not sent: its stage takes no more now, or the order is to stop",
    "compensated": "What the step had done is undone",
    "compensation_failed": "An attempt to undo the step failed",
}
_AT_ACCEPTANCE: Final[Mapping[str, tuple[str, str]]] = {
    "new": ("order_submitted", "Order Submitted"),
    "change_address": ("address_change", "Address Change"),
    "change_payment": ("payment_method_change", "Payment Method Change"),
    "change_offer": ("subscription_offer_change", "Subscription Offer Change"),
    "add_offer": ("subscription_offer_addition", "Subscription Offer Addition"),
    "cancel_subscription": ("subscription_cancellation", "Subscription Cancellation"),
    "update_customer_details": ("update_customer_details", "Update Customer Details"),
    "update_subscription": ("update_subscription", "Update Subscription"),
}
"""Limio's types that an order brings when it is taken, by order type."""
_JOURNEYS: Final[Mapping[str, tuple[str, str]]] = {
    "checkout_initiated": ("Checkout Initiated", "A buyer has begun a checkout"),
    "cancel_attempted": ("Cancel Attempted", "A subscriber has begun to cancel"),
    "payment_method_added": (
        "Payment Method Added",
        "A payment method was added, or an order of type `change_payment` has ended well",
    ),
    "address_added": (
        "Address Added",
        "An address was added, or an order of type `change_address` has ended well",
    ),
}
_RESULTS: Final[Mapping[str, tuple[str, str]]] = {
    "customer_created": (
        "Customer Created",
        "A new order has ended well, and no earlier record of its customer was found",
    ),
    "customer_updated": (
        "Customer Updated",
        "A new order of a customer who was known has ended well, or a change of their details",
    ),
    "subscription_created": ("Subscription Created", "A new order has ended well"),
    "entitlements_updated": (
        "Entitlements Updated",
        "An order has ended well, and granted or ended entitlements",
    ),
    "error": (
        "Error",
        (
            "A run has failed, has ended well with steps that failed, or rests because nobody can "
            "tell what became of a step; all failures so far are in `pluginErrorOutput`"
        ),
    ),
}
_IMPERSONAL = frozenset(
    {"subscription_created", "entitlements_updated", "checkout_initiated", "cancel_attempted"}
)
_ADDED: Final[Mapping[str, str]] = {
    "change_payment": "limio.payment_method_added",
    "change_address": "limio.address_added",
}
BAD_STEPS = frozenset({"failed", "in_doubt", "compensation_failed"})
_ENTITLEMENTS = "entitlements"


def has_failures(order: Mapping[str, Any]) -> bool:
    """Whether a step of the order stands as failed, or nobody knows how."""
    return any(step["status"] in BAD_STEPS for step in order["steps"])


def is_known_customer(order: Mapping[str, Any]) -> bool:
    """Whether a step found a record of the customer that was there before."""
    return any(output.get("matched") for output in order["context"].values())


def entitlements_of(order: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the step for entitlements handed on, if it changed anything."""
    for step in order["steps"]:
        output = order["context"].get(step["id"], {})
        if step["name"] == _ENTITLEMENTS and (output.get("granted") or output.get("ended")):
            return dict(output)
    return None


def _accepted(order: Mapping[str, Any]) -> _Names:
    order_type = order["order_type"]
    own = ("order.accepted", *_own_of(order_type))
    limio = _AT_ACCEPTANCE.get(order_type)
    return own if limio is None else (*own, f"limio.{limio[0]}")


def _own_of(order_type: str) -> _Names:
    return (f"accepted.{order_type}",) if order_type in OWN_PAYLOADS else ()


def _completed(order: Mapping[str, Any]) -> _Names:
    names, order_type = ["order.completed"], order["order_type"]
    if order_type == "new":
        known = is_known_customer(order)
        names += [f"limio.customer_{'updated' if known else 'created'}"]
        names += ["limio.subscription_created"]
    elif order_type == "update_customer_details":
        names.append("limio.customer_updated")
    elif order_type in _ADDED:
        names.append(_ADDED[order_type])
    if entitlements_of(order) is not None:
        names.append("limio.entitlements_updated")
    if has_failures(order):
        names.append("limio.error")
    return tuple(names)


_TYPES_OF: Mapping[str, _Names | Callable[[Mapping[str, Any]], _Names]] = {
    **{f"order.{state}": (f"order.{state}",) for state in _STATES},
    **{f"order.step_{result}": (f"step.{result}",) for result in _STEPS},
    **{f"journey.{journey}": (f"limio.{journey}",) for journey in _JOURNEYS},
    "order.accepted": _accepted,
    "order.completed": _completed,
    "order.failed": ("order.failed", "limio.error"),
    "order.in_doubt": ("order.in_doubt", "limio.error"),
    "webhook.test": ("webhook.test",),
    "webhook.endpoint_disabled": ("webhook.endpoint_disabled",),
}


def _all() -> Iterable[EventType]:
    for state, said in _STATES.items():
        yield _type("order", state, said, personal=state in _WITH_DOCUMENT)
    for result, said in _STEPS.items():
        yield _type("step", result, said)
    for order_type, own in OWN_PAYLOADS.items():
        said = f"An order of type `{order_type}` is taken, whatever becomes of it"
        yield _type("accepted", order_type, said, personal=bool(own.personal))
    for order_type, (name, title) in _AT_ACCEPTANCE.items():
        said = f"An order of type `{order_type}` is taken, whatever becomes of it"
        yield _limio(name, title, said)
    for name, (title, said) in {**_RESULTS, **_JOURNEYS}.items():
        yield _limio(name, title, said)
    yield _type("webhook", "test", "Somebody tries the endpoint")
    yield _type(
        "webhook",
        "endpoint_disabled",
        "Another endpoint of the tenant gets nothing any more: it said that it is gone, or failed "
        "for days",
    )


def _type(group: str, name: str, said: str, *, personal: bool = False) -> EventType:
    title = f"{group} {name.replace('_', ' ')}".capitalize()
    return EventType(
        name=f"{group}.{name}", group=group, title=title, description=said, personal=personal
    )


def _limio(name: str, title: str, said: str) -> EventType:
    personal = name not in _IMPERSONAL
    return EventType(
        name=f"limio.{name}", group="limio", title=title, description=said, personal=personal
    )


TYPES: Final[Mapping[str, EventType]] = {one.name: one for one in _all()}
"""All types by name."""
