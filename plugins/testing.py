"""The contract of connectors as plain functions: what must hold for every one, whoever wrote it.

In a test of your own: `for rule in RULES: await rule(connector, example)`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import httpx
import orjson

from plugins import judging
from plugins.api import Connector, Done, Example, Failed, NotDone, Outcome, Request, Unknown
from plugins.perform import InDoubt, Performed
from plugins.redaction import Scrubber
from plugins.scripted import CANARIES, HangError, Misbehaviour, Stand, Trial, personal
from schemas.steps import Failure

_HASTE_S = 0.05
_UNAUTHORIZED, _TOO_MANY, _BROKEN = 401, 429, 500

HOSTILE: Final[Sequence[bytes]] = (
    b"",
    b"<html>no json</html>",
    b"null",
    b"[]",
    b"42",
    b'"text"',
    b"{}",
    b'{"success": {"a": [null]}, "id": {}, "records": 7, "compositeResponse": "x"}',
    b"[" * 5000 + b"]" * 5000,
    b"[" * 900 + b"]" * 900,
    b'{"a":"' + b"x" * 5_000_000 + b'"}',
    b"\xff\xfe\x00\x01",
)
"""Bodies that no partner should send, and that none of them may break us with."""

Rule: TypeAlias = Callable[[Connector, Example], Awaitable[None]]


class ContractBrokenError(AssertionError):
    """A connector does not keep the contract; the message says where."""


async def the_outcome_is_as_expected(connector: Connector, example: Example) -> None:
    """The scripted replies lead to the outcome that the example names."""
    trial = await Stand(connector, example).perform()
    _require(trial.asked or example.expected, "the example asks for nothing and expects nothing")
    if example.expected is not None:
        _compare(trial.performed, example.expected)


async def the_same_input_asks_the_same(connector: Connector, example: Example) -> None:
    """A repeated step sends the same bytes: partners compare them under one key."""
    stand = Stand(connector, example)
    first, second = await stand.perform(), await stand.perform()
    _require(_bytes(first) == _bytes(second), "two runs of one step sent different requests")
    _require(first.performed == second.performed, "two runs of one step ended differently")


async def calls_are_named_once(connector: Connector, example: Example) -> None:
    """What changes something has a name, and carries the key that follows from it."""
    trial = await Stand(connector, example).perform()
    names = [request.call for request in trial.asked if request.call is not None]
    _require(len(names) == len(set(names)), f"call names repeat: {names}")
    for request, sent in zip(trial.asked, trial.sent, strict=True):
        unsafe = request.method in {"PUT", "PATCH", "DELETE"}
        _require(request.call or not unsafe, f"{request.method} {request.path} names no call")
        if judging.is_keyed(connector, request):
            key = sent.headers.get(connector.manifest.key_header or "")
            _require(key == f"key-of-{request.call}", f"{request.call} went without its key")


async def nothing_secret_is_recorded(connector: Connector, example: Example) -> None:
    """Neither personal values nor credentials are in a callout or a message, even when echoed."""
    for status in (None, 200, 400, _BROKEN):
        trial = await Stand(connector, example, _echo(status)).perform()
        outcome = trial.performed.outcome
        seen = orjson.dumps([trial.performed.callouts, outcome if _is_message(outcome) else None])
        shown = seen.decode()
        for canary in (*CANARIES.values(), "canary-token-"):
            _require(canary not in shown, f"a credential is recorded ({canary})")
        scrubber = Scrubber.of(personal(example.step.order))
        found = [value for value in scrubber.needles if value in seen]
        _require(not found, f"personal values are recorded: {found}")


async def a_lost_answer_is_unknown(connector: Connector, example: Example) -> None:
    """Cut or timed out after sending: in doubt, under the name of the call."""
    errors = (httpx.ReadTimeout("no answer"), httpx.ReadError("reset"), HangError())
    async for trial, request, _ in _each(connector, example, errors, deadline_s=_HASTE_S):
        outcome = trial.performed.outcome
        if trial.performed.unsent:
            continue  # on a busy machine the haste is over before the request leaves
        if request.call is not None:
            in_doubt = isinstance(outcome, InDoubt) and outcome.call == request.call
            _require(in_doubt, f"a lost answer to {request.call} became {outcome}")
        else:
            _require(not isinstance(outcome, Done), "done without an answer")


async def what_was_not_sent_keeps_its_key(connector: Connector, example: Example) -> None:
    """No connection: a failure that is not definite, or in doubt for what was done before."""
    async for trial, _, _ in _each(connector, example, (httpx.ConnectError("refused"),)):
        outcome = trial.performed.outcome
        kept = isinstance(outcome, InDoubt) or (
            isinstance(outcome, Failure) and not outcome.definite
        )
        _require(kept, f"a request that was not sent became {outcome}")


async def error_statuses_end_well(connector: Connector, example: Example) -> None:
    """A refusal is a failure; an error of the server's leaves open what came of a call."""
    refusals = [httpx.Response(status) for status in (_TOO_MANY, _BROKEN, 502, 504)]
    async for trial, request, given in _each(connector, example, refusals):
        outcome = trial.performed.outcome
        _require(_is_outcome(outcome), f"no outcome: {outcome}")
        if isinstance(given, httpx.Response) and given.status_code >= _BROKEN and request.call:
            definite = isinstance(outcome, Failure) and outcome.definite
            _require(not definite, f"{given.status_code} to {request.call} counts as definite")


