"""The OpenAPI 3.1 document, made from the routes that are served."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.orders import MAX_ORDER_BYTES
from waybill import __version__
from waybill.api import examples
from waybill.api.call import JSON, Answer, Route
from waybill.api.problems import (
    BAD_HEADER,
    BAD_QUERY,
    BAD_TOKEN,
    CONTENT_TYPE,
    FOREIGN_HOST,
    INTERNAL,
    MISSING_SCOPE,
    STORE_UNAVAILABLE,
    UNAUTHENTICATED,
    VIEW_BEHIND,
    Kind,
)
from waybill.api.shapes import NoQuery, ProblemDocument, Reread

_REF = "#/components/schemas/{model}"
_APPLIED = {
    "Waybill-Applied": {
        "description": "The offsets that the views had applied, `partition:offset` by commas",
        "schema": {"type": "string"},
    }
}
_AVRO = "application/vnd.confluent.avro"


def problems_of(route: Route) -> tuple[Kind, ...]:
    """All kinds of problems that the route may answer with."""
    kinds = [*route.problems, INTERNAL, BAD_QUERY]
    if route.scope is not None:
        kinds += [UNAUTHENTICATED, MISSING_SCOPE, FOREIGN_HOST, BAD_HEADER, STORE_UNAVAILABLE]
    if issubclass(route.query, Reread):
        kinds += [BAD_TOKEN, VIEW_BEHIND]
    return tuple(dict.fromkeys(kinds))


def openapi(routes: Iterable[Route]) -> bytes:
    """The document as JSON."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Waybill",
            "version": __version__,
            "description": "Orders in, views out. Problems are RFC 9457 documents.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`wb_<id>_<secret>`; without configured keys, loopback only",
                },
                "partnerSecret": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "`inbound` of the connection as password; as bearer token, too",
                },
            },
        },
    }
    return orjson.dumps(document)


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.id,
        "summary": route.summary,
        "tags": [route.tag],
        "security": _security(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": dict(sorted(_responses(route).items())),
    }
    if route.takes_order:
        operation["requestBody"] = _order_body()
    elif route.body is not None:
        shown = {name: {"value": value} for name, value in route.body_examples.items()}
        content = {"schema": _reference(route.body), "examples": shown}
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.scope is None:
        return []
    by_key = {"apiKey": [route.scope.value]}
    return [by_key] if route.partner is None else [by_key, {"partnerSecret": []}]


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in route.answers:
        responses[str(answer.status)] = {
            "description": answer.description,
            "headers": {**_APPLIED, **_answer_headers(answer)},
            "content": {answer.content_type: _content(answer)},
        }
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in problems_of(route):
        by_status[kind.status].append(kind)
    for status, kinds in by_status.items():
        response = responses.setdefault(str(status), {"headers": _APPLIED, "content": {}})
        codes = "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds)
        response["description"] = ". ".join(filter(None, [response.get("description"), codes]))
        response["content"][CONTENT_TYPE] = {
            "schema": _reference(ProblemDocument),
            "examples": {kind.code: {"value": _problem(kind)} for kind in kinds},
        }
    return responses


def _content(answer: Answer) -> dict[str, Any]:
    shape = answer.shape
    if shape is None:
        schema: Mapping[str, Any] = {"type": "string"}
    elif isinstance(shape, Mapping):
        schema = shape
    else:
        schema = _reference(shape)
    content: dict[str, Any] = {"schema": schema}
    if answer.example is not None:
        content["example"] = answer.example
    return content


def _answer_headers(answer: Answer) -> dict[str, Any]:
    return {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in answer.headers.items()
    }


def _problem(kind: Kind) -> dict[str, Any]:
    return {
        "type": f"urn:waybill:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": "what is wrong with this request",
        "code": kind.code,
        "field": None,
        "remedy": "what to do about it",
    }


def _path_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for part in route.path.split("/"):
        if part.startswith("{"):
            yield {
                "name": part[1:-1],
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
            }


def _query_parameters(route: Route) -> Iterator[dict[str, Any]]:
    if route.query is NoQuery:
        return
    schema = route.query.model_json_schema(ref_template=_REF)
    for name, member in schema["properties"].items():
        plain = {key: value for key, value in member.items() if key != "description"}
        yield {
            "name": name,
            "in": "query",
            "required": False,
            "description": member.get("description", name.replace("_", " ")),
            "schema": plain,
        }


def _headers(route: Route) -> Iterator[dict[str, Any]]:
    for name, text in route.headers.items():
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "description": text,
            "schema": {"type": "string"},
        }


def _order_body() -> dict[str, Any]:
    return {
        "required": True,
        "description": f"The order, at most {MAX_ORDER_BYTES} bytes. Members that are not listed"
        " are kept and handed to the plugins.",
        "content": {
            "application/json": {"schema": _ORDER, "example": examples.SUBMISSION},
            _AVRO: {"schema": {"type": "string", "format": "binary"}},
        },
    }


_ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "external_id": {"type": "string", "maxLength": 255},
        "order_type": {"type": "string", "default": "new"},
        "process_immediately": {"type": "boolean", "default": False},
        "mode": {"enum": ["production", "test"], "default": "production"},
        "forSubscription": {"description": "The subscription that a change is about"},
        "effectiveDate": {"type": "string", "format": "date", "description": "For changes"},
        "originalOffer": {"type": "object", "description": "What a change of offer replaces"},
        "orderItems": {"type": "array", "items": {"type": "object"}},
        "customerDetails": {"type": "object"},
        "billingDetails": {"type": "object"},
        "deliveryDetails": {"type": "object"},
        "payment": {"type": "object"},
        "total": {"type": "object"},
    },
    "additionalProperties": True,
}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    models: list[type[BaseModel]] = [ProblemDocument]
    for route in routes:
        models += [a.shape for a in route.answers if isinstance(a.shape, type)]
        models += [] if route.body is None else [route.body]
    _, definitions = models_json_schema(
        [(model, "serialization") for model in dict.fromkeys(models)], ref_template=_REF
    )
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
