"""What is served is what is written down, and nothing falls through."""

import asyncio
import io
import logging
import re
from typing import Any

import fastavro
import orjson
import pytest

from schemas import registry
from schemas.codec import HEADER
from streams.topics import Topics
from waybill.api import shapes
from waybill.api.app import served
from waybill.api.openapi import problems_of
from waybill.api.routes import ROUTES
from waybill.console.routes import CONSOLE

THEMSELVES = {"/api/openapi.json", "/api/asyncapi.json", "/api/processing-config/schema"}
"""Documents that are schemas: an example of one would be another document."""


async def document(client: Any) -> dict[str, Any]:
    response = await client.get("/api/openapi.json")
    assert response.status == 200
    return dict(await response.json())


async def test_routes_of_the_table_the_server_and_the_document_are_the_same(client: Any) -> None:
    openapi = await document(client)
    written = {(method.upper(), path) for path, item in openapi["paths"].items() for method in item}
    assert openapi["openapi"] == "3.1.0"
    assert written == {(route.method, route.path) for route in ROUTES}
    pages = {re.sub(r":[^{}]*(\{[^{}]*\}[^{}]*)*\}", "}", page.path) for page in CONSOLE}
    api = {(method, path) for method, path in served(client.app) if path not in pages}
    assert written == api - {("GET", "/static/{digest}/{name}")}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        said = [value[name] for name in value.keys() - {"example", "examples"}]
        return own.union(*(references(member) for member in said))
    if isinstance(value, list):
        return set().union(*(references(member) for member in value))
    return set()


async def test_the_document_refers_to_nothing_that_is_missing(client: Any) -> None:
    openapi = await document(client)
    known = {f"#/components/schemas/{name}" for name in openapi["components"]["schemas"]}
    assert references(openapi) <= known
    ids = [op["operationId"] for item in openapi["paths"].values() for op in item.values()]
    assert len(set(ids)) == len(ids)


