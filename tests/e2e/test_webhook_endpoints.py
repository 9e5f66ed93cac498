"""Webhook endpoints over HTTP, on a real Kafka, by two APIs at once."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert

from projections.moments import microseconds
from projections.webhooks.tables import STATES
from streams.core.webhooks.endpoint import Deleted, endpoint_bytes, endpoint_from
from streams.kafka.following import Following
from streams.topics import Topics
from tests.e2e.webhooking import BODY, PATH, Apis, webhook_apis
from tests.unit.api.conftest import NOW
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes


@pytest.fixture
async def apis(kafka: str, module_topics: Topics, database_url: str) -> AsyncIterator[Apis]:
    async with webhook_apis(kafka, module_topics, database_url) as starting:
        yield starting


async def test_an_endpoint_from_its_making_to_its_end(apis: Apis) -> None:
    api, other = await asyncio.gather(apis.start(), apis.start())
    created = await api.made({**BODY, "headers": {"Authorization": "Bearer canary"}})
    secret, path = created.pop("secret"), f"{PATH}/{created['id']}"
    assert secret.startswith("whsec_")
    assert created["header_names"] == ["authorization"]
    await other.reads(created["id"])
    assert await other.ask("GET", path) == (200, created)
    status, page = await other.ask("GET", PATH)
    assert created in page["items"]
    assert all(text not in str(page) for text in ("canary", secret))

    status, after = await other.ask(
        "PATCH",
        path,
        {"events": ["*"], "headers": {"authorization": None, "X-Team": "a"}, "rate_limit": 2.5},
        If_Match='"1"',
    )
    assert (status, after["revision"], after["header_names"]) == (200, 2, ["x-team"])
    assert (after["url"], after["events"], after["rate_limit"]) == (BODY["url"], ["*"], 2.5)

    status, problem = await other.ask("DELETE", path, If_Match='"1"')
    assert (status, problem["code"]) == (412, "revision_differs")
    assert await other.ask("DELETE", path, If_Match='"2"') == (
        200,
        {"id": created["id"], "deleted": True},
    )
    assert (await other.ask("GET", path))[0] == 404
    third = await apis.start()
    gone = third.book.holds(created["id"])
    assert isinstance(gone, Deleted)
    assert await left(apis, created["id"]) == endpoint_bytes(gone)


async def left(apis: Apis, endpoint_id: str) -> bytes:
    """What compaction will leave of an endpoint's records."""
    found: dict[str, bytes] = {}

    def take(value: bytes | None) -> None:
        assert value is not None
        found[endpoint_from(value).id] = value

    topic, bootstrap = apis.topics.webhook_endpoints, apis.cluster.bootstrap
    following = Following(topic, bootstrap, {}, take)
    following.start()
    await following.caught_up()
    await following.stop()
    return found[endpoint_id]


async def test_of_changes_at_the_same_time_none_is_lost_unseen(apis: Apis) -> None:
    """With If-Match one wins; without, both are there in the end; a deletion stays one."""
    both = await asyncio.gather(apis.start(), apis.start())
    for round_ in range(2):
        created = await both[0].made()
        path = f"{PATH}/{created['id']}"
        await both[1].reads(created["id"])
        answers = await asyncio.gather(
            *(
                api.ask("PATCH", path, {"description": str(n)}, If_Match='"1"')
                for n, api in enumerate(both)
            )
        )
        (won,) = [n for n, (status, _) in enumerate(answers) if status == 200]
        assert sorted(status for status, _ in answers) == [200, 412]
        answers = await asyncio.gather(
            both[0].ask("PATCH", path, {"rate_limit": 7}),
            both[1].ask("PATCH", path, {"payload": "thin"}),
        )
        assert [status for status, _ in answers] == [200, 200]
        fresh = await apis.start()
        _, last = await fresh.ask("GET", path)
        seen = (last["description"], last["rate_limit"], last["payload"], last["revision"])
        assert seen == (str(won), 7, "thin", 4)
        answers = await asyncio.gather(
            both[round_ % 2].ask("DELETE", path),
            both[1 - round_ % 2].ask("PATCH", path, {"description": "late"}),
        )
        assert answers[0][0] == 200
        assert (await (await apis.start()).ask("GET", path))[0] == 404


async def test_the_same_idempotency_key_makes_one_endpoint(apis: Apis) -> None:
    api = await apis.start()
    key = random_bytes(8).hex()
    created = await api.made(Idempotency_Key=key)
    status, again = await api.ask("POST", PATH, BODY, Idempotency_Key=key)
    assert (status, again["id"]) == (200, created["id"])
    assert "secret" not in again
    await api.ask("DELETE", f"{PATH}/{created['id']}")
    status, problem = await api.ask("POST", PATH, BODY, Idempotency_Key=key)
    assert (status, problem["code"]) == (409, "endpoint_deleted")


