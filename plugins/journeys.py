"""Connectors whose conversation depends on the order's type, and conversations that end early."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias

from plugins.api import Conversation, Failed, Step, Unknown
from plugins.limio import text
from schemas.steps import ErrorKind

Talk: TypeAlias = Callable[[Step[Any]], Conversation]


class StoppedError(Exception):
    """The step ends here, with this outcome."""

    def __init__(self, outcome: Failed | Unknown) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


def stoppable(talk: Talk) -> Talk:
    """Decorator: a `StoppedError` anywhere in the conversation is its outcome."""

    @wraps(talk)
    def stopping(step: Step[Any]) -> Conversation:
        try:
            return (yield from talk(step))
        except StoppedError as stopped:
            return stopped.outcome

    return stopping


@dataclass(frozen=True, slots=True)
class Journey:
    """How an order of one type goes through the partner, and how its outcome is found out.

    `preview` tells what it would cost, where the partner can say so.
    """

    perform: Talk
    look_up: Talk
    preview: Talk | None = None


@dataclass(frozen=True, slots=True)
class Journeys:
    """All journeys of a plugin, by order type."""

    plugin: str
    by_type: Mapping[str, Journey]

    def of(self, step: Step[Any]) -> Journey:
        """The journey of the order's type; `StoppedError` where there is none."""
        order_type = text(step.order, "order_type") or "new"
        journey = self.by_type.get(order_type)
        if journey is None:
            raise StoppedError(self._missing(order_type))
        return journey

    def _missing(self, order_type: str) -> Failed:
        known = ", ".join(sorted(self.by_type))
        remedy = f"take {self.plugin} out of its sequence with an override"
        message = (
            f"{self.plugin} has no journey for order_type {order_type!r} (it has: {known}); "
            f"{remedy}"
        )
        return Failed(ErrorKind.MISCONFIGURED, "journey_missing", message)