async def test_every_answer_is_described_and_every_json_answer_has_an_example(client: Any) -> None:
    openapi = await document(client)
    for path, item in openapi["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                assert response["description"], (path, status)
                for content in response["content"].values():
                    assert content["schema"], (path, status)
                    if path not in THEMSELVES:
                        assert "example" in content or content["examples"], (path, status)


def test_examples_have_the_shapes_that_they_stand_for() -> None:
    for route in ROUTES:
        for answer in route.answers:
            shape = answer.shape
            if isinstance(shape, type) and isinstance(answer.example, dict):
                shape.model_validate(answer.example)


def test_every_route_with_an_order_of_a_tenant_may_answer_404() -> None:
    for route in ROUTES:
        if route.path.startswith("/api/") and "{id}" in route.path:
            assert 404 in {kind.status for kind in problems_of(route)}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/webhooks", 404, "not_found"),
        ("POST", "/api/nothing", 404, "not_found"),
        ("DELETE", "/api/processing-config", 405, "method_not_allowed"),
        ("GET", "/api/order", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_served_is_a_problem(
    client: Any, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)
    assert response.content_type == "application/problem+json"
    problem = await response.json()
    assert (response.status, problem["code"]) == (status, code)
    shapes.ProblemDocument.model_validate(problem)


async def test_a_fault_of_ours_is_told_without_its_inside(
    world: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(submission: Any) -> Any:
        raise KeyError(submission.value.decode())

    world.intake.prepare = broken
    client = await connect()
    with caplog.at_level(logging.INFO):
        response = await client.post("/api/order", data=b'{"card": "4111111111111111"}')
    problem = await response.json()
    assert (response.status, problem["code"]) == (500, "internal")
    assert problem["incident"] in caplog.text
    for text in (caplog.text, orjson.dumps(problem).decode()):
        assert "4111" not in text
        assert "Traceback" not in text
    assert "KeyError in broken:" in caplog.text


async def test_only_problems_of_ours_are_logged(
    world: Any, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await client.get("/nowhere")
        await client.post("/api/order", data=b"{")
        await client.post("/api/order", json={"external_id": "E-1"})
        world.orders.reachable = False
        await client.post("/api/order", json={"external_id": "E-2"})
    ours = [record for record in caplog.records if record.name.startswith("waybill")]
    [line] = [record.getMessage() for record in ours]
    assert line.startswith("POST submitOrder answered 503 kafka_unavailable: Kafka did not")


async def test_answers_carry_headers_that_keep_browsers_out(client: Any) -> None:
    for path in ("/api/orders", "/nowhere", "/livez"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "waybill"
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_store_that_does_not_answer_is_a_503(world: Any, client: Any) -> None:
    with world.store.durable.begin() as connection:
        connection.exec_driver_sql("DROP TABLE v1_orders")
    response = await client.get("/api/orders")
    assert (response.status, (await response.json())["code"]) == (503, "store_unavailable")


async def test_schemas_are_served_as_confluents_registry_does(connect: Any) -> None:
    client = await connect(Topics("shop."))
    response = await client.get("/subjects")
    assert response.content_type == "application/vnd.schemaregistry.v1+json"
    subjects = await response.json()
    assert subjects == [
        "shop.order-commands-value",
        "shop.order-events-value",
        "shop.orders-value",
    ]
    for subject in subjects:
        *_, version = await (await client.get(f"/subjects/{subject}/versions")).json()
        found = await (await client.get(f"/subjects/{subject}/versions/{version}")).json()
        shapes.SchemaVersion.model_validate(found)
        latest = await (await client.get(f"/subjects/{subject}/versions/latest")).json()
        by_id = await (await client.get(f"/schemas/ids/{found['id']}")).json()
        assert found == latest
        assert by_id == {"schema": found["schema"]}
        fastavro.parse_schema(orjson.loads(found["schema"]))
    assert await (await client.get("/schemas/types")).json() == ["AVRO"]
    assert (await (await client.get("/config")).json()) == {
        "compatibilityLevel": "BACKWARD_TRANSITIVE"
    }


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subjects/order-updates-value/versions", 40401),
        ("/subjects/nobody/versions/1", 40401),
        ("/subjects/orders-value/versions/9", 40402),
        ("/schemas/ids/999", 40403),
        ("/schemas/ids/x", 40403),
    ],
)
async def test_what_the_registry_lacks_is_told_as_its_clients_expect(
    client: Any, path: str, code: int
) -> None:
    response = await client.get(path)
    answer = shapes.RegistryError.model_validate(await response.json())
    assert (response.status, answer.error_code) == (404, code)


async def test_an_order_may_come_as_avro(world: Any, client: Any) -> None:
    schema = registry.latest(registry.ORDERS)
    fields = {field["name"]: None for field in orjson.loads(schema.text)["fields"]}
    out = io.BytesIO()
    out.write(HEADER.pack(0, schema.id))
    fastavro.schemaless_writer(out, schema.parsed, {**fields, "external_id": "A-1"})
    headers = {"Content-Type": "application/vnd.confluent.avro"}
    response = await client.post("/api/order", data=out.getvalue(), headers=headers)
    assert (await response.json())["external_id"] == "A-1"
    assert world.orders.records[0].value == out.getvalue()
    wrong = await client.post("/api/order", data=b"{}", headers=headers)
    assert (await wrong.json())["code"] == "malformed"


async def test_the_process_is_ready_once_the_views_have_caught_up(world: Any, connect: Any) -> None:
    world.orders.end = {3: 1}
    client = await connect()
    early = await client.get("/readyz")
    readiness = shapes.Readiness.model_validate(await early.json())
    assert (early.status, readiness.missing) == (503, ["views"])
    world.accept({"external_id": "E-1"})
    ready = await client.get("/readyz")
    assert (ready.status, (await ready.json())["status"]) == (200, "ready")
    world.orders.reachable = False
    late = await client.get("/readyz")
    assert (await late.json())["missing"] == ["kafka"]
    assert (await client.get("/livez")).status == 200


async def test_figures_name_routes_and_never_ids(world: Any, client: Any) -> None:
    prepared = world.accept({"external_id": "E-1"})
    await client.get(f"/api/orders/{prepared.order_id}")
    await client.get("/nowhere/at/all")
    response = await client.get("/metrics")
    text = await response.text()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'waybill_api_requests_total{route="readOrder",status="200"} 1.0' in text
    assert 'waybill_api_requests_total{route="none",status="404"} 1.0' in text
    assert "waybill_api_waiters 0.0" in text
    assert prepared.order_id not in text
    assert "nowhere" not in text


async def test_whoever_waits_is_answered_when_the_process_ends(connect: Any) -> None:
    client = await connect()
    body = {"external_id": "E-1", "process_immediately": True}
    waiting = asyncio.create_task(client.post("/api/order", json=body))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await client.app.shutdown()
    assert (await waiting).status == 202