async def test_rotation_shows_the_new_secret_once_and_keeps_the_old_one_for_a_while(
    apis: Apis,
) -> None:
    api = await apis.start()
    created = await api.made()
    path = f"{PATH}/{created['id']}"
    status, rotated = await api.ask("POST", f"{path}/secret", {"kind": "v1a", "overlap_s": 60})
    assert status == 200
    assert rotated["secret"] == rotated["secrets"][0]["public"]
    assert rotated["secret"].startswith("whpk_")
    assert [one["kind"] for one in rotated["secrets"]] == ["v1a", "v1"]
    assert rotated["secrets"][1]["expires"] == "2026-03-01T10:01:00+00:00"
    for _ in range(3):
        status, rotated = await api.ask("POST", f"{path}/secret", {})
        assert (status, rotated["secrets"][0]["kind"]) == (200, "v1a")
    status, problem = await api.ask("POST", f"{path}/secret", {})
    assert (status, problem["code"]) == (409, "too_many_secrets")
    status, rotated = await api.ask("POST", f"{path}/secret", {"overlap_s": 0})
    assert (status, len(rotated["secrets"])) == (200, 1)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"url": "http://127.0.0.1:9092/"}, "webhook_address_refused", "/url"),
    ({"url": "http://169.254.169.254/"}, "webhook_address_refused", "/url"),
    ({"url": "http://example.com/"}, "webhook_url_scheme", "/url"),
    ({"url": "https://example.com:22/"}, "webhook_port_refused", "/url"),
    ({"url": "https://localhost/"}, "webhook_host_refused", "/url"),
    ({"url": "https://a@example.com/"}, "webhook_url_malformed", "/url"),
    ({"url": "https://nowhere.invalid/"}, "webhook_host_unknown", "/url"),
    ({"events": ["order.complete"]}, "unknown_event_type", "/events"),
    ({"events": []}, "malformed", "/events"),
    ({"headers": {"Webhook-Id": "x"}}, "reserved_header", "/headers/webhook-id"),
    ({"headers": {"X-A": "1", "x-a": "2"}}, "reserved_header", "/headers/x-a"),
    ({"headers": {"X-A": "1\r\nX-B: 2"}}, "malformed", "/headers/X-A"),
    ({"rate_limit": 0}, "malformed", "/rate_limit"),
    ({"secret": "whsec_"}, "malformed", "/secret"),
]


async def test_what_cannot_be_is_refused_when_it_is_made_and_when_it_is_changed(
    apis: Apis,
) -> None:
    api = await apis.start()
    endpoint = await api.made()
    for body, code, field in REFUSED:
        for method, path, sent in (
            ("POST", PATH, BODY | body),
            ("PATCH", f"{PATH}/{endpoint['id']}", body),
        ):
            status, problem = await api.ask(method, path, sent)
            assert (status, problem["code"], problem["field"]) == (422, code, field)
            assert problem["remedy"]
    _, after = await api.ask("GET", f"{PATH}/{endpoint['id']}")
    assert after["revision"] == 1


async def test_an_endpoint_that_deliveries_disabled_shows_and_comes_back(apis: Apis) -> None:
    api = await apis.start()
    created = await api.made()
    path, name = f"{PATH}/{created['id']}", created["id"]
    state = {"disabled_at": microseconds(NOW), "reason": "gone", "generation": 1}
    with apis.world.store.durable.begin() as connection:
        connection.execute(insert(STATES).values(endpoint=name, tenant="default", **state))
    _, shown = await api.ask("GET", path)
    assert (shown["enabled"], shown["disabled"]["reason"]) == (False, "gone")
    _, page = await api.ask("GET", "/api/attention")
    (cause,) = [one for one in page["items"] if one["kind"] == "webhook_endpoint"]
    assert (cause["plugin"], cause["code"], cause["needs_person"]) == (name, "gone", True)
    status, problem = await api.ask("POST", f"{path}/test", {})
    assert (status, problem["code"]) == (409, "endpoint_disabled")

    _, shown = await api.ask("PATCH", path, {"description": "still gone"})
    assert shown["enabled"] is False
    _, shown = await api.ask("PATCH", path, {"enabled": True})
    assert (shown["enabled"], shown["disabled"]) == (True, None)
    _, page = await api.ask("GET", "/api/attention")
    assert all(one["kind"] != "webhook_endpoint" for one in page["items"])

    _, shown = await api.ask("PATCH", path, {"enabled": False})
    assert shown["disabled"] == {"reason": "by_hand", "at": None}


