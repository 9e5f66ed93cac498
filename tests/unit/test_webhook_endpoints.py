"""Endpoints of webhooks as records of their topic: what is sealed, what holds, what changes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.first_holds import restated
from streams.core.sealing import TenantKeys, UnsealingError
from streams.core.webhooks.changing import Sealer, TooManySecretsError, changed, rotated
from streams.core.webhooks.endpoint import (
    Deleted,
    Endpoint,
    UnreadableEndpointError,
    endpoint_bytes,
    endpoint_from,
)
from streams.kafka.admin import Cluster
from waybill.clock import random_bytes

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
KEYS = {name: TenantKeys.derived_from(name.encode() * 8) for name in ("acme", "other")}
SEALER = Sealer(KEYS["acme"], random_bytes)
DAY = timedelta(days=1)


def made(name: str = "whe_1", tenant: str = "acme", created: datetime = NOW) -> Endpoint:
    sealer = Sealer(KEYS[tenant], random_bytes)
    return Endpoint(
        id=name,
        tenant=tenant,
        url="https://shop.example.com/hooks",
        headers=sealer.headers(name, (), {"authorization": "Bearer canary"}),
        secrets=(sealer.secret(name, "v1", created)[0],),
        created=created,
        updated=created,
    )


@pytest.fixture
def book() -> EndpointBook:
    return EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", KEYS)


def test_a_record_reads_as_it_was_written_and_tells_no_secret() -> None:
    secret, key = SEALER.secret("whe_1", "v1a", NOW)
    endpoint = rotated(made(), secret, DAY, NOW)
    written = endpoint_bytes(endpoint)
    assert endpoint_from(written) == endpoint
    assert endpoint_from(endpoint_bytes(Deleted("whe_1", "acme"))) == Deleted("whe_1", "acme")
    for text in (written.decode(), repr(endpoint), repr(SEALER.keys)):
        assert "canary" not in text
        assert key.secret.hex() not in text
        assert repr(key.secret)[2:-1] not in text


def test_members_of_later_versions_are_passed_over() -> None:
    later = orjson.loads(endpoint_bytes(made())) | {"later": 1}
    assert isinstance(endpoint_from(orjson.dumps(later)), Endpoint)


@given(st.one_of(st.binary(), st.builds(orjson.dumps, st.dictionaries(st.text(), st.booleans()))))
def test_what_is_no_endpoint_is_said_to_be_none(value: bytes) -> None:
    with pytest.raises(UnreadableEndpointError):
        endpoint_from(value)


def test_secrets_open_for_their_endpoint_and_under_their_tenants_key_alone(
    book: EndpointBook,
) -> None:
    endpoint = made()
    book.take(endpoint_bytes(endpoint))
    assert dict(book.headers(endpoint)) == {"authorization": "Bearer canary"}
    assert len(book.signing_keys(endpoint, NOW)) == 1
    for stranger in (
        replace(endpoint, id="whe_2"),
        replace(endpoint, id="whe_3", tenant="other"),
        replace(endpoint, id="whe_4", tenant="unknown"),
    ):
        with pytest.raises(UnsealingError):
            book.signing_keys(stranger, NOW)


def test_of_two_records_of_one_revision_the_first_holds(book: EndpointBook) -> None:
    first = made()
    one, two = (changed(first, {"description": text}, NOW) for text in ("one", "two"))
    for record in (first, one, two, first):
        book.take(endpoint_bytes(record))
    assert book.get("whe_1") == one
    assert one.revision == 2
    # A later one holds whoever was first.
    book.take(endpoint_bytes(changed(two, {}, NOW)))
    assert book.get("whe_1") == changed(two, {}, NOW)


def test_nothing_follows_a_deletion(book: EndpointBook) -> None:
    endpoint = made()
    gone = Deleted("whe_1", "acme")
    for record in (endpoint, gone, changed(endpoint, {}, NOW)):
        book.take(endpoint_bytes(record))
    assert (book.get("whe_1"), book.holds("whe_1"), book.of("acme")) == (None, gone, ())


def test_a_tenants_endpoints_stand_oldest_first(book: EndpointBook) -> None:
    later, earlier = made("whe_a", created=NOW + DAY), made("whe_b")
    for record in (later, earlier, made("whe_c", tenant="other")):
        book.take(endpoint_bytes(record))
    book.take(b"{}")
    book.take(None)
    assert book.of("acme") == (earlier, later)
    assert book.of("nobody") == ()


class Topic:
    """Stands in for `webhook-endpoints`: what is written is read at once."""

    def __init__(self, book: EndpointBook) -> None:
        self.book = book
        self.records: list[bytes] = []

    async def add(self, record: Endpoint | Deleted) -> None:
        await asyncio.sleep(0)
        self.append(endpoint_bytes(record))

    async def restate(self, record: Endpoint | Deleted) -> None:
        self.append(restated(endpoint_bytes(record)))

    def append(self, value: bytes) -> None:
        self.records.append(value)
        self.book.take(value)


async def test_who_writes_learns_whether_it_holds(book: EndpointBook) -> None:
    first, topic = made(), Topic(book)
    mine, others = (changed(first, {"description": text}, NOW) for text in ("a", "b"))
    assert await book.write(first, topic)
    written = (book.write(record, topic) for record in (others, mine, others))
    assert await asyncio.gather(*written) == [True, False, True]
    gone = Deleted("whe_1", "acme")
    assert await asyncio.gather(*(book.write(gone, topic) for _ in range(2))) == [True, True]


async def test_what_holds_is_restated_where_another_record_stands_last(
    book: EndpointBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind what a writer left that died, and once alone."""
    first, topic = made(), Topic(book)
    topic.append(endpoint_bytes(first))
    topic.append(endpoint_bytes(replace(first, description="late")))
    await book.settle(topic)
    assert len(topic.records) == 2, "nothing is said before all is read"
    monkeypatch.setattr(EndpointBook, "known", True)
    for _ in range(2):
        await book.settle(topic)
    assert topic.records[2:] == [restated(endpoint_bytes(first))]
    # What compaction leaves, and what a reader of half a compaction sees.
    for left in (topic.records[-1:], topic.records[-2:]):
        other = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", KEYS)
        for value in left:
            other.take(value)
        assert other.get("whe_1") == first


