"""Who reads the log again over an order that came from a store ahead of it changes nothing."""

from schemas.events import OrderQueued, OrderReleased
from streams.core.evolve import evolve, evolved_again
from streams.core.order import Order
from tests.facts import accepted, event, given, step, succeeded, then

QUEUED, STALE, RELEASED = 11, 12, 13


def released_after_a_stale_result() -> Order:
    """A worker that did not know of the lane wrote a result, which did not apply."""
    order = given(accepted(step("a"), step("b")), offset=10)
    queued = then(order, OrderQueued(expected=1, behind="order-before"), offset=QUEUED)
    assert evolve(queued, event(succeeded("a")), STALE) is queued
    return then(queued, OrderReleased(expected=queued.sequence), offset=RELEASED)


def test_what_did_not_apply_then_does_not_apply_when_it_is_read_again():
    ahead = released_after_a_stale_result()
    assert evolved_again(ahead, event(succeeded("a")), STALE) is ahead


def test_what_comes_behind_the_last_event_applies():
    ahead = released_after_a_stale_result()
    read_on = evolved_again(ahead, event(succeeded("a")), RELEASED + 1)
    assert read_on == evolve(ahead, event(succeeded("a")), RELEASED + 1) != ahead
