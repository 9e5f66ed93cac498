"""Performs conversations within the limits of their stage."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from plugins.api import Conversation, Step
from plugins.assignment import Assignment, InDoubt, Performed
from plugins.bulkheads import Bulkheads
from plugins.conversing import Conversing, Instruments
from plugins.credentials import Credentials
from plugins.secret_values import SecretValues
from plugins.transport import Transport

__all__ = ["Assignment", "InDoubt", "Performed", "Performer"]


class Performer:
    """One per worker: holds the transport, the tokens and the stages' bulkheads.

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
        self._bulkheads = Bulkheads()

    async def perform(
        self, assignment: Assignment, conversation: Callable[[Step[Any]], Conversation]
    ) -> Performed:
        """Have the connector's `perform` or `look_up` conversation.

        Never raises but for cancellation and what `before_sending` raises.
        """
        slots = self._bulkheads.of(assignment.connector.name, assignment.connection)
        async with slots:
            if assignment.before_sending is not None:
                await assignment.before_sending()
            talk = Conversing(self._instruments, assignment)
            return await talk.have(conversation)
