"""JSON Schemas of what paths and headers of requests hold, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from waybill.api.tokens import ORDER_ID, VECTOR

Schema: TypeAlias = Mapping[str, Any]

KEY: Schema = {"type": "string", "maxLength": 255, "pattern": r"^[ -~]*$"}
"""An idempotency key."""
_NAME = "[A-Za-z0-9][A-Za-z0-9._:-]{0,79}"
NAMING_KEY: Schema = {"type": "string", "pattern": f'^({_NAME}|"{_NAME}")?$'}
"""An idempotency key that becomes the id of a command."""
LAST_EVENT_ID: Schema = {"type": "string", "pattern": f"^$|{VECTOR}"}

ORDER_PART: Mapping[str, Schema] = {"id": {"type": "string", "pattern": f"^{ORDER_ID}$"}}
COMMAND_ID: Schema = {
    "type": "string",
    "pattern": f"^{_NAME}(/{ORDER_ID})?$",
}
BULK_ID: Schema = {"type": "string", "pattern": f"^{_NAME}$"}
STAGE: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "`<plugin>@<host>`, or `<plugin>` for all of its stages",
    "examples": ["zuora@rest.zuora.example"],
}
OBJECT_PARTS: Mapping[str, Schema] = {
    "service": {"type": "string", "enum": ["limio"]},
    "path_type": {"type": "string", "minLength": 1, "examples": ["orders", "events", "process"]},
    "id": {"type": "string", "pattern": "^[a-z_]+-[0-9A-Za-z-]+$"},
}
ENDPOINT_PART: Mapping[str, Schema] = {"id": {"type": "string", "pattern": "^whe_[0-9a-f]{32}$"}}
DELIVERY_PART: Mapping[str, Schema] = {"id": {"type": "string", "pattern": "^del_[0-9a-f]{32}$"}}
SCHEMA_PARTS: Mapping[str, Schema] = {
    "subject": {"type": "string", "minLength": 1, "examples": ["order-events-value"]},
    "version": {"type": "string", "pattern": "^(latest|-1|[1-9][0-9]*)$", "examples": ["latest"]},
    "id": {"type": "string", "pattern": "^[0-9]+$", "examples": ["1"]},
}