async def test_a_test_is_a_delivery_that_can_be_read(apis: Apis) -> None:
    api = await apis.start()
    endpoint, other = await api.made(), await api.made()
    path = f"{PATH}/{endpoint['id']}"
    sent = [await api.ask("POST", f"{path}/test", {}, Idempotency_Key="k") for _ in range(2)]
    assert sent[0] == sent[1]
    status, test = sent[0]
    assert (status, test["type"]) == (202, "webhook.test")
    await api.ask("POST", f"{PATH}/{other['id']}/test", {})

    status, problem = await api.ask("POST", f"{path}/test", {"type": "order.complete"})
    assert (status, problem["code"], problem["field"]) == (422, "unknown_event_type", "/type")

    _, page = await api.ask("GET", f"/api/webhook-deliveries?endpoint={endpoint['id']}")
    (delivery,) = page["items"]
    assert (delivery["id"], delivery["status"]) == (test["delivery"], "pending")
    _, shown = await api.ask("GET", f"/api/webhook-deliveries/{test['delivery']}")
    assert shown["request"]["body"]["type"] == "webhook.test"
    assert shown["request"]["body"]["data"]["endpoint"] == endpoint["id"]
    _, page = await api.ask("GET", "/api/webhook-deliveries?limit=1")
    _, rest = await api.ask("GET", f"/api/webhook-deliveries?limit=9&cursor={page['next']}")
    assert len({one["id"] for one in [*page["items"], *rest["items"]]}) == 2
    large = base64.urlsafe_b64encode(b"9" * 30 + b":0:0:del").decode().rstrip("=")
    for cursor in ("x", large):
        assert (await api.ask("GET", f"/api/webhook-deliveries?cursor={cursor}"))[0] == 400


async def test_replays_by_id_by_filter_and_by_time(apis: Apis) -> None:
    api = await apis.start()
    endpoint, other = await api.made(), await api.made()
    path = f"{PATH}/{endpoint['id']}"
    _, test = await api.ask("POST", f"{path}/test", {})
    count = {"matched": 1, "replayed": 0}
    for chosen in (
        {"ids": [test["delivery"]]},
        {"type": "webhook.test"},
        {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"},
    ):
        status, answer = await api.ask("POST", f"{path}/replay", {**chosen, "preview": True})
        assert (status, answer) == (200, count)
        status, answer = await api.ask("POST", f"{path}/replay", chosen)
        assert (status, answer) == (202, {"matched": 1, "replayed": 1})
    # Another endpoint's delivery is not this one's to replay.
    status, answer = await api.ask(
        "POST", f"{PATH}/{other['id']}/replay", {"ids": [test["delivery"]]}
    )
    assert answer["replayed"] == 0
    status, answer = await api.ask("POST", f"/api/webhook-deliveries/{test['delivery']}/replay")
    assert (status, answer["replayed"]) == (202, 1)
    status, problem = await api.ask("POST", f"{path}/replay", {})
    assert (status, problem["code"]) == (422, "filter_missing")


async def test_another_tenants_endpoints_and_deliveries_are_not_there(apis: Apis) -> None:
    api = await apis.start()
    mine = await api.made()
    _, test = await api.ask("POST", f"{PATH}/{mine['id']}/test", {})
    theirs = {"waybill_tenant": "acme"}
    assert (await api.ask("GET", PATH, **theirs))[1]["items"] == []
    assert (await api.ask("GET", "/api/webhook-deliveries", **theirs))[1]["items"] == []
    path, delivery = f"{PATH}/{mine['id']}", f"/api/webhook-deliveries/{test['delivery']}"
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"enabled": False}),
        ("DELETE", path, None),
        ("POST", f"{path}/secret", {}),
        ("POST", f"{path}/test", {}),
        ("POST", f"{path}/replay", {"status": "failed"}),
        ("GET", delivery, None),
        ("POST", f"{delivery}/replay", None),
    ):
        status, problem = await api.ask(method, where, body, **theirs)
        assert (status, problem["code"]) == (404, "not_found"), (method, where)
    assert (await api.ask("GET", path))[1]["revision"] == 1


async def test_scopes(apis: Apis) -> None:
    keys = {scope: new_api_key("default", [scope], random_bytes) for scope in Scope}
    apis.world.keys = [ApiKey.model_validate(entry) for _, entry in keys.values()]
    api = await apis.start()
    bearer = {scope: f"Bearer {text}" for scope, (text, _) in keys.items()}
    made = await api.made(Authorization=bearer[Scope.CONFIGURE])
    path = f"{PATH}/{made['id']}"
    for method, where, body, needed in (
        ("POST", PATH, BODY, Scope.CONFIGURE),
        ("GET", PATH, None, Scope.READ),
        ("GET", path, None, Scope.READ),
        ("PATCH", path, {}, Scope.CONFIGURE),
        ("POST", f"{path}/secret", {}, Scope.CONFIGURE),
        ("POST", f"{path}/test", {}, Scope.OPERATE),
        ("POST", f"{path}/replay", {"status": "failed"}, Scope.OPERATE),
        ("GET", "/api/webhook-deliveries", None, Scope.READ),
        ("DELETE", path, None, Scope.CONFIGURE),
    ):
        for scope in Scope:
            if scope is not needed:
                status, _ = await api.ask(method, where, body, Authorization=bearer[scope])
                assert status == 403, (method, where, scope)
        status, answer = await api.ask(method, where, body, Authorization=bearer[needed])
        assert status in {200, 201, 202}, answer
