"""Rejected records over REST and in the console, on a real Kafka: look, correct, send again."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.problems import Problem
from streams.agents.rejections import Refused, Rejections
from streams.core.sealing import TenantKeys
from streams.kafka.admin import Cluster
from streams.topics import Topics
from tests.unit.api.conftest import World, assigned, ticking
from waybill import rejected_pages
from waybill.api import build_api
from waybill.api.producing import KafkaProducing
from waybill.api.rejected_shapes import OneRejected, RejectedPage
from waybill.clock import random_bytes, utc_now
from waybill.console import add_console
from waybill.rejected_pages import RejectedRecords

MISSPELT = {"external_id": "E-1", "order_type": "nwe", "customerDetails": {"email": "a@canary.io"}}
GOOD = {**MISSPELT, "order_type": "new"}
WRONG = Problem(
    code="unknown_order_type",
    message="order_type is 'nwe', which is none of the known ones",
    remedy="did you mean 'new'?",
    field="/order_type",
)
WHY = {"reason": "the shop misspelt it"}


@dataclass
class Place:
    """An API with its console, and the topics that it reads and writes."""

    client: TestClient[Any, Any]
    world: World
    topics: Topics
    kafka: str
    producer: AIOKafkaProducer
    began: datetime = field(default_factory=utc_now)
    """What is older is another test's."""

    async def rejects(
        self, value: Any, *, tenant: str = "default", partition: int | None = None, **more: Any
    ) -> None:
        """As intake does it."""
        place = self

        class Writer:
            async def append(
                self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[Any]
            ) -> None:
                await place.producer.send_and_wait(
                    topic, value, key, partition=partition, headers=list(headers)
                )

        rejections = Rejections(
            topic=self.topics.orders_rejected,
            writer=Writer(),  # type: ignore[arg-type] # all that is asked of it
            keys=self.world.tenant_keys,
            ring=None,  # type: ignore[arg-type] # for contradictions only
            random_bytes=random_bytes,
        )
        origin = more.pop("origin", f"{self.topics.orders}/2/17")
        body = value if isinstance(value, bytes) else orjson.dumps(value)
        refused = Refused(b"key", body, origin, tenant, [("x-shop", b"seven")])
        await rejections.write(refused, replace(WRONG, **more))

    async def listed(self, limit: int = 200, **query: str) -> list[dict[str, Any]]:
        """All that fit, page by page."""
        found: list[dict[str, Any]] = []
        given = {"from": self.began.isoformat(), **query, "limit": str(limit)}
        while True:
            response = await self.client.get("/api/rejected", params=given)
            assert response.status == 200, await response.text()
            plain = await response.json()
            RejectedPage.model_validate(plain)
            found += plain["items"]
            if plain["next"] is None:
                return found
            given["cursor"] = plain["next"]

    async def replayed(self, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
        response = await self.client.post(f"/api/rejected/{name}/replay", json={**WHY, **body})
        return response.status, await response.json()

    async def orders(self) -> list[Any]:
        """What stands in the topic `orders`."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            await consumer._client.add_topic(self.topics.orders)
            numbers = consumer.partitions_for_topic(self.topics.orders)
            places = [TopicPartition(self.topics.orders, n) for n in numbers or ()]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found: list[Any] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += records
            return [one for one in found if one.timestamp >= self.began.timestamp() * 1000]
        finally:
            await consumer.stop()

    async def audit(self, **query: str) -> list[tuple[str, str, str]]:
        answer = await (await self.client.get("/api/audit", params=query)).json()
        return [(one["action"], one["subject"], one["outcome"]) for one in answer["items"]]

    async def page(self, path: str) -> str:
        response = await self.client.get(path)
        text: str = await response.text()
        assert response.status == 200, text
        return text

    async def sends(self, page: str, action: str, fields: Any) -> Any:
        """The form as a browser sends it from that page."""
        found = re.search(r'name="csrf" value="([^"]+)"', await self.page(page))
        assert found is not None
        return await self.client.post(
            action,
            data=[("csrf", found[1]), *fields],
            headers={"Sec-Fetch-Site": "same-origin"},
            allow_redirects=False,
        )


@pytest.fixture
async def place(kafka: str, module_topics: Topics, tmp_path: Path) -> AsyncIterator[Place]:
    world, topics = World(f"sqlite:///{tmp_path / 'waybill.sqlite'}"), module_topics
    assigned(world.store)
    cluster, producing = Cluster(kafka), KafkaProducing(Cluster(kafka), topics)
    records = RejectedRecords(cluster, topics.orders_rejected, world.tenant_keys)
    services = replace(world.services(topics), kafka=producing, rejected=records, now=ticking())
    producing.start()
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    async with AsyncExitStack() as stack:
        await producer.start()
        client = TestClient(TestServer(build_api(services, add_console)))
        await client.start_server()
        for closing in (client.close, producing.close, records.close, producer.stop):
            stack.push_async_callback(closing)
        yield Place(client, world, topics, kafka, producer)
    world.store.close()


async def test_records_are_listed_from_the_ends_of_all_partitions(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected_pages, "CHUNK", 3)
    assert await place.listed() == []
    numbers = await place.producer.partitions_for(place.topics.orders_rejected)
    for n in range(10):
        await place.rejects(MISSPELT, partition=n % len(numbers), code=f"code_{n}")
        await place.rejects(MISSPELT, tenant="acme")
        await asyncio.sleep(0.002)
    whole = await place.listed()
    assert [one["code"] for one in whole] == [f"code_{n}" for n in reversed(range(10))]
    for limit in (1, 3, 10):
        assert await place.listed(limit) == whole
    [one] = await place.listed(code="code_4")
    assert (one["topic"], one["field"], one["replays"]) == ("orders", "/order_type", [])
    assert "canary" not in str(whole)
    between = {"from": whole[6]["at"], "to": whole[3]["at"]}
    assert [one["code"] for one in await place.listed(**between)] == ["code_5", "code_4", "code_3"]
    monkeypatch.setattr(rejected_pages, "MOST_READ", 2)
    assert await place.listed() == whole
    for cursor in ("eA", "___"):
        response = await place.client.get("/api/rejected", params={"cursor": cursor})
        assert (response.status, (await response.json())["code"]) == (400, "bad_query")
    foreign = [
        await place.client.get(path)
        for path in ("/api/rejected/0-999", "/api/rejected/99-0", "/api/rejected/x")
    ]
    assert {response.status for response in foreign} == {404}


async def test_what_was_sent_is_shown_to_who_asks_and_that_is_kept(place: Place) -> None:
    await place.rejects(MISSPELT)
    [record] = await place.listed()
    path = f"/api/rejected/{record['id']}"
    shown = await (await place.client.get(path)).json()
    OneRejected.model_validate(shown)
    assert (shown["content"], shown["editable"]) == (None, True)
    assert shown["refused_now"]["code"] == "unknown_order_type"
    assert "canary" not in str(shown)
    assert await place.audit() == []
    opened = await (await place.client.get(f"{path}?content=true")).json()
    OneRejected.model_validate(opened)
    assert orjson.loads(opened["content"]["text"]) == MISSPELT
    assert opened["content"]["headers"] == {"x-shop": "seven"}
    assert await place.audit() == [("read", record["id"], "done")]


async def test_a_record_is_corrected_and_sent_again(place: Place) -> None:
    await place.rejects(MISSPELT)
    [record] = await place.listed()
    status, problem = await place.replayed(record["id"])
    assert (status, problem["code"]) == (422, "unknown_order_type")
    assert await place.orders() == []
    status, sent = await place.replayed(record["id"], content=orjson.dumps(GOOD).decode())
    assert (status, sent["edited"], sent["topic"]) == (202, True, "orders")
    [found] = await place.orders()
    headers = dict(found.headers)
    assert orjson.loads(found.value) == GOOD
    assert headers["waybill-replay-of"].decode().endswith(record["id"].replace("-", "/"))
    assert headers["waybill-identity"].decode() == record["origin"]
    assert (headers["x-shop"], headers["waybill-tenant"]) == (b"seven", b"default")
    assert sent["order"] == place.world.prepared(GOOD).order_id
    [listed] = await place.listed()
    assert [(one["outcome"], one["edited"]) for one in listed["replays"]] == [
        ("refused", False),
        ("done", True),
    ]
    assert await place.audit(kind="rejected") == [
        ("replay", record["id"], "done"),
        ("replay", record["id"], "refused"),
    ]


async def test_what_is_refused_is_sent_anyway_and_commands_as_they_were_only(place: Place) -> None:
    await place.rejects(MISSPELT)
    [record] = await place.listed()
    status, sent = await place.replayed(record["id"], anyway=True)
    assert (status, sent["order"], sent["edited"]) == (202, None, False)
    assert orjson.loads((await place.orders())[0].value) == MISSPELT
    await place.rejects(b"\x00\x01", origin=f"{place.topics.order_commands}/0/4")
    await place.rejects(b"\x00\x01", origin="elsewhere/0/4")
    elsewhere, command, _ = await place.listed()
    assert (command["topic"], elsewhere["topic"]) == ("order-commands", None)
    status, problem = await place.replayed(command["id"], content="{}")
    assert (status, problem["code"]) == (422, "not_editable")
    assert (await place.replayed(command["id"]))[0] == 202
    status, problem = await place.replayed(elsewhere["id"])
    assert (status, problem["code"]) == (409, "no_origin")
    place.world.tenant_keys["default"] = TenantKeys.derived_from(b"another one" * 3)
    status, problem = await place.replayed(record["id"])
    assert (status, problem["code"]) == (409, "key_wrong")


async def test_the_console_shows_and_checks(place: Place) -> None:
    script = "<script>alert(1)</script>"
    await place.rejects({**MISSPELT, "order_type": script}, message=script)
    [bad] = await place.listed()
    text = await place.page(f"/rejected?code={bad['code']}")
    assert script not in text
    assert bad["id"] in text
    path = f"/rejected/{bad['id']}"
    assert "canary" not in await place.page(path)
    opened = await (await place.sends(path, path, ())).text()
    assert "canary" in opened
    assert script not in opened
    corrected = ("content", orjson.dumps({**GOOD, "external_id": "E-2"}).decode())
    check = await place.sends(path, f"{path}/replay", [corrected, ("do", "check")])
    assert "It would be taken" in await check.text()
    wrong = [("content", '{"order_type": "nwe"}'), ("do", "send"), ("reason", "mine")]
    answer = await place.sends(path, f"{path}/replay", wrong)
    assert answer.status == 422
    assert await place.orders() == []


async def test_the_console_sends_several_and_says_which_it_did_not(place: Place) -> None:
    await place.rejects(MISSPELT)
    await place.rejects(GOOD, code="no_connection")
    good, bad = await place.listed()
    both = [("record", bad["id"]), ("record", good["id"])]
    asked = await (await place.sends("/rejected", "/rejected/selected", both)).text()
    assert "2 records go" in asked
    unsaid = await place.sends("/rejected", "/rejected/selected", [*both, ("do", "send")])
    assert unsaid.status == 422
    assert await place.orders() == []
    done = await place.sends(
        "/rejected", "/rejected/selected", [*both, ("do", "send"), ("reason", "it is there")]
    )
    assert "1 of 2 were sent" in await done.text()
    assert [orjson.loads(one.value)["external_id"] for one in await place.orders()] == ["E-1"]
