"""Who may ask the API for what."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from waybill.api.auth import ApiKey, ApiKeysError, Scope, load_api_keys, new_api_key
from waybill.api.routes import ROUTES
from waybill.clock import random_bytes

TENANT_ROUTES = [route for route in ROUTES if route.scope is not None]


def key(tenant: str, *scopes: Scope, **more: Any) -> tuple[dict[str, str], ApiKey]:
    text, entry = new_api_key(tenant, scopes, random_bytes)
    return {"Authorization": f"Bearer {text}"}, ApiKey.model_validate({**entry, **more})


def path_of(route: Any, order_id: str = "order-" + "0" * 32) -> str:
    path = str(route.path).replace("{id}", order_id)
    path = path.replace("{service}/{path_type}", "limio/orders")
    path = path.replace("{reference}", "SUB-1").replace("{name}", "zuora")
    return path.replace("{version}", "1").replace("{stage}", "zuora@rest.example")


async def status(client: Any, route: Any, headers: dict[str, str]) -> int:
    headers = {"Prefer": "wait=0", **headers}
    async with client.request(route.method, path_of(route), headers=headers) as response:
        return int(response.status)


@pytest.mark.parametrize("route", TENANT_ROUTES, ids=lambda route: route.id)
async def test_every_route_asks_for_its_scope_and_no_other(
    world: Any, connect: Any, route: Any
) -> None:
    fitting, one = key("acme", route.scope)
    without, other = key("acme", *(set(Scope) - {route.scope}))
    world.keys = [one, other]
    client = await connect()
    assert await status(client, route, {}) == 401
    assert await status(client, route, without) == 403
    assert await status(client, route, fitting) not in {401, 403}


async def test_a_key_that_does_not_fit_is_refused(world: Any, connect: Any) -> None:
    good, entry = key("acme", Scope.READ)
    over, expired = key("acme", Scope.READ, expires="2026-03-01T10:00:00Z")
    world.keys = [entry, expired]
    client = await connect()
    text = good["Authorization"].removeprefix("Bearer ")
    wrong = [
        over["Authorization"],
        f"Basic {text}",
        text,
        "Bearer",
        "Bearer wb_" + entry.id,
        f"Bearer {text}0",
        f"Bearer {text[:-1]}",
        f"Bearer wb_{expired.id}_" + text.rsplit("_", 1)[1],
    ]
    for header in wrong:
        response = await client.get("/api/orders", headers={"Authorization": header})
        assert response.status == 401, header
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json())["code"] == "unauthenticated"
    assert (await client.get("/api/orders", headers=good)).status == 200


async def test_a_key_is_good_until_it_expires(world: Any, connect: Any) -> None:
    soon = (datetime(2026, 3, 1, 10, tzinfo=UTC) + timedelta(seconds=1)).isoformat()
    headers, entry = key("acme", Scope.READ, expires=soon)
    world.keys = [entry]
    assert (await (await connect()).get("/api/orders", headers=headers)).status == 200


async def test_nobody_sees_what_another_tenant_has(world: Any, connect: Any) -> None:
    prepared = world.accept({"external_id": "E-1"}, "acme")
    own, one = key("acme", Scope.READ, Scope.OPERATE)
    foreign, two = key("other", Scope.READ, Scope.OPERATE)
    world.keys = [one, two]
    client = await connect()
    for route in TENANT_ROUTES:
        if route.path.startswith("/api/orders/{id}") and route.method == "GET":
            path = path_of(route, prepared.order_id)
            assert (await client.get(path, headers=own)).status == 200
            assert (await client.get(path, headers=foreign)).status == 404
    listed = await (await client.get("/api/orders?external_id=E-1", headers=foreign)).json()
    assert listed["items"] == []


async def test_the_key_says_which_tenant_an_order_is_for(world: Any, connect: Any) -> None:
    headers, entry = key("acme", Scope.SUBMIT, actor="shop")
    world.keys = [entry]
    client = await connect()
    assert (await client.post("/api/order", json={}, headers=headers)).status == 202
    sent = dict(world.orders.records[0].headers)
    assert (sent["waybill-tenant"], sent["waybill-actor"]) == (b"acme", b"shop")
    both = {**headers, "waybill-tenant": "other"}
    assert (await client.post("/api/order", json={}, headers=both)).status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "orders.example"},
        {"Host": "192.168.1.7:8480"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_without_keys_no_other_site_can_use_a_browser_here(
    world: Any, client: Any, headers: dict[str, str]
) -> None:
    response = await client.post("/api/order", json={}, headers=headers)
    assert (response.status, (await response.json())["code"]) == (403, "foreign_host")
    assert world.orders.records == []


async def test_a_tenants_name_is_checked(client: Any) -> None:
    response = await client.get("/api/orders", headers={"waybill-tenant": "a/b"})
    assert (response.status, (await response.json())["code"]) == (400, "bad_header")


def test_a_new_key_stands_in_the_file_as_its_hash_only(tmp_path: Path) -> None:
    text, entry = new_api_key("acme", [Scope.SUBMIT, Scope.READ], random_bytes)
    assert text.startswith(f"wb_{entry['id']}_")
    assert text.rsplit("_", 1)[1] not in json.dumps(entry)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([entry]))
    [loaded] = load_api_keys(file)
    assert (loaded.tenant, loaded.scopes) == ("acme", {Scope.READ, Scope.SUBMIT})


GOOD = {"id": "a", "hash": "0" * 64, "tenant": "t", "scopes": []}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "/"),
        (json.dumps([{**GOOD, "hash": "x"}]), "/0/hash"),
        (json.dumps([{**GOOD, "id": "a_b"}]), "/0/id"),
        (json.dumps([{**GOOD, "scopes": ["rule"]}]), "/0/scopes"),
        (json.dumps([{**GOOD, "expires": "2026-01-01T00:00"}]), "/0/expires"),
        (json.dumps([{**GOOD, "expired": None}]), "/0/expired"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_says_where(
    tmp_path: Path, text: str, place: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(ApiKeysError) as refused:
        load_api_keys(file)
    assert place in str(refused.value)
    assert "0" * 64 not in str(refused.value)


def test_two_keys_cannot_have_the_same_id(tmp_path: Path) -> None:
    _, entry = new_api_key("acme", [Scope.READ], random_bytes)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([entry, entry]))
    with pytest.raises(ApiKeysError, match="same id"):
        load_api_keys(file)
