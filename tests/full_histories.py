"""Histories that leave nothing out: in each of them every kind of fact applies, and every state."""

import random
from functools import cache
from itertools import count
from typing import get_args

from projections.testing import History, random_history
from schemas.codec import decode
from schemas.events import CommandReceived, Decision, Event, OrderAccepted, Result
from streams.core.evolve import evolve
from streams.core.order import Order, State

FACTS = {OrderAccepted, CommandReceived, *get_args(Result), *get_args(Decision)}


@cache
def full_history(which: int = 0) -> History:
    """The one with that number; not to be changed, tests share it."""
    found = 0
    for seed in count():
        history = random_history(random.Random(seed).randrange, orders=40, partitions=3, most=800)
        told = applied(history)
        kinds = {type(event.fact) for event, _, _ in told}
        if kinds == FACTS and {after.state for _, _, after in told} == set(State):
            if found == which:
                return history
            found += 1
    raise AssertionError("there is always a further seed")


def applied(history: History) -> list[tuple[Event, Order | None, Order]]:
    """Every applied event with the order before and right behind it."""
    found: list[tuple[Event, Order | None, Order]] = []
    for _, records in sorted(history.log.items()):
        orders: dict[str, Order] = {}
        for record in records:
            event = decode(record.value)
            before = orders.get(event.envelope.order_id)
            after = evolve(before, event, record.offset)
            if after is not None and after is not before:
                orders[event.envelope.order_id] = after
                found.append((event, before, after))
    return found