async def hostile_replies_are_survived(connector: Connector, example: Example) -> None:
    """Whatever the partner sends, the step ends; what cannot be read proves no failure."""
    bodies = [httpx.Response(200, content=body) for body in HOSTILE]
    bodies += [httpx.Response(400, content=body) for body in HOSTILE]
    async for trial, request, given in _each(connector, example, bodies):
        outcome = trial.performed.outcome
        _require(_is_outcome(outcome), f"no outcome: {outcome}")
        if isinstance(given, httpx.Response) and given.is_success and request.call:
            definite = isinstance(outcome, Failure) and outcome.definite
            _require(not definite, f"an unreadable 200 to {request.call} counts as {outcome}")


async def an_expired_token_is_renewed_once(connector: Connector, example: Example) -> None:
    """401: another token, the same key; a second 401 is a fault of the configuration."""
    if connector.manifest.oauth is None:
        return
    plain = await Stand(connector, example).perform()
    for at in range(len(plain.sent)):
        stand = Stand(connector, example, _first(at, httpx.Response(_UNAUTHORIZED)))
        trial = await stand.perform()
        again, before = trial.sent[at + 1], trial.sent[at]
        _require(trial.performed.outcome == plain.performed.outcome, "a new token changed it all")
        _require(_but_token(again) == _but_token(before), "another request after a new token")
        _require(_token(again) != _token(before), "the refused token was used again")
    stand = Stand(connector, example, lambda _, __: httpx.Response(_UNAUTHORIZED))
    trial = await stand.perform()
    _require(len(trial.sent) <= 2 * len(plain.sent), "a refused token is renewed for ever")


async def cancellation_passes(connector: Connector, example: Example) -> None:
    """A stopped worker is not held up by a conversation."""
    plain = await Stand(connector, example).perform()
    if not plain.asked:
        return
    stand = Stand(connector, example, lambda _, __: HangError())
    task = asyncio.create_task(stand.perform())
    await asyncio.sleep(0.01)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    _require(bool(done) and task.cancelled(), "a cancelled conversation went on")


async def an_unknown_outcome_is_looked_up(connector: Connector, example: Example) -> None:
    """Found: done, with the same output. Missing: not done. No answer: still in doubt."""
    stand = Stand(connector, example)
    if connector.look_up is None:
        return
    if example.found is not None:
        found = (await stand.look_up(example.found)).performed
        _require(isinstance(found.outcome, Done), f"found, but {found.outcome}")
        if isinstance(example.expected, Done):
            _compare(found, example.expected)
    if example.missing is not None:
        missing = (await stand.look_up(example.missing)).performed
        _require(isinstance(missing.outcome, NotDone), f"missing, but {missing.outcome}")
    for fault in (httpx.Response(_BROKEN), httpx.ReadError("reset"), httpx.ConnectError("no")):
        broken = replace(stand, misbehaves=_at(0, fault))
        outcome = (await broken.look_up(example.missing or {})).performed.outcome
        _require(isinstance(outcome, InDoubt), f"a look-up without an answer became {outcome}")


