"""What a reply, a lost answer or a broken connector makes of a step."""

from dataclasses import replace

import httpx
import pytest

from plugins.api import (
    Done,
    Failed,
    Idempotency,
    NotDone,
    PartnerSurpriseError,
    Request,
    Unknown,
)
from plugins.perform import InDoubt
from schemas.steps import ErrorKind, Failure
from tests.unit.performing import MANIFEST, Rig, ask, ok, one, status, two

DEFINITE = [
    (status(400), ErrorKind.PERMANENT, "http_400"),
    (status(401), ErrorKind.MISCONFIGURED, "unauthorized"),
    (status(404), ErrorKind.PERMANENT, "http_404"),
    (status(422), ErrorKind.PERMANENT, "http_422"),
    (status(429), ErrorKind.RATE_LIMITED, "rate_limited"),
    (status(503, retry_after="7"), ErrorKind.TRANSIENT, "unavailable"),
]


@pytest.mark.parametrize(("answer", "kind", "code"), DEFINITE)
async def test_a_refusal_is_definite_and_names_its_call(answer, kind, code):
    failure = await Rig(ok(), answer).outcome(two)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.code, failure.call) == (kind, code, "second")
    assert failure.definite
    assert failure.buyer_message


@pytest.mark.parametrize("code", [408, 409, 500, 501, 502, 503, 504, 599])
async def test_an_error_of_the_servers_leaves_open_what_came_of_the_call(code):
    outcome = await Rig(ok(), status(code)).outcome(two)
    assert isinstance(outcome, InDoubt)
    assert outcome.call == "second"


async def test_a_conflict_without_a_key_is_a_refusal():
    manifest = replace(MANIFEST, key_header=None)
    assert isinstance(await Rig(status(409)).outcome(one, manifest), Failure)


@pytest.mark.parametrize("answer", [status(500), status(408), httpx.ReadTimeout("x")])
async def test_a_query_without_an_answer_is_a_transient_failure(answer):
    failure = await Rig(answer).outcome(ask)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.definite) == (ErrorKind.TRANSIENT, False)


async def test_a_lost_answer_is_in_doubt_and_an_unsent_request_keeps_its_key():
    lost = await Rig(ok(), httpx.ReadTimeout("x")).outcome(two)
    assert isinstance(lost, InDoubt)
    assert (lost.code, lost.call) == ("timeout", "second")
    unsent = await Rig(ok(), httpx.ConnectError("x")).outcome(two)
    assert isinstance(unsent, Failure)
    assert (unsent.code, unsent.call, unsent.definite) == ("not_reached", "second", False)


async def test_the_connectors_own_words_for_a_timeout():
    manifest = replace(MANIFEST, timeout_message="This operation was aborted")
    lost = await Rig(httpx.ReadTimeout("x")).outcome(one, manifest)
    assert isinstance(lost, InDoubt)
    assert lost.message == "This operation was aborted"


@pytest.mark.parametrize(
    ("idempotency", "header", "kind"),
    [
        (Idempotency.NATIVE, None, Failure),
        (Idempotency.LOOK_UP, "Idempotency-Key", Failure),
        (Idempotency.LOOK_UP, None, InDoubt),
        (Idempotency.NONE, "Idempotency-Key", InDoubt),
    ],
)
async def test_what_was_done_is_not_done_again_by_a_retry(idempotency, header, kind):
    manifest = replace(MANIFEST, idempotency=idempotency, key_header=header)
    outcome = await Rig(ok(), status(429)).outcome(two, manifest)
    assert isinstance(outcome, kind)
    assert outcome.call == ("second" if kind is Failure else "first")


async def test_the_error_table_comes_first_and_may_leave_it_to_the_general_rules():
    def errors(reply):
        return Failed(ErrorKind.DECLINED, "card", "no", "Use another card.") if reply.body else None

    manifest = replace(MANIFEST, errors=errors)
    declined = await Rig(httpx.Response(402, json={"x": 1})).outcome(one, manifest)
    assert isinstance(declined, Failure)
    assert (declined.kind, declined.buyer_message) == (ErrorKind.DECLINED, "Use another card.")
    general = await Rig(status(402)).outcome(one, manifest)
    assert isinstance(general, Failure)
    assert general.code == "http_402"


@pytest.mark.parametrize(
    ("answer", "kind"), [(500, Done), (404, Failure), (200, Done), (202, Failure)]
)
async def test_rejects_is_exactly_the_reject_list(answer, kind):
    def talk(_step):
        yield Request.post("/x", {}, call="c")
        return Done()

    manifest = replace(MANIFEST, rejects=lambda _, reply: reply.status in {404, 202})
    assert isinstance(await Rig(status(answer)).outcome(talk, manifest), kind)


