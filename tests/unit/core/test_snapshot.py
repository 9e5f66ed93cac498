"""An order's state as bytes: whole, and the same for equal orders."""

import orjson

from streams.core.snapshot import restored, state_bytes
from tests.facts import accepted, announced, doubtful, failed, given, optional, started, step


def test_equal_orders_have_equal_bytes_however_they_came_about() -> None:
    order = given(
        accepted(optional("b"), optional("a"), step("c")),
        failed("b", call="pay"),
        failed("a", call="pay"),
    )
    turned = order._replace(generations=dict(reversed(order.generations.items())))
    assert list(turned.generations) != list(order.generations)
    assert turned == order
    assert state_bytes(turned) == state_bytes(order)


def test_the_acceptance_is_not_held_twice() -> None:
    order = given(accepted(step("a"), document='{"source": "shop"}'))
    assert b"shop" not in state_bytes(order)
    assert "accepted" not in orjson.loads(state_bytes(order))
    assert restored(state_bytes(order), order.accepted).accepted is order.accepted


def test_an_order_in_doubt_comes_back_as_it_was() -> None:
    order = given(accepted(announced("a"), step("b")), started("a", 1), doubtful("a"))
    assert restored(state_bytes(order), order.accepted) == order
