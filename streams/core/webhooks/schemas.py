"""The model behind each type of webhook, and its JSON Schema."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, create_model

from streams.core.webhooks import limio_shapes as limio
from streams.core.webhooks import shapes
from streams.core.webhooks.accepted import OWN_PAYLOADS
from streams.core.webhooks.catalogue import TYPES
from streams.core.webhooks.endpoint import Payload

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_Models: TypeAlias = tuple[type[BaseModel], type[BaseModel]]
"""Of the thin and of the full payload."""

_LIMIO: Final[Mapping[str, _Models]] = {
    "customer_created": (limio.LimioSummary, limio.LimioCustomer),
    "customer_updated": (limio.LimioSummary, limio.LimioCustomer),
    "subscription_created": (limio.LimioSummary, limio.LimioSubscription),
    "entitlements_updated": (limio.LimioSummary, limio.LimioEntitlement),
    "error": (limio.LimioErrorThin, limio.LimioError),
    "checkout_initiated": (limio.LimioEventThin, limio.LimioEvent),
    "cancel_attempted": (limio.LimioEventThin, limio.LimioEvent),
    "payment_method_added": (limio.LimioEventThin, limio.LimioEvent),
    "address_added": (limio.LimioEventThin, limio.LimioEvent),
}
_WEBHOOK: Final[Mapping[str, type[BaseModel]]] = {
    "test": shapes.Tried,
    "endpoint_disabled": shapes.EndpointDisabled,
}


@cache
def body_model(name: str, payload: Payload) -> type[BaseModel]:
    """What a body of the type is validated by; `KeyError` where there is no such type."""
    group = TYPES[name].group
    models = _models(group, name.partition(".")[2], is_personal=TYPES[name].personal)
    model = models[0] if payload == "thin" else models[1]
    if group == "limio":
        return model
    word: Any = Literal[name]
    title = "".join(part.capitalize() for part in name.replace(".", "_").split("_"))
    return create_model(
        f"{title}Thin" if payload == "thin" else title,
        __config__=ConfigDict(extra="forbid"),
        __doc__=TYPES[name].description + ".",
        type=(word, ...),
        timestamp=(AwareDatetime, ...),
        data=(model, ...),
    )


@cache
def body_schema(name: str, payload: Payload) -> Mapping[str, Any]:
    """The JSON Schema (2020-12) of the type's bodies; it leaves room for members to come."""
    schema = body_model(name, payload).model_json_schema(mode="serialization")
    return {"$schema": DIALECT, **opened(schema)}


def opened(schema: Any) -> Any:
    """The schema for those who read: members to come do not break them."""
    if isinstance(schema, list):
        return [opened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False}.items()
    return {name: opened(one) for name, one in schema.items() if (name, one) not in closed}


@cache
def published_model(name: str) -> type[BaseModel]:
    """What `order-updates` holds of the types `order.*`, `step.*` and of journeys (`journey.*`)."""
    group = name.partition(".")[0]
    if group == "journey":
        return shapes.JourneyTold
    if group == "step":
        return shapes.OrderWithStep
    return shapes.OrderWithDocument if TYPES[name].personal else shapes.OrderFull


def _models(group: str, name: str, *, is_personal: bool) -> _Models:
    match group:
        case "limio":
            return _LIMIO.get(name, (limio.LimioSummary, limio.LimioOrder))
        case "accepted":
            return shapes.OrderRef, OWN_PAYLOADS[name].model
        case "step":
            return shapes.StepThin, shapes.StepFull
        case "webhook":
            return _WEBHOOK[name], _WEBHOOK[name]
        case _:
            full = shapes.OrderWithAll if is_personal else shapes.OrderFull
            return shapes.OrderThin, full
