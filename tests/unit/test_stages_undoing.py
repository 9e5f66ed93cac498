"""Compensation: its own conversation, keys and results."""

from typing import Any

from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    StepDeferred,
    StepSucceeded,
)
from schemas.steps import OnUnknown
from streams.core.order import Order
from tests.facts import command, succeeded, then, undone
from tests.unit.staging import DOWN, LOST, Bench, a_step, an_order, answer
from tests.unit.virtual import virtually


def undoing(**step: Any) -> Order:
    """An order that is being cancelled after its step was done."""
    order = then(an_order(compensate=True, **step), succeeded("acme", output={"id": "A"}))
    order = then(order, command("cancel"))
    assert (order.open_at, order.compensating) == (0, True)
    return order


def result(bench: Bench, order: Order | None = None, **run: Any) -> Any:
    return virtually(bench.attempt(order or undoing(), compensate=True, **run))


def test_it_takes_back_what_the_step_handed_on() -> None:
    bench = Bench(answer(200))
    assert isinstance(result(bench), CompensationSucceeded)
    assert [(sent.method, sent.url.path) for sent in bench.sent] == [("DELETE", "/things/A")]


def test_a_failure_that_may_pass_is_tried_again_later() -> None:
    failed = result(Bench(answer(429)))
    assert isinstance(failed, CompensationFailed)
    assert failed.next_attempt_at is not None
    assert not failed.unknown


def test_a_refusal_needs_a_person() -> None:
    failed = result(Bench(answer(400)))
    assert (type(failed), failed.next_attempt_at) == (CompensationFailed, None)


def test_an_unknown_outcome_is_repeated_with_the_same_key_and_never_looked_up() -> None:
    bench = Bench(LOST, LOST, LOST, answer(200))
    assert isinstance(result(bench), CompensationSucceeded)
    assert set(bench.methods) == {"DELETE"}
    assert len(set(bench.keys)) == 1


def test_still_unknown_it_is_tried_again_later() -> None:
    failed = result(Bench(LOST))
    assert (type(failed), failed.unknown) == (CompensationFailed, True)
    assert failed.next_attempt_at is not None


def test_where_nobody_can_tell_it_is_asked_once_and_needs_a_person() -> None:
    bench = Bench(LOST)
    failed = result(bench, undoing(on_unknown=OnUnknown.REST))
    assert (failed.next_attempt_at, len(bench.sent)) == (None, 1)


def test_it_is_put_off_like_any_other_attempt() -> None:
    async def scenario() -> None:
        bench = Bench(DOWN)
        for _ in range(20):
            await bench.attempt()
        deferred = await bench.attempt(undoing(), compensate=True)
        assert (type(deferred), deferred.reason) == (StepDeferred, "breaker")

    virtually(scenario())


def test_its_keys_are_not_the_steps_and_a_step_done_again_has_new_ones() -> None:
    bench = Bench(answer(200))

    async def scenario() -> None:
        order = undoing()
        await bench.attempt(an_order())
        await bench.attempt(order, compensate=True)
        again = then(order, undone("acme"))._replace(open_at=0)
        assert isinstance(await bench.attempt(again), StepSucceeded)
        done = again._replace(compensating=True, context={"acme": {"id": "B"}})
        await bench.attempt(done, compensate=True)

    virtually(scenario())
    assert len(set(bench.keys)) == 4


def test_a_plugin_that_cannot_undo_needs_a_person() -> None:
    bench = Bench(answer(200))
    known = bench.get

    def without(name: str) -> Any:
        connector = known(name)
        connector.compensation = None
        return connector

    bench.get = without  # type: ignore[method-assign]
    failed = result(bench)
    assert (failed.failure.code, failed.next_attempt_at) == ("misconfigured", None)
    assert a_step().compensate is False
