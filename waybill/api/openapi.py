"""The OpenAPI 3.1 document, made from the routes that are served."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from schemas.orders import MAX_ORDER_BYTES
from waybill import __version__
from waybill.api import examples
from waybill.api.call import JSON, Answer, Header, Route
from waybill.api.links import links_of
from waybill.api.order_schema import ORDER
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
_ORDER = "#/components/schemas/Order"
_APPLIED = {
    "Waybill-Applied": {
        "description": "The offsets that the views had applied, `partition:offset` by commas",
        "schema": {
            "type": "string",
            "pattern": r"^([0-9]+:(-1|[0-9]+)(,[0-9]+:(-1|[0-9]+))*)?$",
        },
    }
}
_ANSWERED: Mapping[str, Mapping[str, Any]] = {
    "Location": {"type": "string", "format": "uri-reference"},
    "Retry-After": {"type": "integer", "minimum": 0},
}
"""Schemas of answers' headers that are not just text."""
_EXPLAINED: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "How to say who asks"},
    429: {"Retry-After": "Seconds after which it is worth trying again"},
    503: {"Retry-After": "Seconds after which it is worth trying again"},
}
"""Headers of problems by status; not every problem has them."""
_AVRO = "application/vnd.confluent.avro"
EVENT_STREAM = "text/event-stream"
_ANY_PART: Mapping[str, Any] = {"type": "string", "minLength": 1}


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
    schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, schemas)
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
            "schemas": schemas.definitions,
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


@dataclass(frozen=True, slots=True)
class _Schemas:
    """The shapes of all routes. One that is sent and answered may have a schema for each."""

    definitions: Mapping[str, Any]
    references: Mapping[tuple[Any, JsonSchemaMode], Mapping[str, Any]]

    def sent(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """What a request may hold."""
        return self.references[model, "validation"]

    def answered(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """What an answer holds."""
        return self.references[model, "serialization"]


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.id,
        "summary": route.summary,
        "tags": [route.tag],
        "security": _security(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": dict(sorted(_responses(route, schemas).items())),
    }
    if route.takes_order:
        operation["requestBody"] = _order_body()
    elif route.body is not None:
        shown = {name: {"value": value} for name, value in route.body_examples.items()}
        content = {"schema": schemas.sent(route.body), "examples": shown}
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.scope is None:
        return []
    by_key = {"apiKey": [route.scope.value]}
    return [by_key] if route.partner is None else [by_key, {"partnerSecret": []}]


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in route.answers:
        links = links_of(route.id, answer.status)
        responses[str(answer.status)] = {
            **({"links": links} if links else {}),
            "description": answer.description,
            "headers": {**_APPLIED, **_answer_headers(answer.headers)},
            "content": {answer.content_type: _content(answer, schemas)}
            if answer.content_type
            else {},
        }
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in problems_of(route):
        by_status[kind.status].append(kind)
    for status, kinds in by_status.items():
        response = responses.setdefault(str(status), {"headers": _APPLIED, "content": {}})
        response["headers"] = {**response["headers"], **_answer_headers(_EXPLAINED.get(status, {}))}
        codes = "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds)
        response["description"] = ". ".join(filter(None, [response.get("description"), codes]))
        response["content"][CONTENT_TYPE] = {
            "schema": schemas.answered(ProblemDocument),
            "examples": {kind.code: {"value": _problem(kind)} for kind in kinds},
        }
    return responses


def _content(answer: Answer, schemas: _Schemas) -> dict[str, Any]:
    shape = answer.shape
    if shape is None:
        schema: Mapping[str, Any] = {"type": "string"}
    elif isinstance(shape, Mapping):
        schema = shape
    else:
        schema = schemas.answered(shape)
    if answer.content_type == EVENT_STREAM:
        return {"schema": _event(schema), "example": _sent(answer.example)}
    content: dict[str, Any] = {"schema": schema}
    if answer.example is not None:
        content["example"] = answer.example
    return content


def _event(data: Mapping[str, Any]) -> dict[str, Any]:
    """One event of a stream, as its lines say it."""
    text = {"type": "string"}
    inside = {**text, "contentMediaType": JSON, "contentSchema": data}
    return {
        "type": "object",
        "description": "One event; the stream goes on as long as the reader stays",
        "properties": {"id": text, "event": text, "data": inside},
        "required": ["id", "event", "data"],
    }


def _sent(entry: Mapping[str, Any]) -> dict[str, str]:
    place = f"{entry['partition']}:{entry['offset']}"
    return {"id": place, "event": entry["type"], "data": orjson.dumps(entry).decode()}


def _answer_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {"description": text, "schema": _ANSWERED.get(name, {"type": "string"})}
        for name, text in headers.items()
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
            name = part[1:-1]
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "schema": route.parts.get(name, _ANY_PART),
            }


def _query_parameters(route: Route) -> Iterator[dict[str, Any]]:
    if route.query is NoQuery:
        return
    schema = route.query.model_json_schema(ref_template=_REF)
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": member.get("description", name.replace("_", " ")),
            "schema": _given(member),
        }


def _given(member: Mapping[str, Any]) -> dict[str, Any]:
    """A member as a parameter: it is given or left out, and never null."""
    plain = {key: value for key, value in member.items() if key not in {"description", "title"}}
    if plain.get("default", ...) is None:
        del plain["default"]
    kinds = [kind for kind in plain.pop("anyOf", ()) if kind.get("type") != "null"]
    return {**plain, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}


def _headers(route: Route) -> Iterator[dict[str, Any]]:
    for name, given in route.headers.items():
        header = given if isinstance(given, Header) else Header(given)
        yield {
            "name": name,
            "in": "header",
            "required": header.required,
            "description": header.text,
            "schema": header.schema,
        }


def _order_body() -> dict[str, Any]:
    return {
        "required": True,
        "description": f"The order, at most {MAX_ORDER_BYTES} bytes. Members that are not listed"
        " are kept and handed to the plugins.",
        "content": {
            JSON: {"schema": {"$ref": _ORDER}, "example": examples.SUBMISSION},
            _AVRO: {"schema": {"type": "string", "format": "binary"}},
        },
    }


def _schemas(routes: Iterable[Route]) -> _Schemas:
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemDocument, "serialization")]
    for route in routes:
        models += [(a.shape, "serialization") for a in route.answers if isinstance(a.shape, type)]
        models += [] if route.body is None else [(route.body, "validation")]
    references, found = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    return _Schemas({"Order": ORDER, **found["$defs"]}, references)
