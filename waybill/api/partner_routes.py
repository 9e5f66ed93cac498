"""Routes of connectors and connections, with their examples."""

from typing import Any

from schemas.connections import Limits
from waybill.api import partner_shapes as shapes
from waybill.api import partner_systems, problems
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

_LINE: dict[str, Any] = {
    "name": "acme",
    "service": "provisioning",
    "summary": "Opens the buyer's account at Acme; hands on its number.",
    "distribution": "waybill-acme 0.1.0",
    "idempotency": "native",
    "looks_up": True,
    "compensates": False,
    "previews": False,
    "connection": "acme",
    "timeout_s": 30.0,
}
_CONNECTOR: dict[str, Any] = {
    **_LINE,
    "docs": "Output: `account` (Acme's number of the account).",
    "keys": {
        "header": "Idempotency-Key",
        "methods": ["PATCH", "POST", "PUT"],
        "valid_for_s": 86400,
    },
    "sealed_outputs": [],
    "secret_options": [],
    "probe": None,
    "options": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "AcmeOptions",
        "type": "object",
        "additionalProperties": False,
        "properties": {"plan": {"type": "string", "title": "Plan", "default": "standard"}},
    },
}
_CONNECTION: dict[str, Any] = {
    "name": "zuora",
    "mode": "production",
    "base_url": "https://rest.zuora.example",
    "auth": "oauth_client_credentials",
    "secrets": [
        {"member": "auth.client_id", "kind": "env", "name": "ZUORA_CLIENT_ID"},
        {"member": "auth.client_secret", "kind": "env", "name": "ZUORA_CLIENT_SECRET"},
    ],
    "headers": [],
    "limits": Limits().model_dump(mode="json"),
    "used_by": ["zuora"],
    "status": "error",
    "check": {
        "at": "2026-03-01T10:15:30.123456+00:00",
        "reached": True,
        "connect_ms": 41.7,
        "tls": {
            "version": "TLSv1.3",
            "issuer": "Let's Encrypt",
            "expires_at": "2026-05-20T08:00:00+00:00",
        },
        "credentials": "refused",
        "findings": [
            {
                "code": "credentials_refused",
                "message": "no access token: the partner answered 401 (invalid_client)",
                "remedy": "correct the credentials that the connection names",
                "severity": "error",
            }
        ],
    },
}
_UNCHECKED = {**_CONNECTION, "status": "unchecked", "check": None}
_NAME = {"name": {"type": "string", "minLength": 1, "examples": ["zuora"]}}

PARTNERS: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/connectors",
        handler=partner_systems.connectors,
        id="listConnectors",
        summary="Every connector that is installed: the plugins that a sequence can name",
        tag="configuration",
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="All connectors",
                shape=shapes.ConnectorsPage,
                example={"items": [_LINE], "next": None},
            ),
        ),
    ),
    Route(
        method="GET",
        path="/api/connectors/{name}",
        parts=_NAME,
        handler=partner_systems.one_connector,
        id="readConnector",
        summary="One connector, with the JSON Schema of its options",
        tag="configuration",
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="The connector",
                shape=shapes.ConnectorView,
                example=_CONNECTOR,
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/api/connections",
        handler=partner_systems.connections,
        id="listConnections",
        summary="Where the tenant's partners are reached, and how the last checks went",
        tag="configuration",
        scope=Scope.OPERATE,
        query=shapes.ConnectionsQuery,
        answers=(
            Answer(
                status=200,
                description="The connections, without their secrets",
                shape=shapes.ConnectionsPage,
                example={"items": [_UNCHECKED], "next": None},
            ),
        ),
    ),
    Route(
        method="POST",
        path="/api/connections/check",
        handler=partner_systems.check_connections,
        id="checkConnections",
        summary="Connect to partners and try the credentials; nothing is changed at theirs",
        tag="configuration",
        scope=Scope.OPERATE,
        query=shapes.ConnectionsQuery,
        answers=(
            Answer(
                status=200,
                description="The connections, and what was found",
                shape=shapes.ConnectionsPage,
                example={"items": [_CONNECTION], "next": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
)