async def test_accepted_statuses_reach_the_conversation():
    def talk(_step):
        found = yield Request.get("/x", accept={404})
        return Done(found=found.ok)

    assert await Rig(status(404)).outcome(talk) == Done(found=False)


@pytest.mark.parametrize("raises", [PartnerSurpriseError("odd"), KeyError("id"), RecursionError()])
@pytest.mark.parametrize(("answer", "kind"), [(200, InDoubt), (404, Failure)])
async def test_a_broken_connector_is_an_outcome(raises, answer, kind):
    def talk(_step):
        yield Request("POST", "/x", {}, "c", accept=frozenset({404}))
        raise raises

    outcome = await Rig(status(answer)).outcome(talk)
    assert isinstance(outcome, kind)
    if isinstance(outcome, Failure):
        assert not outcome.definite


def _yields_nonsense(_step):
    yield "GET /"


def _returns_nonsense(_step):
    yield Request.get("/x")
    return {"id": 1}


def _not_done(_step):
    yield Request.get("/x")
    return NotDone()


def _for_ever(_step):
    while True:
        yield Request.get("/x")


def _no_json(_step):
    yield Request.post("/x", {"a": object()}, call="c")


def _bad_header(_step):
    yield Request.post("/x", {}, call="c", headers={"a": "b\r\nc: d"})


def _no_generator(_step):
    return None


def _bad_output(_step):
    yield Request.get("/x")
    return Done(a=object())


@pytest.mark.parametrize(
    "talk",
    [
        _yields_nonsense,
        _returns_nonsense,
        _not_done,
        _for_ever,
        _no_json,
        _bad_header,
        _no_generator,
        _bad_output,
    ],
)
async def test_a_wrong_conversation_is_misconfigured(talk):
    failure = await Rig(ok()).outcome(talk, deadline_s=1000.0)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.code, failure.definite) == (
        ErrorKind.MISCONFIGURED,
        "connector_error",
        False,
    )


async def test_two_requests_never_share_a_key():
    def talk(_step):
        yield Request.post("/x", {"n": 1}, call="c")
        yield Request.post("/x", {"n": 2}, call="c")
        return Done()

    rig = Rig(ok())
    assert isinstance(await rig.outcome(talk), InDoubt)
    assert len(rig.sent) == 1


async def test_outputs_that_the_log_cannot_hold_are_in_doubt():
    def talk(_step):
        yield Request.post("/x", {}, call="c")
        return Done(a="x" * 70_000)

    outcome = await Rig(ok()).outcome(talk)
    assert isinstance(outcome, InDoubt)
    assert (outcome.code, outcome.call) == ("output_too_large", "c")


async def test_unknown_and_failed_from_the_conversation_belong_to_its_calls():
    def unknown(_step):
        yield Request.post("/x", {}, call="c")
        return Unknown("odd", "who knows")

    def failed(_step):
        yield Request.post("/x", {}, call="c")
        return Failed(ErrorKind.DECLINED, "card", "card of ada@example.org")

    assert await Rig(ok()).outcome(unknown) == InDoubt("odd", "who knows", "c")
    failure = await Rig(ok()).outcome(failed)
    assert isinstance(failure, Failure)
    assert (failure.call, failure.definite) == ("c", True)
    assert failure.message == "card of [redacted]"


async def test_a_refusal_belongs_to_the_call_that_it_names_whatever_was_put_back_after_it():
    def talk(_step):
        yield Request.post("/x", {}, call="refused")
        yield Request.post("/y", {}, call="put-back")
        return Failed(ErrorKind.DECLINED, "card", "no", call="refused")

    failure = await Rig(ok(), ok()).outcome(talk)
    assert isinstance(failure, Failure)
    assert (failure.call, failure.definite) == ("refused", True)


@pytest.mark.parametrize("answer", [status(500), status(404), httpx.ConnectError("x")])
async def test_a_look_up_without_an_answer_stays_in_doubt(answer):
    rig = Rig(answer)
    assignment = rig.assignment(one)
    assignment.connector.look_up = ask
    performed = await rig.performer.perform(assignment, ask)
    assert isinstance(performed.outcome, InDoubt)


async def test_a_look_up_may_say_not_done():
    rig = Rig(ok())
    assignment = rig.assignment(one)
    assignment.connector.look_up = _not_done
    assert (await rig.performer.perform(assignment, _not_done)).outcome == NotDone()
