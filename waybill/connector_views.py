"""Connectors as programs and people see them: what they state, and the schema of their options."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from plugins.api import Manifest
from plugins.registry import Registry

SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def connector_line(registry: Registry, name: str) -> dict[str, Any]:
    """What a list says of it; `distribution` None: it comes with Waybill."""
    one = registry.get(name)
    manifest = one.manifest
    return {
        "name": one.name,
        "service": manifest.service,
        "summary": manifest.summary,
        "distribution": registry.distribution(name),
        "idempotency": manifest.idempotency.value,
        "looks_up": one.look_up is not None,
        "compensates": one.compensation is not None,
        "previews": one.previewer is not None,
        "connection": None if manifest.endpoint else manifest.connection_name,
        "timeout_s": manifest.timeout_s,
    }


def connector_view(registry: Registry, name: str) -> dict[str, Any]:
    """All of it; `options` is the JSON Schema of the plugin entry's options."""
    one = registry.get(name)
    manifest = one.manifest
    return {
        **connector_line(registry, name),
        "docs": manifest.docs,
        "keys": _keys(manifest),
        "sealed_outputs": list(manifest.sealed_outputs),
        "secret_options": list(manifest.secrets),
        "probe": f"{probe.method} {probe.path}" if (probe := manifest.probe) else None,
        "options": {"$schema": SCHEMA, **manifest.options.model_json_schema()},
    }


def option_rows(schema: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, type, default and meaning of each option, from their JSON Schema.

    Members of an option that is an object follow it, as `accountOptions.recordTypeName`.
    """
    return list(_rows(schema, schema.get("$defs", {}), ""))


def _rows(
    schema: Mapping[str, Any], known: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    required = set(schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        below = known.get(str(part.get("$ref", "")).rpartition("/")[2], {})
        nested = below if "properties" in below else {}
        yield (
            prefix + name,
            "object" if nested else _type(part),
            "required" if name in required else "" if nested else _default(part),
            str(part.get("description") or below.get("description") or ""),
        )
        yield from _rows(nested, known, f"{prefix}{name}.")


def _keys(manifest: Manifest) -> dict[str, Any] | None:
    if manifest.key_header is None:
        return None
    return {
        "header": manifest.key_header,
        "methods": sorted(manifest.key_methods),
        "valid_for_s": manifest.key_valid_for_s,
    }


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    if "anyOf" in part:
        kinds = [_type(one) for one in part["anyOf"] if one.get("type") != "null"]
        return " | ".join(dict.fromkeys(kinds))
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    if part.get("type") == "array":
        return f"list of {_type(part.get('items', {}))}"
    return str(part.get("type", "any"))


def _default(part: Mapping[str, Any]) -> str:
    default = part.get("default")
    if default is None or isinstance(default, str):
        return default or ""
    return orjson.dumps(default).decode()
