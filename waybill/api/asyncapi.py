"""The AsyncAPI 3.0 document: what goes out, as CloudEvents on topics and as webhooks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from streams.core.webhooks.catalogue import TYPES
from streams.core.webhooks.journeys import JOURNEY_TYPES
from streams.core.webhooks.schemas import body_model, opened, published_model
from streams.topics import TOPICS, Topic, Topics
from waybill import __version__
from waybill.webhook_examples import webhook_examples

_MODEL: Final = "#/components/schemas/{model}"
_ENDS: Final = {
    "order-completed": ("order.completed",),
    "order-failed": ("order.failed", "order.cancelled"),
}
_KAFKA_BINDING: Final = "0.5.0"
_HTTP_BINDING: Final = "0.3.0"
_CLOUD_EVENT: Final = "cloudevent."
_WEBHOOK: Final = "webhook."


def asyncapi(topics: Topics) -> bytes:
    """The document as JSON, with the topics' real names."""
    published = [*_published()]
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Waybill",
            "version": __version__,
            "description": "What becomes of orders: CloudEvents 1.0 (binary mode) on Kafka, and "
            "webhooks signed by Standard Webhooks 1.0. At least once, in the order of the log per "
            "order; the same thing again has the same id. Expect further members.",
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": _channels(topics, published),
        "operations": _operations(),
        "components": {
            "messages": dict(_messages(published)),
            "schemas": _schemas(published),
        },
    }
    return orjson.dumps(document)


def _published() -> Iterator[str]:
    """What `order-updates` tells: types of webhooks that it has by itself."""
    yield from (name for name, one in TYPES.items() if one.group in {"order", "step"})
    yield from (f"journey.{journey}" for journey in JOURNEY_TYPES)


def _servers() -> dict[str, Any]:
    kafka = "Kafka, as in `WAYBILL_KAFKA`"
    host = {"description": "Host of the endpoint's URL", "default": "receiver.example.org"}
    return {
        "kafka": {"host": "localhost:9092", "protocol": "kafka", "description": kafka},
        "receiver": {
            "host": "{host}",
            "protocol": "https",
            "description": "A webhook endpoint of yours",
            "variables": {"host": host},
        },
    }


def _channels(topics: Topics, published: Iterable[str]) -> dict[str, Any]:
    names = {topic.name: (real, topic) for real, topic in topics.named()}
    held = {"order-updates": tuple(published), **_ENDS}
    found: dict[str, Any] = {
        channel: _topic(*names[channel], messages) for channel, messages in held.items()
    }
    found["webhooks"] = {
        "address": None,
        "title": "Webhooks",
        "description": "The URL of an endpoint; it gets the types that it asked for.",
        "servers": [{"$ref": "#/servers/receiver"}],
        "messages": {name: _message(_WEBHOOK, name) for name in TYPES},
    }
    return found


def _topic(real: str, topic: Topic, messages: Iterable[str]) -> dict[str, Any]:
    kept = topic.retention
    return {
        "address": real,
        "title": topic.name,
        "description": f"Key: {topic.key}. Kept {kept.days if kept else 0} days.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: _message(_CLOUD_EVENT, name) for name in messages},
        "bindings": {
            "kafka": {
                "topic": real,
                "partitions": topic.partitions,
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _message(prefix: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{prefix}{name}"}


def _operations() -> dict[str, Any]:
    told = {topic.name for topic in TOPICS} & {"order-updates", *_ENDS}
    found: dict[str, Any] = {
        f"publish-{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
        for name in sorted(told)
    }
    found["send-webhook"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/webhooks"},
        "description": "Any 2xx is success. Else it is sent again, ten times within 76 hours; "
        "`Retry-After` is honoured, 410 disables the endpoint.",
        "bindings": {"http": {"method": "POST", "bindingVersion": _HTTP_BINDING}},
    }
    return found


def _messages(published: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for name in published:
        yield f"{_CLOUD_EVENT}{name}", _cloud_event(name)
    for name in TYPES:
        yield f"{_WEBHOOK}{name}", _webhook(name)


def _cloud_event(name: str) -> dict[str, Any]:
    group, _, word = name.partition(".")
    kind = f"order.step_{word}" if group == "step" else name
    told = TYPES[f"limio.{word}" if group == "journey" else name]
    headers = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "The same whenever it is published again"},
        "ce_type": {"const": f"waybill.{kind}.v1"},
        "ce_source": {"type": "string", "description": "`/tenants/<tenant>`"},
        "ce_subject": {"type": "string", "description": "The order's id, or what stands for it"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_partitionkey": {"type": "string", "description": "The lane; the record's key"},
        "ce_traceparent": {"type": "string", "description": "W3C trace context"},
        "content-type": {"const": "application/json"},
    }
    return {
        "name": f"waybill.{kind}.v1",
        "title": told.title,
        "summary": told.description,
        "contentType": "application/json",
        "headers": _headers(headers, optional={"ce_traceparent"}),
        "payload": _ref(published_model(name)),
    }


def _webhook(name: str) -> dict[str, Any]:
    told = TYPES[name]
    headers = {
        "webhook-id": {"type": "string", "pattern": "^msg_[0-9a-f]{32}$"},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$"},
        "webhook-signature": {"type": "string", "description": "`v1,...` and `v1a,...` by spaces"},
        "waybill-event-type": {"const": name},
    }
    bodies = webhook_examples()[name]
    return {
        "name": name,
        "title": told.title,
        "summary": told.description,
        "contentType": "application/json",
        "headers": _headers(headers, optional=set()),
        "payload": {"anyOf": [_ref(body_model(name, "full")), _ref(body_model(name, "thin"))]},
        "examples": [{"name": payload, "payload": body} for payload, body in bodies.items()],
    }


def _headers(properties: Mapping[str, Any], optional: set[str]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _MODEL.format(model=model.__name__)}


def _schemas(published: Iterable[str]) -> Mapping[str, Any]:
    models = {published_model(name) for name in published}
    models |= {body_model(name, "thin") for name in TYPES}
    models |= {body_model(name, "full") for name in TYPES}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, found = models_json_schema(
        [(model, "serialization") for model in ordered], ref_template=_MODEL
    )
    definitions: Mapping[str, Any] = opened(found["$defs"])
    return definitions
