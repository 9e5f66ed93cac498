"""The record of a step's exchanges, with nothing in it that must not reach the log."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from plugins.api import Request
from plugins.outgoing import Outgoing
from plugins.redaction import Scrubber
from plugins.transport import Answer, Exchange
from schemas.steps import Body, Callout

MAX_CALLOUTS = 20
"""Exchanges of one step that are recorded: the first ones, and always the last."""


class Recorder:
    """Collects the callouts of one conversation."""

    def __init__(self, attempt: int, scrubber: Scrubber) -> None:
        self.scrubber = scrubber
        self._of_order = scrubber
        self._attempt = attempt
        self._callouts: list[Callout] = []

    def add(
        self,
        request: Request,
        sent: Outgoing,
        exchange: Exchange,
        secrets: Scrubber,
        times: tuple[datetime, float],
    ) -> None:
        """Record one exchange; `times` are its start and its duration in milliseconds."""
        if secrets.needles:
            self.scrubber = self._of_order.joined(secrets)
        answer = exchange if isinstance(exchange, Answer) else None
        callout = Callout(
            call=request.call,
            attempt=self._attempt,
            method=request.method,
            url=self.scrubber.text(str(sent.url)),
            status=answer.status if answer else None,
            started_at=times[0],
            duration_ms=round(times[1], 3),
            request=self._request_body(sent),
            response=self.scrubber.body(answer.body) if answer else Body(),
            error=self._error(exchange),
            key=sent.key,
        )
        if len(self._callouts) == MAX_CALLOUTS:
            self._callouts.pop()
        self._callouts.append(callout)

    def callouts(self) -> tuple[Callout, ...]:
        """All that is recorded."""
        return tuple(self._callouts)

    def _request_body(self, sent: Outgoing) -> Body:
        if sent.extra is None:
            return self.scrubber.body(sent.body)
        return Body(
            text=self.scrubber.recorded(sent.extra),
            length=len(sent.body),
            sha256=sha256(sent.body).hexdigest(),
            of="order",
        )

    def _error(self, exchange: Exchange) -> str | None:
        if not isinstance(exchange, Answer):
            return self.scrubber.text(exchange.message)
        return "the answer is longer than what is read of one" if exchange.cut else None


def without(callouts: Iterable[Callout], hidden: Mapping[str, Any]) -> tuple[Callout, ...]:
    """The callouts without the values of outputs that must not stand in clear.

    Which those are is only known once the conversation has ended and says what it hands on.
    """
    scrubber = Scrubber.of_outputs([hidden])

    def cleaned(body: Body) -> Body:
        return replace(body, text=scrubber.recorded(body.text.encode()))

    return tuple(
        replace(
            one,
            url=scrubber.text(one.url),
            request=cleaned(one.request),
            response=cleaned(one.response),
            error=one.error and scrubber.text(one.error),
        )
        for one in callouts
    )
