"""The reference page about webhooks, from their catalogue, models and examples."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from streams.core.webhooks import limio_shapes as limio
from streams.core.webhooks import shapes
from streams.core.webhooks.accepted import OWN_PAYLOADS
from streams.core.webhooks.catalogue import TYPES, EventType
from streams.core.webhooks.schemas import body_model
from waybill.reference.markdown import code, explained, page, promise, table
from waybill.webhook_examples import webhook_examples

_INTRO: Final = (
    "Every type of webhook: when it is sent, and what it says. An endpoint asks for types by name "
    "or by pattern (`order.*`, `*`), and for one of two payloads: `thin` says what has happened to "
    "which order, `full` also what the order holds. [Receive webhooks]"
    "(../how-to/receive-webhooks.md) has signatures and what to do with a message that comes "
    "twice; [manage webhooks](../how-to/manage-webhooks.md) has endpoints and deliveries. The API "
    "serves all of this for programs: `GET /api/webhook-types` with JSON Schemas and examples, "
    "`GET /api/asyncapi.json` with the same facts as CloudEvents on Kafka "
    "([topics](topics.md)). `waybill webhook types order.failed --schema` prints one schema."
)
_BODIES: Final = (
    "The body of our own types is `{type, timestamp, data}`; the header `waybill-event-type` "
    "carries the type on all. Types `limio.*` have Limio's bodies: the object itself, without an "
    "envelope. Expect further members.\n\n"
    "`data.sequence` rises with every event of the order, so that of two messages the later one "
    "is known. `data.previous_sequence` is the `sequence` of the update before it: whoever gets "
    "all of `order.*` and finds another one than the last that came has missed one.\n\n"
    "Personal sections (`customerDetails`, addresses, `payment`) are left out, unless the endpoint "
    "is made with `personal_data` and `full`; the column `personal` says which types have any. "
    "What steps hand on is there under `context`, less what connectors declare personal or secret "
    "([connectors](connectors.md))."
)
_ACCEPTED: Final = (
    "Sent when an order is taken, whatever becomes of it: an order whose billing fails later was "
    "told all the same. What has really become of it say `order.completed` and `order.failed`. "
    "The thin payload of all of them is the reference to the order."
)
_LIMIO: Final = (
    "Named after Limio's webhooks. Those about orders are sent when the order is taken, as Limio "
    "does; those about customers, subscriptions and entitlements when there is something to tell, "
    "at the order's good end. Events of buyers' journeys come from `POST /api/events`. The thin "
    "payload is the object without its `data`."
)
_PUBLISHING: Final = (
    "Results of steps are published for tenants with an enabled endpoint that wants any of them, "
    "and for all with `WAYBILL_STEP_RESULTS=on`."
)
_SHOWN_FULL: Final = frozenset({"order.completed", "order.failed"})
_SHAPES: Final[tuple[tuple[str, type[BaseModel]], ...]] = (
    ("A reference to an order", shapes.OrderRef),
    ("An order in full", shapes.OrderWithAll),
    ("A step of an order", shapes.OrderStep),
    ("The result of a step", shapes.StepResultFull),
    ("What all of Limio's objects have", limio.LimioSummary),
    ("Limio's order", limio.OrderData),
    ("Limio's customer", limio.CustomerData),
    ("Limio's subscription", limio.SubscriptionData),
    ("Limio's entitlements", limio.EntitlementData),
    ("Limio's error", limio.LimioError),
    ("Limio's event", limio.LimioEvent),
)


def webhooks() -> str:
    """The page."""
    rows = [
        (f"[{code(one.name)}](#{_anchor(one)})", one.description, "yes" if one.personal else "")
        for one in TYPES.values()
    ]
    return page(
        "Webhooks",
        _INTRO,
        _BODIES,
        table(("type", "sent when", "personal"), rows),
        "# States of orders",
        *_group("order"),
        "# Results of steps\n\n" + _PUBLISHING,
        *_group("step"),
        "# Orders as they are taken\n\n" + _ACCEPTED,
        *_group("accepted"),
        "# Limio's webhooks\n\n" + _LIMIO,
        *_group("limio"),
        "# About webhooks themselves",
        *_group("webhook"),
        "# Shapes",
        *(f"## {title}\n\n{promise(model)}\n\n{explained(model)}" for title, model in _SHAPES),
    )


def _group(group: str) -> Iterator[str]:
    for one in TYPES.values():
        if one.group == group:
            yield "\n\n".join(_type(one))


def _type(one: EventType) -> Iterator[str]:
    yield f"## {one.name}"
    yield f"{one.description}."
    if one.group == "accepted":
        model = OWN_PAYLOADS[one.name.partition(".")[2]].model
        reference = "[the reference](#a-reference-to-an-order)"
        yield f"{promise(model)} The full payload, besides {reference}:"
        yield explained(model, but=shapes.OrderRef)
    elif one.group == "webhook":
        yield explained(_data_of(one.name))
    yield from _example(one)


def _example(one: EventType) -> Iterator[str]:
    is_full = one.group in {"accepted", "limio", "webhook"} or one.name in _SHOWN_FULL
    payload = "full" if is_full else "thin"
    shown: Any = webhook_examples()[one.name][payload]
    yield f"For instance ({payload}):"
    yield f"```json\n{json.dumps(shown, indent=1, ensure_ascii=False)}\n```"


def _data_of(name: str) -> type[BaseModel]:
    found = body_model(name, "full").model_fields["data"].annotation
    assert isinstance(found, type)
    assert issubclass(found, BaseModel)
    return found


def _anchor(one: EventType) -> str:
    return one.name.replace(".", "")
