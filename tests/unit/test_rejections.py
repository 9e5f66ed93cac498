"""What is not taken stands in `orders-rejected`: whole, sealed, and with the reason."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from schemas.events import Event, OrderAccepted
from schemas.problems import Problem
from streams.agents import rejections
from streams.agents.fate import StoreCalls
from streams.agents.keyring import KeyRing
from streams.agents.rejections import CONTRADICTION, Refused, Rejections, opened
from streams.core.intake import acceptance
from streams.core.sealing import DataKey, TenantKeys, unseal_rejected
from tests.unit.core.taking import KEY, prepared

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROBLEM = Problem(code="malformed", message="it is no list", remedy="send one", field="/orderItems")
REFUSED = Refused(
    b"any key", b'{"customerDetails": {"email": "ada@example.org"', "orders/3/14", "a"
)
KEYS = {name: TenantKeys.derived_from(name.encode()) for name in ("a", "default")}


class Paper:
    """Stands where the log does; does not take the first `refusals` records."""

    def __init__(self, refusals: int = 0) -> None:
        self.written: list[tuple[str, bytes | None, bytes, dict[str, str]]] = []
        self.refusals = refusals

    async def append(
        self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("no broker")
        self.written.append((topic, key, value, {name: text.decode() for name, text in headers}))


class Drawer:
    """Stands where the store's vault does."""

    def __init__(self, *keys: DataKey) -> None:
        self.keys = {key.subject: key for key in keys}

    def at_hand(self, *_: Any) -> dict[str, DataKey]:
        return {}

    def made(self, *_: Any) -> dict[str, DataKey]:
        raise AssertionError("a rejection makes no keys")

    def existing(self, _: str, subjects: Iterable[str]) -> dict[str, DataKey]:
        return {subject: self.keys[subject] for subject in subjects if subject in self.keys}


def rejecting(paper: Paper, *keys: DataKey) -> Rejections:
    return Rejections(
        topic="orders-rejected",
        writer=cast("Any", paper),
        keys=KEYS,
        ring=KeyRing(Drawer(*keys), StoreCalls(local=True)),
        random_bytes=lambda length: b"r" * length,
    )


async def test_a_rejection_names_why_and_where_from_and_keeps_key_and_bytes() -> None:
    paper = Paper()
    await rejecting(paper).write(REFUSED, PROBLEM)
    [(topic, key, value, headers)] = paper.written
    assert (topic, key) == ("orders-rejected", b"any key")
    assert unseal_rejected(KEYS["a"], value) == REFUSED.value
    assert headers == {
        "code": "malformed",
        "reason": "it is no list",
        "remedy": "send one",
        "field": "/orderItems",
        "origin": "orders/3/14",
        "waybill-tenant": "a",
    }


async def test_nothing_of_the_record_stands_in_clear(caplog: pytest.LogCaptureFixture) -> None:
    paper = Paper()
    await rejecting(paper).write(REFUSED, PROBLEM)
    [(_, _, value, headers)] = paper.written
    assert b"ada" not in value
    assert "ada" not in f"{headers} {caplog.text}"


async def test_what_was_refused_can_be_had_again_whole() -> None:
    paper = Paper()
    sent = [("x-shop", "Zürich ada".encode()), ("x-bytes", b"\xff\x00"), ("x-bytes", b"")]
    refused = replace(REFUSED, headers=sent)
    await rejecting(paper).write(refused, PROBLEM)
    [(_, key, value, headers)] = paper.written
    assert "ada" not in f"{headers}", "what a sender put into its headers is sealed, too"
    kept = [(name, text.encode()) for name, text in headers.items()]
    record = SimpleNamespace(key=key, value=value, headers=kept)
    assert opened(cast("Any", record), KEYS["a"]) == refused


async def test_a_refusal_without_a_field_has_no_header_for_it() -> None:
    paper = Paper()
    await rejecting(paper).write(REFUSED, replace(PROBLEM, field=None))
    assert "field" not in paper.written[0][3]


async def test_what_belongs_to_nobody_is_sealed_for_the_default_tenant() -> None:
    paper = Paper()
    await rejecting(paper).write(replace(REFUSED, tenant="nobody"), PROBLEM)
    [(_, _, value, headers)] = paper.written
    assert unseal_rejected(KEYS["default"], value) == REFUSED.value
    assert headers["waybill-tenant"] == "nobody"


async def test_a_rejection_is_written_until_it_is_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rejections, "AGAIN_AFTER_S", 0.001)
    paper = Paper(refusals=3)
    await rejecting(paper).write(REFUSED, PROBLEM)
    assert len(paper.written) == 1


def conflicting() -> Event:
    return acceptance(
        prepared(external_id="E", source="shop", customerDetails={"email": "ada@example.org"}),
        KEY,
        b"n" * 12,
        NOW,
    )


async def test_an_order_that_lost_the_race_for_its_external_id_is_rejected_whole() -> None:
    paper, event = Paper(), conflicting()
    await rejecting(paper, KEY).contradiction(event)
    [(_, key, value, headers)] = paper.written
    assert key == event.envelope.lane.encode()
    assert headers["code"] == CONTRADICTION.code
    assert (headers["field"], headers["origin"]) == ("/external_id", "orders/0/0")
    assert orjson.loads(unseal_rejected(KEYS["default"], value)) == {
        "external_id": "E",
        "source": "shop",
        "customerDetails": {"email": "ada@example.org"},
    }


async def test_an_order_whose_buyer_was_erased_is_rejected_without_what_is_gone() -> None:
    paper, event = Paper(), conflicting()
    await rejecting(paper).contradiction(event)
    assert isinstance(event.fact, OrderAccepted)
    value = paper.written[0][2]
    assert orjson.loads(unseal_rejected(KEYS["default"], value)) == orjson.loads(
        event.fact.document
    )
