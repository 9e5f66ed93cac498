"""What is sent for a conversation, and what is recorded of it."""

import asyncio
import hashlib
import json
from dataclasses import replace

import httpx
import pytest

from plugins.api import Done, Failed, Request
from schemas.connections import (
    BasicAuth,
    BearerAuth,
    Limits,
    SecretFromEnvironment,
)
from schemas.steps import ErrorKind, Failure
from tests.unit.performing import (
    MANIFEST,
    NOW,
    OAUTH,
    ORDER,
    PLAIN,
    SECRET,
    Rig,
    ask,
    ok,
    one,
    status,
    two,
)


async def test_a_request_carries_key_order_trace_and_json():
    rig = Rig(ok(id="A"))
    assert await rig.outcome(one, trace="00-a-b-01") == Done(id="A")
    sent = rig.sent[0]
    assert str(sent.url) == "https://partner.test/v1/things"
    assert sent.content == b'{"a":1}'
    expected = {
        "idempotency-key": "key-make",
        "waybill-order": "order-1",
        "traceparent": "00-a-b-01",
        "content-type": "application/json",
    }
    assert expected.items() <= dict(sent.headers).items()
    assert "authorization" not in sent.headers


async def test_a_request_that_changes_nothing_has_no_key():
    rig = Rig(ok())
    await rig.outcome(ask)
    assert "idempotency-key" not in rig.sent[0].headers
    assert str(rig.sent[0].url) == "https://partner.test/v1/things?q=x+y"


async def test_basic_and_bearer_credentials():
    basic = BasicAuth(type="basic", username="me", password=SECRET)
    bearer = BearerAuth(type="bearer", token=SECRET)
    for auth, shown in ((basic, "Basic bWU6aHVzaC1odXNo"), (bearer, "Bearer hush-hush")):
        rig = Rig(ok(id=1), connection=PLAIN.model_copy(update={"auth": auth}))
        await rig.outcome(one)
        assert rig.sent[0].headers["authorization"] == shown


@pytest.mark.parametrize("path", ["https://other.test/x", "http://partner.test/x"])
async def test_credentials_go_to_the_connections_own_origin_only(path):
    def talk(_step):
        yield Request.post(path, {}, call="c")
        yield Request.post("https://partner.test/x", {}, call="d")
        return Done()

    bearer = BearerAuth(type="bearer", token=SECRET)
    update = {"auth": bearer, "headers": {"Api-Key": "k"}}
    rig = Rig(ok(), connection=PLAIN.model_copy(update=update))
    await rig.outcome(talk)
    abroad, home = rig.sent
    assert not {"authorization", "api-key"} & set(abroad.headers)
    assert {"authorization", "api-key"} <= set(home.headers)


async def test_a_path_cannot_name_another_host():
    def talk(_step):
        yield Request.post("@evil.test/x", {}, call="c")
        return Done()

    rig = Rig(ok())
    await rig.outcome(talk)
    assert rig.sent[0].url.host == "partner.test"


async def test_an_expired_token_is_renewed_once_with_the_same_key():
    rig = Rig(status(401), ok(id="A"), connection=OAUTH)
    assert await rig.outcome(one) == Done(id="A")
    assert [sent.headers["authorization"] for sent in rig.sent] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert {sent.headers["idempotency-key"] for sent in rig.sent} == {"key-make"}


async def test_a_token_that_is_refused_again_is_misconfigured():
    rig = Rig(status(401), connection=OAUTH)
    failure = await rig.outcome(one)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.code) == (ErrorKind.MISCONFIGURED, "unauthorized")
    assert len(rig.sent) == 2


async def test_a_missing_secret_is_misconfigured_and_nothing_is_sent():
    auth = BearerAuth(type="bearer", token=SecretFromEnvironment(env="NOPE"))
    rig = Rig(ok(id=1), connection=PLAIN.model_copy(update={"auth": auth}))
    failure = await rig.outcome(one)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.code) == (ErrorKind.MISCONFIGURED, "secret_missing")
    assert "NOPE" in failure.message
    assert rig.sent == []


