"""The OpenAPI document keeps its own word: each example has the shape that it stands for."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import orjson
import pytest

from waybill.api.links import linked
from waybill.api.openapi import openapi
from waybill.api.routes import ROUTES

DOCUMENT: dict[str, Any] = orjson.loads(openapi(ROUTES))
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}


@cache
def checker_of(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    """Most have no references; reading all components takes longer than all checks."""
    parts = {"components": DOCUMENT["components"]} if b'"$ref"' in schema else {}
    whole = {**orjson.loads(schema), **parts}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def complaints(schema: Any, value: Any) -> list[str]:
    """What the value lacks, with references into the document."""
    checker = checker_of(orjson.dumps(schema))
    return [f"{error.instance_path}: {error.message}" for error in checker.iter_errors(value)]


def examples(content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    yield from (one["value"] for one in content.get("examples", {}).values())


def shown(operation: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each example of an operation with its schema, and where it stands."""
    for parameter in operation["parameters"]:
        schema = parameter["schema"]
        given = [*schema.get("examples", ()), *([schema["default"]] if "default" in schema else ())]
        yield from ((parameter["name"], schema, one) for one in given)
    bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for place, body in bodies.items():
        for content in body.get("content", {}).values():
            yield from ((place, content["schema"], one) for one in examples(content))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_example_fits_its_schema(name: str) -> None:
    found = list(shown(OPERATIONS[name]))
    wrong = {
        place: problems for place, schema, one in found if (problems := complaints(schema, one))
    }
    assert not wrong
    assert found


def test_every_schema_is_one() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": DIALECT, **schema})
        assert schema.get("description"), f"{name} does not say what it is"


def test_parameters_are_given_or_left_out_and_never_null() -> None:
    for operation in OPERATIONS.values():
        for parameter in operation["parameters"]:
            assert parameter["description" if parameter["in"] != "path" else "schema"]
            assert "null" not in orjson.dumps(parameter["schema"]).decode(), parameter


def test_every_route_behind_a_scope_tells_how_it_refuses() -> None:
    for operation in OPERATIONS.values():
        if not operation["security"]:
            continue
        answers = operation["responses"]
        assert {"400", "401", "403", "500", "503"} <= answers.keys()
        assert "WWW-Authenticate" in answers["401"]["headers"]
        for status, answer in answers.items():
            problem = status[0] in "45"
            assert not problem or "application/problem+json" in answer["content"], status


def test_links_lead_to_operations_and_name_their_parameters() -> None:
    links = [
        link
        for operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(links) > 30
    assert linked() <= OPERATIONS.keys()
    for link in links:
        known = {one["name"] for one in OPERATIONS[link["operationId"]]["parameters"]}
        assert link["parameters"].keys() <= known, link


def test_an_example_that_does_not_fit_is_seen() -> None:
    order = OPERATIONS["readOrder"]["responses"]["200"]["content"]["application/json"]
    assert not complaints(order["schema"], order["example"])
    for wrong in ({"status": "done"}, {"created": "yesterday"}, {"more": 1}):
        assert complaints(order["schema"], {**order["example"], **wrong})


DIALECT = "https://json-schema.org/draft/2020-12/schema"
