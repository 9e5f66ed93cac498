"""Performs conversations within the limits of their stage."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias

from plugins.api import Conversation, Done, NotDone, Step
from plugins.assignment import Assignment, InDoubt, Performed
from plugins.conversing import Conversing, Instruments
from plugins.credentials import Credentials
from plugins.secret_values import SecretValues
from plugins.stage import Stage, TurnedAwayError
from plugins.stages import StageBook
from plugins.transport import Transport
from schemas.steps import ErrorKind, Failure

__all__ = ["Assignment", "InDoubt", "Performed", "Performer", "TurnedAwayError"]

_OURS = frozenset({"connector_error", "output_too_large", "partner_surprise"})
"""Doubts that say nothing about whether the partner is well."""

_ERROR = 400
_GATEWAYS = frozenset({408, 502, 503, 504})
"""What is answered in front of a partner that does not answer, and is kept nowhere."""

Guard: TypeAlias = Callable[[], Awaitable[None]]
"""Awaited before the first byte leaves; what it raises means that none does."""


class Performer:
    """One per worker: holds the transport, the tokens and the stages.

    `now` is the time of day in UTC, `monotonic` a clock in seconds that never goes back.
    """

    def __init__(
        self,
        transport: Transport,
        secrets: SecretValues,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        credentials = Credentials(transport, secrets, monotonic)
        self._instruments = Instruments(transport, credentials, now, monotonic)
        self.stages = StageBook(monotonic)

    def stage_of(self, assignment: Assignment) -> Stage:
        """The stage that the assignment goes through."""
        name = assignment.connector.name
        return self.stages.of(assignment.step.tenant, name, assignment.connection)

    async def perform(
        self,
        assignment: Assignment,
        conversation: Callable[[Step[Any]], Conversation],
        before_sending: Guard | None = None,
        patience_s: float | None = None,
    ) -> Performed:
        """Have the connector's `perform`, `look_up` or compensating conversation.

        `before_sending` and `patience_s` stand in for the assignment's. `TurnedAwayError` where
        the stage does not take it. Raises nothing else but for cancellation and what
        `before_sending` raises.
        """
        stage = self.stage_of(assignment)
        guard = before_sending or assignment.before_sending
        era = await stage.enter(assignment.patience_s if patience_s is None else patience_s)
        performed: Performed | None = None
        try:
            if guard is not None:
                await guard()
            talk = Conversing(self._instruments, assignment)
            performed = await talk.have(conversation)
        finally:
            if performed is None:
                stage.leave(era, went_well=None)
            else:
                stage.leave(
                    era,
                    went_well=_went_well(performed),
                    requests=performed.requests,
                    kept=_kept(performed),
                )
        return performed


def _kept(performed: Performed) -> str | None:
    """The key of the request that ended it, where the partner itself answered with an error.

    Partners keep that under the key, as they keep a success.
    """
    last = performed.callouts[-1] if performed.callouts else None
    if last is None or last.status is None or last.status in _GATEWAYS:
        return None
    return last.key if last.status >= _ERROR else None


def _went_well(performed: Performed) -> bool | None:
    """Whether the partner is well: a refusal is an answer, too. None: nobody can tell."""
    match performed.outcome:
        case Done() | NotDone():
            return True if performed.requests else None
        case InDoubt(code=code):
            return None if code in _OURS else False
        case Failure(kind=ErrorKind.MISCONFIGURED) | Failure(code="deadline"):
            return None
        case Failure(kind=kind):
            return kind is not ErrorKind.TRANSIENT