def test_a_rotation_never_makes_a_secret_last_longer() -> None:
    second, third = (SEALER.secret("whe_1", "v1", NOW)[0] for _ in range(2))
    soon = rotated(made(), second, timedelta(hours=1), NOW)
    late = rotated(soon, third, DAY, NOW)
    assert [one.expires for one in late.secrets] == [None, NOW + DAY, NOW + timedelta(hours=1)]
    assert [one.id for one in late.secrets][:2] == [third.id, second.id]
    # What has expired is left behind by the next change, and without overlap at once.
    assert len(changed(late, {}, NOW + timedelta(hours=2)).secrets) == 2
    assert len(rotated(late, SEALER.secret("whe_1", "v1", NOW)[0], timedelta(), NOW).secrets) == 1


def test_at_most_five_secrets_sign() -> None:
    endpoint = made()
    for _ in range(4):
        endpoint = rotated(endpoint, SEALER.secret("whe_1", "v1", NOW)[0], DAY, NOW)
    with pytest.raises(TooManySecretsError):
        rotated(endpoint, SEALER.secret("whe_1", "v1", NOW)[0], DAY, NOW)


def test_headers_change_one_by_one() -> None:
    held = made().headers
    more = SEALER.headers("whe_1", held, {"x-team": "a"})
    assert [one.name for one in more] == ["authorization", "x-team"]
    assert more[0] == held[0]
    assert SEALER.headers("whe_1", more, {"authorization": None, "x-team": "b"})[0].name == "x-team"
