"""The configuration by REST: read, changed, compared, rolled back."""

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from plugins.registry import Registry
from waybill.api import configuring_shapes as shapes
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.api.producing import Outgoing
from waybill.clock import random_bytes
from waybill.configuring.schema import configuration_schema

AT = "/api/processing-config"
NEXT: dict[str, Any] = {
    "version": 7,
    "sequence": [{"name": "salesforceV3"}, {"name": "zuora", "critical": False}],
    "overrides": [{"order_type": "renew", "exclude": "salesforceV3"}],
}
WHY = {"reason": "Zuora may be late"}


@pytest.fixture(autouse=True)
def topic(world: Any) -> None:
    """What is written to `processing-configs` is read back."""

    async def then(record: Outgoing) -> None:
        if record.topic == "processing-configs":
            world.configurations.take(record.value)

    world.orders.then = then


async def put(client: Any, document: Any, if_match: str | None = '"7"', **query: str) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    text = document if isinstance(document, str) else json.dumps(document)
    return await client.put(AT, data=text, headers=headers, params=query or WHY)


async def refused(response: Any) -> tuple[int, str, str | None]:
    told = await response.json()
    return response.status, told["code"], told["field"]


async def test_a_change_is_the_next_version(world: Any, client: Any) -> None:
    read = await client.get(AT)
    assert read.headers["ETag"] == '"7"'
    response = await put(client, NEXT, read.headers["ETag"])
    assert response.status == 200, await response.text()
    made = shapes.ConfigVersionMade.model_validate(await response.json())
    assert (made.version, made.base, made.author, made.new) == (8, 7, "local", True)
    assert (made.reason, response.headers["ETag"]) == (WHY["reason"], '"8"')
    assert {one.code for one in made.findings} == {"connection_missing"}
    [record] = world.orders.records
    assert (record.topic, record.key) == ("processing-configs", b"default")
    read = await client.get(AT)
    assert (read.headers["ETag"], await read.json()) == ('"8"', {**NEXT, "version": 8})
    again = await (await put(client, NEXT)).json()
    assert (again["version"], again["new"]) == (8, False)
    others = await client.get(AT, headers={"waybill-tenant": "acme"})
    assert (await others.json())["version"] == 7


async def test_it_may_be_yaml(client: Any) -> None:
    response = await put(client, "sequence:\n- name: entitlements\n")
    assert (response.status, (await response.json())["version"]) == (200, 8)


async def test_whoever_is_late_is_told(client: Any) -> None:
    await put(client, NEXT)
    late = await put(client, {**NEXT, "post": []})
    told = await late.json()
    assert (late.status, told["code"], told["version"]) == (412, "version_differs", 8)
    assert "local: Zuora may be late" in told["detail"]
    assert (await put(client, {**NEXT, "post": []}, "*")).status == 200


@pytest.mark.parametrize(
    ("if_match", "query", "told"),
    [
        (None, WHY, (428, "if_match_missing", "If-Match")),
        ("8", WHY, (400, "bad_header", "If-Match")),
        ('"8"', WHY, (412, "version_differs", "If-Match")),
        ('"7"', {"reason": " "}, (400, "bad_query", "reason")),
        ('"7"', {"why": "x"}, (400, "bad_query", "reason")),
    ],
)
async def test_a_change_says_what_it_was_made_from_and_why(
    client: Any, if_match: str | None, query: dict[str, str], told: tuple[int, str, str]
) -> None:
    assert await refused(await put(client, NEXT, if_match, **query)) == told


async def test_what_is_wrong_is_told_by_line_and_path(world: Any, client: Any) -> None:
    text = '{"sequence": [\n {"name": "zuroa"},\n {"name": "zuora", "crtical": 1}]}'
    response = await put(client, text)
    told = await response.json()
    assert (response.status, told["code"]) == (422, "bad_configuration")
    [found] = told["findings"]
    assert (found["line"], found["path"]) == (3, "/sequence/1/crtical")
    assert "critical" in found["remedy"]
    told = await (await put(client, text.replace(', "crtical": 1', ""))).json()
    found = shapes.ConfigFinding.model_validate(told["findings"][0])
    assert (found.line, found.path, found.code) == (2, "/sequence/0/name", "unknown_plugin")
    options = ("NaN", "9" * 40, '"\\ud800"', "[" * 252 + "]" * 252)
    odd = [f'{{"sequence": [{{"name": "zuora", "options": {{"a": {a}}}}}]}}' for a in options]
    for text in ("{", "[]", "a: b: c", *odd):
        response = await put(client, text)
        told = await response.json()
        assert (response.status, told["findings"][0]["code"]) == (422, "malformed"), text
    assert await refused(await put(client, "{" + " " * (256 << 10))) == (413, "oversize", None)
    assert world.orders.records == []


