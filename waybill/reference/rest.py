"""The reference page about the HTTP API, from the OpenAPI document that it serves."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from waybill.api.openapi import openapi
from waybill.api.routes import ROUTES
from waybill.reference.markdown import code, page, table

_SCOPES = (
    ("`read`", "orders, timelines, process events, the configuration"),
    (
        "`submit`",
        "orders and their previews, notifications and synchronisation, events of buyers",
    ),
    (
        "`operate`",
        "commands, attention, stages, rejected records, audit; messages, bodies and call keys",
    ),
    ("`configure`", "webhook endpoints and their secrets"),
)


def rest() -> str:
    """The page."""
    document = orjson.loads(openapi(ROUTES))
    operations = list(_operations(document))
    overview = [
        (code(f"{method} {path}"), operation["summary"], code(_scope(operation)) or "none")
        for method, path, operation in operations
    ]
    return page(
        "REST",
        "The same as `/api/openapi.json` (OpenAPI 3.1). Problems are RFC 9457 documents with the "
        "members `code`, `detail`, `field` and `remedy`; [error codes](error-codes.md) lists them. "
        "Every answer of a view carries `Waybill-Applied`: how far the views had read the log.",
        "Without `WAYBILL_API_KEYS` the API takes requests of this machine only, for any tenant "
        "(header `waybill-tenant`). With it, a key names its tenant and its scopes; no scope "
        "includes another.",
        table(("scope", "allows"), _SCOPES),
        table(("operation", "what it does", "scope"), overview),
        *(_operation(*operation) for operation in operations),
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _scope(operation: Mapping[str, Any]) -> str:
    return str(operation["security"][0]["apiKey"][0]) if operation["security"] else ""


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parameters = [
        (code(one["name"]), one["in"], one.get("description", ""))
        for one in operation["parameters"]
    ]
    answers = [(status, one["description"]) for status, one in operation["responses"].items()]
    parts = [f"## {method} {path}", f"{operation['summary']}."]
    if parameters:
        parts.append(table(("parameter", "in", "meaning"), parameters))
    parts.append(table(("status", "answer"), answers))
    return "\n\n".join(parts)
