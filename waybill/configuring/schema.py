"""The JSON Schema of processing configurations, for editors and programs."""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import models_json_schema

from schemas.configuration import Configuration, Override, PluginEntry
from waybill.configuration_checks import Catalogue

_LISTS = ("order_type", "processing_type", "offer_type", "exclude")
"""Members of an override that take a value or a list of values."""


def configuration_schema(catalogue: Catalogue) -> dict[str, Any]:
    """JSON Schema 2020-12 with the options of every plugin that is installed.

    It says less than `config validate`, which also looks at what members mean together.
    """
    names = sorted(catalogue.names())
    options = {name: catalogue.get(name).manifest.options for name in names}
    references, found = models_json_schema(
        [
            (Configuration, "validation"),
            *((m, "validation") for m in dict.fromkeys(options.values())),
        ],
        ref_template="#/$defs/{model}",
    )
    definitions = found["$defs"]
    entry = definitions[PluginEntry.__name__]
    entry["properties"]["name"] = {**entry["properties"]["name"], "enum": names}
    entry["allOf"] = list(_choices({n: references[m, "validation"] for n, m in options.items()}))
    override = definitions[Override.__name__]["properties"]
    for member in _LISTS:
        _or_alone(override[member])
    root = definitions.pop(Configuration.__name__)
    root["required"] = [name for name in root["required"] if name != "version"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": definitions,
    }


def _choices(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, schema in options.items():
        yield {
            "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "then": {"properties": {"options": schema}},
        }


def _or_alone(member: dict[str, Any]) -> None:
    """One value stands for a list of it."""
    member["anyOf"] = [{"type": "string"}, *member["anyOf"]]
