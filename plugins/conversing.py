"""One conversation with a partner, from its first request to an outcome that never surprises."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from plugins import judging
from plugins.api import (
    Conversation,
    Done,
    Failed,
    Idempotency,
    NotDone,
    PartnerSurpriseError,
    Reply,
    Request,
    Step,
    Unknown,
)
from plugins.assignment import Assignment, InDoubt, Performed
from plugins.credentials import ANONYMOUS, Credential, Credentials
from plugins.outgoing import Outgoing, outgoing
from plugins.recording import Recorder
from plugins.tokens import NoToken
from plugins.transport import Answer, Exchange, Lost, NotSent, Timeouts, Transport
from schemas.steps import ErrorKind, Failure

MAX_OUTPUT = 64 * 1024
"""Bytes of an output as JSON; a larger one cannot be written to the log."""

_MAX_REQUESTS = 100
_UNAUTHORIZED = 401
_RETRYABLE = frozenset({ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED, ErrorKind.CONTENTION})

Ended: TypeAlias = Done | Failure | InDoubt | NotDone
Broken: TypeAlias = Failure | InDoubt


@dataclass(frozen=True, slots=True)
class Instruments:
    """What all conversations of a process share."""

    transport: Transport
    credentials: Credentials
    now: Callable[[], datetime]
    monotonic: Callable[[], float]


class Conversing:
    """The state of one conversation: what was asked, and what may have had its effect."""

    def __init__(self, instruments: Instruments, assignment: Assignment) -> None:
        self._with = instruments
        self._a = assignment
        self._record = Recorder(assignment.attempt, assignment.scrubber)
        self._ends_at = instruments.monotonic() + assignment.deadline_s
        self._looking_up = False
        self._asked = 0
        self._named: list[str] = []
        self._effects: list[str] = []
        self._unrepeatable: set[str] = set()
        self._last_call: str | None = None
        self._retry_after_s: float | None = None
        self._unsent = False

    async def have(self, conversation: Callable[[Step[Any]], Conversation]) -> Performed:
        """Have it, from the first request to the outcome."""
        self._looking_up = conversation is self._a.connector.look_up
        try:
            talk = conversation(self._a.step)
        except Exception as error:  # noqa: BLE001 (a connector's bug is an outcome)
            ended: Ended = self._broken(error)
        else:
            try:
                ended = await self._through(talk)
            finally:
                with suppress(Exception):  # a generator may refuse to be closed
                    talk.close()
        return Performed(
            self._shown(ended),
            self._record.callouts(),
            self._retry_after_s,
            requests=self._asked,
            unsent=self._unsent and isinstance(ended, Failure),
        )

    async def _through(self, talk: Conversation) -> Ended:
        reply: Reply | None = None
        while True:
            try:
                with self._a.in_hand:
                    request = next(talk) if reply is None else talk.send(reply)
                    self._admit(request)
            except StopIteration as end:
                return self._ended(end.value)
            except Exception as error:  # noqa: BLE001 (a connector's bug is an outcome)
                return self._broken(error)
            step = await self._ask(request)
            if not isinstance(step, Reply):
                return step
            reply = step

    def _admit(self, request: object) -> None:
        if not isinstance(request, Request):
            raise TypeError(f"yielded {type(request).__name__} instead of a Request")
        if request.call is not None and request.call in self._named:
            raise ValueError(f"two requests are named {request.call!r}: they would share a key")
        self._asked += 1
        if self._asked > _MAX_REQUESTS:
            raise ValueError(f"more than {_MAX_REQUESTS} requests in one conversation")

    async def _ask(self, request: Request) -> Reply | Broken:
        try:
            with self._a.in_hand:
                sent = self._written(request)
        except Exception as error:  # noqa: BLE001 (what cannot be written is a connector's bug)
            return self._broken(error)
        self._last_call = request.call
        exchange = await self._authorised(request, sent)
        if request.call is not None and not isinstance(exchange, NotSent | NoToken):
            self._named.append(request.call)
        match exchange:
            case Answer():
                with self._a.in_hand:
                    return self._judged(request, exchange)
            case NotSent(code, message) | NoToken(code, message, refused=False):
                self._unsent = True
                return self._failed(ErrorKind.TRANSIENT, code, message, request.call)
            case NoToken(code, message):
                return self._failed(ErrorKind.MISCONFIGURED, code, message, request.call)
            case Lost(code, message):
                said = self._a.connector.manifest.timeout_message if code == "timeout" else None
                return self._unknown(code, said or message, request.call)

    def _written(self, request: Request) -> Outgoing:
        a = self._a
        ours = {"waybill-order": str(a.step.order.get("id", ""))}
        if a.trace is not None:
            ours["traceparent"] = a.trace
        key = None
        header = a.connector.manifest.key_header
        if header and request.call and judging.is_keyed(a.connector, request):
            key = (header, a.key_of(request.call))
        return outgoing(request, a.connection, a.order_json, ours, key)

    async def _authorised(self, request: Request, sent: Outgoing) -> Exchange | NoToken:
        credential = await self._credential() if sent.own else ANONYMOUS
        if isinstance(credential, NoToken):
            return credential
        exchange = await self._send(request, sent, credential)
        refused = isinstance(exchange, Answer) and exchange.status == _UNAUTHORIZED
        if not refused or credential.token is None or _UNAUTHORIZED in request.accept:
            return exchange
        # Once, and with the same key: the partner turned the token away, not the request.
        self._with.credentials.drop(credential)
        fresh = await self._credential()
        return fresh if isinstance(fresh, NoToken) else await self._send(request, sent, fresh)

    async def _credential(self) -> Credential | NoToken:
        left = self._ends_at - self._with.monotonic()
        manifest = self._a.connector.manifest
        return await self._with.credentials.of(self._a.connection, manifest, left)

    async def _send(self, request: Request, sent: Outgoing, credential: Credential) -> Exchange:
        left = self._ends_at - self._with.monotonic()
        if left <= 0:
            return NotSent("deadline", "the step's time was up before the request could be sent")
        limits = self._a.connection.limits
        started_at, started = self._with.now(), self._with.monotonic()
        exchange = await self._with.transport.send(
            sent.http(credential.header),
            Timeouts(min(limits.connect_s, left), min(limits.read_s, left), left),
        )
        took_ms = (self._with.monotonic() - started) * 1000
        with self._a.in_hand:
            self._record.add(request, sent, exchange, credential.scrubber, (started_at, took_ms))
        return exchange

    def _judged(self, request: Request, answer: Answer) -> Reply | Broken:
        reply = Reply(answer.status, _parsed(answer.body), answer.headers)
        verdict = judging.judged(self._a.connector, self._a.step.options, request, reply)
        if verdict is None:
            if request.call is not None and reply.ok:
                self._took_effect(request, request.call)
            return reply
        self._retry_after_s = judging.retry_after_s(reply, self._with.now)
        if isinstance(verdict, Unknown):
            return self._unknown(verdict.code, verdict.message, request.call)
        return self._refused(verdict, request.call)

    def _took_effect(self, request: Request, call: str) -> None:
        self._effects.append(call)
        offers = self._a.connector.manifest.idempotency
        keyed = offers is Idempotency.LOOK_UP and judging.is_keyed(self._a.connector, request)
        if not keyed and offers is not Idempotency.NATIVE:
            self._unrepeatable.add(call)

    def _ended(self, outcome: object) -> Ended:
        match outcome:
            case Done(output=output):
                return self._done(outcome, output)
            case Failed():
                return self._refused(outcome, outcome.call or self._last_call)
            case Unknown(code=code, message=message):
                return self._unknown(code, message, self._named[-1] if self._named else None)
            case NotDone() if self._looking_up:
                return outcome
            case _:
                return self._broken(TypeError(f"ended with {type(outcome).__name__}"))

    def _done(self, done: Done, output: object) -> Done | Broken:
        try:
            length = len(orjson.dumps(output))
        except TypeError as error:
            return self._broken(error)
        if length <= MAX_OUTPUT:
            return done
        message = f"the output has {length} bytes, at most {MAX_OUTPUT} can be recorded"
        return InDoubt("output_too_large", message, self._effects[-1] if self._effects else None)

    def _refused(self, failed: Failed, call: str | None) -> Broken:
        """The partner answered: nothing came of `call`."""
        if failed.retry_after_s is not None:
            self._retry_after_s = failed.retry_after_s
        self._effects = [effect for effect in self._effects if effect != call]
        failure = Failure(
            kind=failed.kind,
            code=failed.code,
            message=failed.message,
            buyer_message=failed.buyer_message or judging.BUYER_MESSAGES[failed.kind],
            call=call,
            definite=call is not None or not self._effects,
        )
        return self._settled(failure)

    def _failed(self, kind: ErrorKind, code: str, message: str, call: str | None) -> Broken:
        """Nothing came of `call`, but the partner did not say so: its key stays."""
        words = judging.BUYER_MESSAGES[kind]
        return self._settled(
            Failure(
                kind=kind,
                code=code,
                message=message,
                buyer_message=words,
                call=call,
                definite=False,
            )
        )

    def _settled(self, failure: Failure) -> Broken:
        """A failure, unless a repetition would do again what was done: then it is looked up."""
        if self._looking_up:
            return InDoubt(failure.code, failure.message)
        again = [effect for effect in self._effects if effect in self._unrepeatable]
        if again and failure.kind in _RETRYABLE:
            return InDoubt(failure.code, failure.message, again[-1])
        return failure

    def _unknown(self, code: str, message: str, call: str | None) -> Broken:
        if call is not None:
            return InDoubt(code, message, call)
        return self._failed(ErrorKind.TRANSIENT, code, message, None)

    def _broken(self, error: Exception) -> Broken:
        """The connector did not understand its partner, or is wrong itself."""
        if isinstance(error, PartnerSurpriseError):
            code, kind, message = "partner_surprise", ErrorKind.PERMANENT, str(error)
        else:
            code, kind = "connector_error", ErrorKind.MISCONFIGURED
            message = f"{self._a.connector.name} broke: {type(error).__name__}: {error}"
        if self._effects:
            return InDoubt(code, message, self._effects[-1])
        return self._failed(kind, code, message, None)

    def _shown(self, ended: Ended) -> Ended:
        """Partners put names and addresses into their messages."""
        clean = self._record.scrubber.text
        match ended:
            case Failure():
                return replace(
                    ended,
                    code=clean(ended.code),
                    message=clean(ended.message),
                    buyer_message=clean(ended.buyer_message),
                )
            case InDoubt():
                return replace(ended, code=clean(ended.code), message=clean(ended.message))
            case _:
                return ended


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode(errors="replace")