async def test_a_callout_holds_the_exchange_and_no_headers():
    rig = Rig(ok(id="A", mail="ada@example.org"))
    performed = await rig.perform(one, trace="00-a-b-01")
    (callout,) = performed.callouts
    assert (callout.call, callout.attempt, callout.method) == ("make", 2, "POST")
    assert (callout.status, callout.key, callout.error) == (200, "key-make", None)
    assert (callout.started_at, callout.duration_ms) == (NOW, 250.0)
    assert callout.request.text == '{"a":1}'
    assert json.loads(callout.response.text)["mail"] == "[redacted]"
    assert "00-a-b-01" not in repr(callout)


async def test_credentials_that_the_partner_echoes_are_not_recorded():
    bearer = BearerAuth(type="bearer", token=SECRET)
    rig = Rig(
        ok(id="A", said="Bearer hush-hush"),
        connection=PLAIN.model_copy(update={"auth": bearer}),
    )
    assert "hush" not in repr((await rig.perform(one)).callouts)


async def test_an_exchange_without_an_answer_is_recorded_with_its_error():
    performed = await Rig(httpx.ReadTimeout("x")).perform(one)
    (callout,) = performed.callouts
    assert callout.status is None
    assert callout.error is not None


async def test_at_most_20_callouts_and_always_the_last_one():
    def talk(_step):
        for n in range(30):
            yield Request.get(f"/{n}")
        return Done()

    callouts = (await Rig(ok()).perform(talk)).callouts
    assert len(callouts) == 20
    assert callouts[-1].url.endswith("/29")


async def test_an_order_is_sent_whole_and_recorded_by_reference():
    def talk(_step):
        extra = {"context": {"id": 7, "mail": "ada@example.org"}}
        yield Request("POST", "/x", extra, "c", order_body=True)
        return Done()

    rig = Rig(ok())
    performed = await rig.perform(talk)
    whole = rig.sent[0].content
    assert json.loads(whole) == {**ORDER, "context": {"id": 7, "mail": "ada@example.org"}}
    body = performed.callouts[0].request
    assert (body.of, body.length) == ("order", len(whole))
    assert body.sha256 == hashlib.sha256(whole).hexdigest()
    assert json.loads(body.text) == {"context": {"id": 7, "mail": "[redacted]"}}


async def test_forms_are_sent_as_forms():
    def talk(_step):
        yield Request("POST", "/x", {"a": "b c"}, form=True)
        return Done()

    rig = Rig(ok())
    await rig.outcome(talk)
    assert rig.sent[0].content == b"a=b+c"
    assert rig.sent[0].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_nothing_is_sent_after_the_deadline():
    rig = Rig(ok())
    outcome = await rig.outcome(two, deadline_s=0.2)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.call) == ("deadline", "second")
    assert len(rig.sent) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0), ("soon", None), ("-1", None)],
)
async def test_retry_after_is_handed_on(said, seconds):
    performed = await Rig(status(429, retry_after=said)).perform(one)
    assert performed.retry_after_s == seconds


@pytest.mark.parametrize(("said", "seconds"), [(None, 7.0), (900.0, 900.0)])
async def test_a_connector_may_know_better_how_long_to_wait(said, seconds):
    def table(_reply):
        return Failed(ErrorKind.RATE_LIMITED, "limit", "wait", retry_after_s=said)

    manifest = replace(MANIFEST, errors=table)
    performed = await Rig(status(429, retry_after="7")).perform(one, manifest)
    assert performed.retry_after_s == seconds


async def test_a_stage_has_so_many_conversations_at_a_time():
    connection = PLAIN.model_copy(update={"limits": Limits(max_in_flight=2)})
    rig, running, most = Rig(ok(id=1), connection=connection), 0, 0

    async def before_sending() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    await asyncio.gather(*[rig.perform(one, before_sending=before_sending) for _ in range(8)])
    assert most == 2


async def test_cancellation_passes_and_gives_the_place_back():
    connection = PLAIN.model_copy(update={"limits": Limits(max_in_flight=1)})
    rig = Rig(ok(id=1), connection=connection)

    async def hang() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(rig.perform(one, before_sending=hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await rig.outcome(one), Done)
