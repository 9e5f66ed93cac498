"""What comes in by Kafka is taken, or stands sealed with its reason in `orders-rejected`."""

import json
import struct
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from streams.core.sealing import unseal_rejected
from tests.e2e.stack import ROOT, Stack, an_order
from waybill.keys import load_keys

SEED = ROOT.parent / "shared" / "data" / "order-new.json"
AVRO_ORDER, NO_SCHEMA = 2, 999
REFUSED: dict[str, tuple[bytes | None, str]] = {
    "malformed JSON": (b'{"external_id": "X-1", ', "malformed"),
    "a list": (b"[]", "malformed"),
    "no value": (None, "empty"),
    "1 MiB and a byte": (b'{"x":"' + b"y" * ((1 << 20) - 7) + b'"}', "oversize"),
    "unknown order type": (json.dumps(an_order(order_type="nwe")).encode(), "unknown_order_type"),
    "unknown schema": (struct.pack(">bI", 0, NO_SCHEMA) + b"abc", "unknown_schema"),
    "not that schema": (struct.pack(">bI", 0, AVRO_ORDER) + b"\xff" * 40, "malformed"),
}


async def rejected(stack: Stack, *keys: bytes | None) -> dict[bytes | None, ConsumerRecord]:
    """The rejections under these keys."""

    def all_there(records: list[ConsumerRecord]) -> bool:
        return set(keys) <= {record.key for record in records}

    records = await stack.read(stack.topics.orders_rejected, all_there)
    return {record.key: record for record in records if record.key in keys}


def opened(stack: Stack, record: ConsumerRecord, tenant: str = "default") -> bytes:
    """The original bytes."""
    keys = load_keys(stack.folder / "keys.json", create=False)
    return unseal_rejected(keys[tenant], record.value)


def said(record: ConsumerRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


def taken(stack: Stack, external_id: str) -> dict[str, Any]:
    """The order with that external id, at its end."""
    found = stack.until(
        lambda: [order for order in stack.orders() if order["external_id"] == external_id]
    )
    assert len(found) == 1
    return stack.ended(found[0]["id"])


async def test_a_refused_record_is_kept_with_its_reason_and_delays_nobody(stack: Stack) -> None:
    assert len(REFUSED["1 MiB and a byte"][0] or b"") == (1 << 20) + 1
    good = an_order()
    records = [(name.encode(), value, {}) for name, (value, _) in REFUSED.items()]
    # All in one partition: what is refused stands in front of the order.
    await stack.produce(*records, (b"good", json.dumps(good).encode(), {}), partition=0)
    assert taken(stack, good["external_id"])["status"] == "complete"
    found = await rejected(stack, *[name.encode() for name in REFUSED])
    for name, (value, code) in REFUSED.items():
        record = found[name.encode()]
        told = said(record)
        assert told["code"] == code, name
        assert told["reason"]
        assert told["remedy"]
        topic, partition, offset = told["origin"].split("/")
        assert topic == stack.topics.orders
        assert min(int(partition), int(offset)) >= 0
        assert opened(stack, record) == (value or b"")
        assert not value or value[:200] not in record.value


async def test_a_tenant_without_configuration_is_told_so(stack: Stack) -> None:
    order = json.dumps(an_order()).encode()
    await stack.produce((b"nobody", order, {"waybill-tenant": "nobody"}))
    record = (await rejected(stack, b"nobody"))[b"nobody"]
    assert said(record)["code"] == "no_configuration"
    assert said(record)["waybill-tenant"] == "nobody"
    assert opened(stack, record) == order


async def test_the_header_names_the_tenant_and_its_configuration(stack: Stack) -> None:
    order = an_order()
    await stack.produce((b"t", json.dumps(order).encode(), {"waybill-tenant": "acme"}))

    def is_done(records: list[ConsumerRecord]) -> bool:
        return any(json.loads(r.value)["external_id"] == order["external_id"] for r in records)

    for record in await stack.read(stack.topics.order_completed, is_done):
        shown = json.loads(record.value)
        if shown["external_id"] == order["external_id"]:
            assert dict(record.headers)["ce_source"] == b"/tenants/acme"
            assert [step["id"] for step in shown["steps"]] == ["entitlements"]
            assert shown["config_version"] == 3
    # Another tenant's orders are not in the default tenant's list.
    assert order["external_id"] not in {one["external_id"] for one in stack.orders()}


@pytest.mark.parametrize("key", [None, b"", b"any", b"\xff\xfe not text"])
async def test_any_key_will_do(stack: Stack, key: bytes | None) -> None:
    order = an_order()
    await stack.produce((key, json.dumps(order).encode(), {}))
    assert taken(stack, order["external_id"])["status"] == "complete"


async def test_an_order_that_comes_again_is_taken_once(stack: Stack) -> None:
    order = an_order()
    line = json.dumps(order).encode()
    other_spelling = json.dumps(order, sort_keys=True, indent=1).encode()
    await stack.produce((b"1", line, {}), (b"2", line, {}), (b"3", other_spelling, {}))
    order_id = taken(stack, order["external_id"])["id"]
    after = an_order()
    await stack.produce((b"1", line, {}), (b"1", json.dumps(after).encode(), {}))
    taken(stack, after["external_id"])
    completed = await stack.read(stack.topics.order_completed, bool)
    assert sum(json.loads(record.value)["id"] == order_id for record in completed) == 1


@pytest.mark.parametrize("batches", [1, 2])
async def test_another_body_under_a_known_external_id_is_rejected(
    stack: Stack, batches: int
) -> None:
    first = an_order()
    other = {**first, "total": {"currency": "GBP", "amount": 1}}
    records = [(b"k", json.dumps(body).encode(), {}) for body in (first, other)]
    if batches == 1:
        await stack.produce(*records)
    else:
        await stack.produce(records[0])
        taken(stack, first["external_id"])
        await stack.produce(records[1])
    order = taken(stack, first["external_id"])
    record = (await rejected(stack, order["lane"].encode()))[order["lane"].encode()]
    assert said(record)["code"] == "external_id_conflict"
    assert said(record)["origin"].startswith(f"{stack.topics.orders}/")
    assert json.loads(opened(stack, record)) == other


async def test_the_seed_order_is_taken_unmodified(stack: Stack) -> None:
    if not SEED.is_file():
        pytest.skip(f"{SEED} is not on this machine")
    value = SEED.read_bytes()
    await stack.produce((None, value, {}))
    assert taken(stack, json.loads(value)["external_id"])["status"] == "complete"