async def what_was_done_is_undone(connector: Connector, example: Example) -> None:
    """Undone: done. Undone before: done as well. No answer: not known, and asked again alike."""
    if connector.compensation is None or example.undone is None:
        return
    stand = Stand(connector, example)
    for script in (example.undone, example.gone):
        if script is not None:
            outcome = (await stand.compensate(script)).performed.outcome
            _require(isinstance(outcome, Done), f"the compensation became {outcome}")
    first, again = await stand.compensate(example.undone), await stand.compensate(example.undone)
    _require(_bytes(first) == _bytes(again), "two compensations of one step differ")
    for at, request in enumerate(first.asked):
        unsafe = request.method not in {"GET", "HEAD"}
        _require(request.call or not unsafe, f"{request.method} {request.path} names no call")
        for fault in (httpx.ReadError("reset"), httpx.Response(_BROKEN)):
            broken = replace(stand, misbehaves=_at(at, fault))
            lost = (await broken.compensate(example.undone)).performed.outcome
            known = isinstance(lost, Done) or (isinstance(lost, Failure) and lost.definite)
            _require(not known or not request.call, f"a lost answer to {request.call}: {lost}")


RULES: Final[Sequence[Rule]] = (
    the_outcome_is_as_expected,
    the_same_input_asks_the_same,
    calls_are_named_once,
    nothing_secret_is_recorded,
    a_lost_answer_is_unknown,
    what_was_not_sent_keeps_its_key,
    error_statuses_end_well,
    hostile_replies_are_survived,
    an_expired_token_is_renewed_once,
    cancellation_passes,
    an_unknown_outcome_is_looked_up,
    what_was_done_is_undone,
)
"""The whole contract."""


def look_ups_are_shown(connector: Connector, examples: Sequence[Example]) -> None:
    """A connector with a look-up has an example of either answer."""
    if connector.look_up is None:
        return
    _require(any(example.found for example in examples), "no example has `found`")
    _require(any(example.missing for example in examples), "no example has `missing`")


def compensations_are_shown(connector: Connector, examples: Sequence[Example]) -> None:
    """A connector with a compensation has an example where it undoes, and one where it has."""
    if connector.compensation is None:
        return
    _require(any(example.undone for example in examples), "no example has `undone`")
    _require(any(example.gone for example in examples), "no example has `gone`")


Fault: TypeAlias = httpx.Response | Exception


async def _each(
    connector: Connector,
    example: Example,
    faults: Sequence[Fault],
    deadline_s: float = 30.0,
) -> AsyncIterator[tuple[Trial, Request, Fault]]:
    """Every fault at every request, one at a time."""
    plain = await Stand(connector, example).perform()
    for at, request in enumerate(plain.asked):
        for fault in faults:
            stand = Stand(connector, example, _at(at, fault), deadline_s)
            yield await stand.perform(), request, fault


def _at(place: int, fault: Fault) -> Misbehaviour:
    return lambda index, _: _fresh(fault) if index == place else None


def _first(place: int, fault: Fault) -> Misbehaviour:
    left = [fault]
    return lambda index, _: left.pop() if index == place and left else None


def _fresh(fault: Fault) -> Fault:
    """A response can be read only once."""
    if isinstance(fault, Exception):
        return fault
    return httpx.Response(fault.status_code, headers=fault.headers, content=fault.content)


def _echo(status: int | None) -> Misbehaviour:
    def echo(_: int, request: httpx.Request) -> httpx.Response | None:
        if status is None:
            return None
        headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        said = {"message": f"{request.url} {headers} {request.content.decode()}"}
        return httpx.Response(status, json=said)

    return echo


def _compare(performed: Performed, expected: Outcome) -> None:
    outcome = performed.outcome
    match expected:
        case Failed(kind=kind, code=code):
            same = isinstance(outcome, Failure) and (outcome.kind, outcome.code) == (kind, code)
        case Unknown(code=code):
            same = isinstance(outcome, InDoubt) and outcome.code == code
        case _:
            same = outcome == expected
    _require(same, f"expected {expected}, was {outcome}")


def _is_outcome(outcome: object) -> bool:
    return isinstance(outcome, Done | Failure | InDoubt)


def _is_message(outcome: object) -> bool:
    return isinstance(outcome, Failure | InDoubt)


def _bytes(trial: Trial) -> list[tuple[str, str, list[tuple[str, str]], bytes]]:
    return [
        (sent.method, str(sent.url), sorted(sent.headers.multi_items()), sent.content)
        for sent in trial.sent
    ]


def _but_token(sent: httpx.Request) -> tuple[str, bytes, list[tuple[str, str]]]:
    headers = [item for item in sent.headers.multi_items() if item[0] != "authorization"]
    return str(sent.url), sent.content, headers


def _token(sent: httpx.Request) -> str:
    return str(sent.headers.get("authorization"))


def _require(held: object, otherwise: str) -> None:
    if not held:
        raise ContractBrokenError(otherwise)
