"""Which endpoints are sent to: what attempts find out about them, and whom that disables."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from projections.moments import iso, microseconds
from projections.webhooks.deliveries import Addition
from projections.webhooks.standings import Disabling, Note, Reason, Standing
from streams.core.webhooks.bodies import body_of, message_id
from streams.core.webhooks.catalogue import matches
from streams.core.webhooks.endpoint import Endpoint
from streams.core.webhooks.schedule import GONE, is_given_up, is_success
from streams.core.webhooks.updates import Update

log = logging.getLogger(__name__)

NOTICE = "webhook.endpoint_disabled"
NOTED_EVERY = timedelta(seconds=10)
"""So exact is what is known of an endpoint's last success."""

_NEW = Standing()


class Verdict(NamedTuple):
    """An endpoint that is to be disabled, and why."""

    endpoint: Endpoint
    reason: Reason


class Health:
    """What this process knows; the store has what all of them know. For one event loop."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._notes: dict[str, Note] = {}

    def refreshed(self, standings: dict[str, Standing]) -> None:
        """Takes what the store has."""
        self._standings = standings

    def of(self, endpoint: Endpoint) -> Standing:
        """Of its present generation."""
        standing = self._standings.get(endpoint.id, _NEW)
        if standing.generation < endpoint.generation:
            return Standing(endpoint.generation, last_success=standing.last_success)
        return standing

    def is_open(self, endpoint: Endpoint) -> bool:
        """Whether it is sent to."""
        return endpoint.enabled and self.of(endpoint).disabled_at is None

    def begun_anew(self, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
        """Those that somebody has enabled again since something was found out about them."""
        return [
            one
            for one in endpoints
            if one.enabled
            and (found := self._standings.get(one.id)) is not None
            and found.generation < one.generation
        ]

    def attempted(self, endpoint: Endpoint, status: int | None, at: datetime) -> Verdict | None:
        """Takes the end of an attempt into account; what it means for the endpoint."""
        standing = self.of(endpoint)
        if is_success(status):
            last = standing.last_success
            if standing.failing_since is not None or last is None or at - last > NOTED_EVERY:
                self._note(endpoint, replace(standing, failing_since=None, last_success=at))
            return None
        if standing.failing_since is None:
            standing = replace(standing, failing_since=at)
            self._note(endpoint, standing)
        if standing.disabled_at is not None:
            return None
        if status == GONE:
            return Verdict(endpoint, "gone")
        return Verdict(endpoint, "failing") if is_given_up(standing.failing_since, at) else None

    def notes(self) -> list[Note]:
        """What is to be written down since it was asked last."""
        notes, self._notes = list(self._notes.values()), {}
        return notes

    def _note(self, endpoint: Endpoint, standing: Standing) -> None:
        self._standings[endpoint.id] = standing
        failing, success = standing.failing_since, standing.last_success
        self._notes[endpoint.id] = Note(
            endpoint.id,
            endpoint.tenant,
            endpoint.generation,
            microseconds(success) if failing is None and success is not None else None,
            None if failing is None else microseconds(failing),
        )


def disabling(verdict: Verdict) -> Disabling:
    """What is written down of it."""
    endpoint = verdict.endpoint
    return Disabling(endpoint.id, endpoint.tenant, endpoint.generation, verdict.reason)


def notices(
    verdict: Verdict, since: datetime | None, others: Sequence[Endpoint], now: datetime
) -> list[Addition]:
    """The tenant's other endpoints are told, those that want to hear of it.

    Of its URL only the origin is in it: the rest may be what only its owner shall know.
    """
    gone = verdict.endpoint
    update = Update(
        id=f"{gone.id}:{gone.generation}:disabled",
        kind=NOTICE,
        tenant=gone.tenant,
        order_id=gone.id,
        at=now,
        data={
            "endpoint": gone.id,
            "url": "{0.scheme}://{0.netloc}".format(urlsplit(gone.url)),
            "reason": verdict.reason,
            "failing_since": iso(since),
            "disabled_at": iso(now),
        },
    )
    message = message_id(update.id, NOTICE)
    body = body_of(NOTICE, update, "full", None)
    return [
        Addition(tenant=one.tenant, endpoint=one.id, message=message, type=NOTICE, body=body)
        for one in others
        if one.id != gone.id and matches(one.events, NOTICE)
    ]
