"""Lanes: orders of one lane run one at a time, in the order in which they were accepted."""

from collections.abc import Iterable

from schemas.commands import CommandKind
from streams.core.order import ENDED, Order, State

_AT_REST = frozenset({State.WAITING, State.IN_DOUBT, State.PAUSED, State.QUEUED})


def place(order: Order) -> tuple[int, int]:
    """Where the order stands in its lane; the lowest place runs."""
    return (order.offset, order.passes)


def before(order: Order, lane: Iterable[Order]) -> list[Order]:
    """The unfinished orders of the lane that stand before this one, first come first."""
    mine = place(order)
    return sorted(
        (
            other
            for other in lane
            if other.id != order.id and other.state not in ENDED and place(other) < mine
        ),
        key=place,
    )


def predecessor(order: Order, lane: Iterable[Order]) -> Order | None:
    """The order that this one waits for: the last of those before it."""
    last, mine = None, place(order)
    for other in lane:
        if other.id != order.id and other.state not in ENDED and place(other) < mine:
            last = other if last is None or place(last) < place(other) else last
    return last


def is_being_passed(order: Order, lane: Iterable[Order]) -> bool:
    """Whether an order behind this one is about to be let past it, and past those before it."""
    mine = place(order)
    return any(
        other.pending
        and other.pending[0].kind is CommandKind.RELEASE
        and other.behind is not None
        and place(other) > mine
        for other in lane
    )


def is_at_rest(order: Order) -> bool:
    """Whether another order may pass it: no attempt of it is open, and nothing is to be decided."""
    return order.open_at is None and not order.pending and order.state in _AT_REST
