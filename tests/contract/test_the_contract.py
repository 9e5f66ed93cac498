"""The contract bites: a connector that breaks a rule is caught, one that holds is not."""

import itertools
from dataclasses import replace

import pytest

from plugins.api import (
    Done,
    Example,
    Failed,
    Idempotency,
    Manifest,
    NoOptions,
    NotDone,
    OAuthClientCredentials,
    Reply,
    Request,
    Step,
    connector,
)
from plugins.scripted import UnscriptedError
from plugins.testing import (
    RULES,
    ContractBrokenError,
    an_unknown_outcome_is_looked_up,
    calls_are_named_once,
    compensations_are_shown,
    error_statuses_end_well,
    hostile_replies_are_survived,
    look_ups_are_shown,
    the_outcome_is_as_expected,
    the_same_input_asks_the_same,
    what_was_done_is_undone,
)
from schemas.steps import ErrorKind

MANIFEST = Manifest(
    name="acme",
    service="provisioning",
    summary="Opens an account.",
    idempotency=Idempotency.LOOK_UP,
    options=NoOptions,
    oauth=OAuthClientCredentials(token_path="/token"),
    errors=lambda reply: (
        Failed(ErrorKind.PERMANENT, reply["code"], "no") if reply.status == 400 else None
    ),
)
ORDER = {
    "id": "order-1",
    "customerDetails": {"firstName": "Jo", "lastName": "Ångström", "email": "jo@example.org"},
    "billingDetails": {"street": "1 High Street", "country": "GB"},
}
EXAMPLE = Example(
    name="an account is opened",
    step=Step(id="acme", order=ORDER, options=NoOptions()),
    replies={
        "GET /plans": Reply(200, {"plan": "basic"}),
        "open-account": Reply(201, {"number": "A-1"}),
    },
    expected=Done(account="A-1"),
    found={"GET /accounts": Reply(200, {"number": "A-1"})},
    missing={"GET /accounts": Reply(404, None)},
)


def good():
    @connector(MANIFEST)
    def acme(step):
        plans = yield Request.get("/plans")
        body = {"plan": plans["plan"], "email": step.order["customerDetails"]["email"]}
        reply = yield Request.post("/accounts", body, call="open-account")
        return Done(account=reply["number"])

    @acme.reconcile
    def look_up(step):
        found = yield Request.get("/accounts", {"order": step.order["id"]}, accept={404})
        return Done(account=found["number"]) if found.ok else step.not_done()

    return acme


def having(perform):
    made = connector(MANIFEST)(perform)
    made.look_up = good().look_up
    return made


counter = itertools.count()


def _forgets_a_member(_step):
    yield Request.post("/accounts", {}, call="open-account")
    return Done(account="none")


def _asks_something_else(_step):
    yield Request.post("/accounts", {"n": next(counter)}, call="open-account")
    return Done(account="A-1")


def _names_no_call(_step):
    yield Request("PUT", "/plans", {})
    return Done(account="A-1")


def _takes_the_unreadable_for_a_refusal(_step):
    reply = yield Request.post("/accounts", {}, call="open-account")
    if not isinstance(reply.body, dict) or "number" not in reply.body:
        return Failed(ErrorKind.PERMANENT, "bad", "bad")
    return Done(account=reply["number"])


def _takes_errors_for_refusals(_step):
    reply = yield Request("POST", "/accounts", {}, "open-account", accept=frozenset({500}))
    if not reply.ok:
        return Failed(ErrorKind.PERMANENT, "bad", "bad")
    return Done(account="A-1")


def _swallows(_step):
    yield Request.get("/plans")
    return NotDone()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_a_good_connector_keeps_every_rule(rule):
    await rule(good(), EXAMPLE)


BAD = [
    (_forgets_a_member, the_outcome_is_as_expected),
    (_swallows, the_outcome_is_as_expected),
    (_asks_something_else, the_same_input_asks_the_same),
    (_names_no_call, calls_are_named_once),
    (_takes_the_unreadable_for_a_refusal, hostile_replies_are_survived),
    (_takes_errors_for_refusals, error_statuses_end_well),
]


@pytest.mark.parametrize(("talk", "rule"), BAD)
async def test_a_bad_connector_is_caught(talk, rule):
    example = Example(
        name="as above",
        step=EXAMPLE.step,
        replies={**EXAMPLE.replies, "PUT /plans": Reply(200, {})},
        expected=EXAMPLE.expected,
    )
    with pytest.raises(ContractBrokenError):
        await rule(having(talk), example)


async def test_a_look_up_that_takes_an_error_for_missing_is_caught():
    made = good()

    @made.reconcile
    def _look_up(step):
        found = yield Request.get("/accounts", accept={404, 500})
        return Done(account=found["number"]) if found.ok else step.not_done()

    with pytest.raises(ContractBrokenError, match="without an answer"):
        await an_unknown_outcome_is_looked_up(made, EXAMPLE)


async def test_an_answer_that_the_example_forgot_is_named():
    example = Example(name="bare", step=EXAMPLE.step, replies={}, expected=Done(account="A-1"))
    with pytest.raises(UnscriptedError, match="GET /plans"):
        await the_outcome_is_as_expected(good(), example)


async def test_a_connector_with_a_look_up_shows_it():
    with pytest.raises(ContractBrokenError, match="found"):
        look_ups_are_shown(good(), [Example(name="x", step=EXAMPLE.step, replies={})])


def undoable(undo):
    """A connector with that compensation, and an example of it."""

    @connector(replace(MANIFEST, oauth=None))
    def acme(_step):
        reply = yield Request.post("/accounts", {}, call="open-account")
        return Done(account=reply["number"])

    acme.compensate(undo)
    example = replace(
        EXAMPLE,
        undone={"close": Reply(200, {}), "DELETE /accounts": Reply(200, {})},
        gone={"close": Reply(404, {}), "DELETE /accounts": Reply(404, {})},
    )
    return acme, example


async def test_a_compensation_may_be_repeated():
    def undo(step):
        yield Request("DELETE", f"/accounts/{step.output['account']}", call="close", accept={404})
        return Done()

    one, example = undoable(undo)
    await what_was_done_is_undone(one, example)
    compensations_are_shown(one, [example])


async def test_a_compensation_that_fails_where_all_is_undone_is_caught():
    def undo(_step):
        yield Request("DELETE", "/accounts", call="close")
        return Done()

    with pytest.raises(ContractBrokenError, match="the compensation became"):
        await what_was_done_is_undone(*undoable(undo))


async def test_a_compensation_that_names_no_call_is_caught():
    def undo(_step):
        yield Request("DELETE", "/accounts", accept={404})
        return Done()

    with pytest.raises(ContractBrokenError, match="names no call"):
        await what_was_done_is_undone(*undoable(undo))


def test_a_compensation_without_examples_is_caught():
    one, example = undoable(lambda _: iter(()))
    with pytest.raises(ContractBrokenError, match="undone"):
        compensations_are_shown(one, [replace(example, undone=None)])