async def test_versions_are_listed_shown_and_compared(client: Any) -> None:
    await put(client, NEXT)
    await put(client, {**NEXT, "version": 8, "post": [{"name": "entitlements"}]}, '"8"')
    page = await (await client.get(f"{AT}/versions", params={"limit": 2})).json()
    shapes.ConfigVersionsPage.model_validate(page)
    assert ([one["version"] for one in page["items"]], page["next"]) == ([9, 8], "8")
    rest = await (await client.get(f"{AT}/versions", params={"cursor": page["next"]})).json()
    assert ([one["version"] for one in rest["items"]], rest["next"]) == ([7], None)
    assert rest["items"][0]["author"] == "file"

    old = await (await client.get(f"{AT}/versions/7")).json()
    shapes.ConfigVersionDetails.model_validate(old)
    assert old["document"]["version"] == 7
    for number in ("6", "99999999999", "x"):
        assert await refused(await client.get(f"{AT}/versions/{number}")) == (
            404,
            "not_found",
            None,
        )

    found = await (await client.get(f"{AT}/diff", params={"from": 8})).json()
    shapes.ConfigDiff.model_validate(found)
    assert (found["from"], found["to"]) == (8, 9)
    assert found["patch"] == [{"op": "add", "path": "/post", "value": [{"name": "entitlements"}]}]
    assert [one["place"] for one in found["changes"]] == ["post"]
    assert found["text"].startswith("--- version 8\n+++ version 9\n")


async def test_an_older_version_is_put_in_use_again(client: Any) -> None:
    await put(client, NEXT)
    await put(client, {**NEXT, "version": 8, "post": [{"name": "entitlements"}]}, '"8"')
    body = {"version": 8, "reason": "It was right"}
    late = await client.post(f"{AT}/rollback", json=body, headers={"If-Match": '"8"'})
    assert late.status == 412
    made = await (
        await client.post(f"{AT}/rollback", json=body, headers={"If-Match": '"9"'})
    ).json()
    assert (made["version"], made["base"], made["reason"]) == (10, 9, "It was right")
    assert (await (await client.get(AT)).json()) == {**NEXT, "version": 10}
    body["version"] = 99
    gone = await client.post(f"{AT}/rollback", json=body, headers={"If-Match": '"10"'})
    assert gone.status == 404


async def test_without_kafka_nothing_is_changed(world: Any, client: Any) -> None:
    world.orders.reachable = False
    response = await put(client, NEXT)
    assert (await refused(response))[:2] == (503, "kafka_unavailable")
    assert (await (await client.get(AT)).json())["version"] == 7


async def test_only_who_may_configure_changes_anything(world: Any, connect: Any) -> None:
    text, reading = new_api_key("acme", [Scope.READ, Scope.OPERATE], random_bytes)
    may, changing = new_api_key("acme", [Scope.READ, Scope.CONFIGURE], random_bytes)
    world.keys = [ApiKey.model_validate(one) for one in (reading, changing)]
    client = await connect()
    headers = {"If-Match": '"7"', "Authorization": f"Bearer {text}"}
    response = await client.put(AT, json=NEXT, headers=headers, params=WHY)
    assert response.status == 403
    headers["Authorization"] = f"Bearer {may}"
    made = await (await client.put(AT, json=NEXT, headers=headers, params=WHY)).json()
    assert made["author"] == f"key:{changing['id']}"


async def test_an_order_says_which_version_its_sender_saw(world: Any, client: Any) -> None:
    await client.post("/api/order", json={"order_type": "new"})
    [record] = world.orders.records
    assert dict(record.headers)["waybill-config-version"] == b"7"


async def test_the_schema_fits_what_is_taken(client: Any) -> None:
    schema = await (await client.get(f"{AT}/schema")).json()
    meta.validate(schema)
    assert schema == json.loads(json.dumps(configuration_schema(Registry.found())))
    validator = Draft202012Validator(schema)
    validator.validate(NEXT)
    for wrong in (
        {"sequence": [{"name": "zuroa"}]},
        {"sequence": [{"name": "zuora", "crtical": True}]},
        {"sequence": [{"name": "zuora", "options": {"nothing": 1}}]},
        {"post": []},
    ):
        assert not validator.is_valid(wrong), wrong
