"""A post step that was settled before its phase began is not waited for."""

from streams.core.order import State
from tests.facts import accepted, command, failed, given, post, settled, step, then


def test_a_forced_main_phase_ends_before_a_post_step_that_was_skipped() -> None:
    order = given(accepted(step("a"), post("p")))
    order = settled(then(order, command("skip", "p")))
    order = settled(then(order, failed("a")))
    assert order.state is State.FAILED
    order = settled(then(order, command("force_complete", command="c-2")))
    assert order.state is State.COMPLETED
