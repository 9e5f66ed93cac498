"""An order as it stood at some offset or moment: folded from its own events up to there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from projections.process_events import Entry
from projections.standing import Pause
from schemas.events import CommandReceived, OrderPaused
from streams.core.evolve import evolve
from streams.core.order import Order


class NoSuchPastError(ValueError):
    """The offsets say nothing about the partition in which the order is."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"it says nothing about partition {partition}, in which the order is")


@dataclass(frozen=True, slots=True)
class AsOf:
    """Up to these offsets, each included, by partition; or, without any, up to `moment`.

    To a moment belongs what stands in the log before the first event that happened later.
    """

    offsets: tuple[tuple[int, int], ...] = ()
    moment: datetime | None = None


def until(entries: Sequence[Entry], as_of: AsOf) -> list[Entry]:
    """Those of an order's events, in log order, that had been written by then."""
    if not entries:
        return []
    if as_of.moment is not None:
        moment = as_of.moment
        return list(takewhile(lambda one: one.event.envelope.occurred_at <= moment, entries))
    partition = entries[0].partition
    last = dict(as_of.offsets).get(partition)
    if last is None:
        raise NoSuchPastError(partition)
    return [entry for entry in entries if entry.offset <= last]


def folded(entries: Sequence[Entry]) -> Order:
    """The order after these, its first events."""
    order: Order | None = None
    for entry in entries:
        order = evolve(order, entry.event, entry.offset)
    assert order is not None, "the timeline begins with the acceptance"
    return order


def paused_by(entries: Sequence[Entry]) -> Pause | None:
    """Who paused the order last, and why."""
    commands = {}
    found: Pause | None = None
    for entry in entries:
        fact, actor = entry.event.fact, entry.event.envelope.actor
        if isinstance(fact, CommandReceived):
            commands[fact.command] = Pause(actor, fact.reason)
        elif isinstance(fact, OrderPaused) and fact.command is not None:
            found = commands.get(fact.command, found)
    return found
