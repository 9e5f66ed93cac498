"""First in the log wins: of any two facts decided on the same order, and of results and what was
written along with them.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from schemas.events import (
    CommandReceived,
    CommandRejected,
    Decided,
    Fact,
    MainPhaseCompleted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepResolved,
    StepResult,
    StepSkipped,
    StepStarted,
)
from streams.core.decide import Append
from streams.core.order import Order
from tests.facts import (
    LATER,
    WORKER,
    accepted,
    after,
    announced,
    command,
    deferred,
    doubtful,
    failed,
    failing,
    given,
    next_of,
    not_undone,
    optional,
    post,
    skipped,
    started,
    step,
    succeeded,
    then,
    undone,
)
from tests.unit.core.states import STATES

ALONG = (StepStarted, StepSkipped, MainPhaseCompleted, OrderCompleted, OrderFailed)
"""What is written along with the result that it follows from."""
MORE = {
    "last step": given(
        accepted(step("a"), post("p")),
    ),
    "last step of all": given(accepted(step("a"))),
    "last but repeats": given(accepted(optional("o"), step("b")), failing("o")),
    "announced next": given(accepted(step("a"), announced("b"))),
    "empty next": given(accepted(step("a"), step("b", items=()), post("p"))),
    "pausing": then(STATES["running"], command("pause")),
    "cancelling": then(STATES["running"], command("cancel")),
    "cancelling last": then(given(accepted(step("a"))), command("cancel")),
    "cancelling undoable": then(given(accepted(step("a", compensate=True))), command("cancel")),
}
ALL = {**STATES, **MORE}


def universe(order: Order) -> Iterator[Fact]:
    """Facts of every kind about this very order, most of which do not fit it."""
    number, ids = order.sequence, [one.command for one in order.pending]
    for name, attempt in product((one.id for one in order.accepted.waybill), (1, 2, 3)):
        yield from (succeeded(name, attempt), failed(name, attempt), failing(name, attempt))
        yield from (doubtful(name, attempt), skipped(name, attempt), deferred(name, attempt))
        yield deferred(name, attempt, stage=None)
        yield from (undone(name, attempt), not_undone(name, attempt))
        yield not_undone(name, attempt, until=LATER)
        yield from (started(name, number, w, attempt) for w in (WORKER, "worker-2"))
    for asked in (None, *ids):
        for one in order.accepted.waybill:
            yield RetryDue(expected=number, command=asked, step=one.id)
            yield StepResolved(expected=number, command=asked, step=one.id)
            yield OrderReopened(expected=number, command=asked, step=one.id)
        for kind in (OrderReleased, OrderPaused, OrderResumed, OrderAmended, MainPhaseCompleted):
            yield kind(expected=number, command=asked)
        for standing in ((), ("a",), ("a", "b")):
            yield OrderCancelled(expected=number, command=asked, standing=standing)
        yield OrderCompleted(expected=number, command=asked, completion="x")
        yield CommandRejected(expected=number, command=asked, code="x", reason="x")
    yield OrderQueued(expected=number, behind="order-9")
    yield OrderQueued(expected=number, behind="order-9", passed_by=50)
    for one in order.accepted.waybill:
        why = failed(one.id).failure
        yield OrderFailed(expected=number, step=one.id, plugin=one.plugin, failure=why)
    yield from (command("pause", command="new"), command("cancel", command="newer"))


def fitting(order: Order) -> list[Fact]:
    return [fact for fact in universe(order) if after(order, fact) is not order]


@pytest.mark.parametrize("name", ALL)
def test_of_two_facts_about_one_order_the_first_in_the_log_wins(name: str) -> None:
    order = ALL[name]
    for first, second in product(fitting(order), repeat=2):
        won = after(order, first)
        lost = after(won, second)
        match first, second:
            case _, Decided():
                assert lost is won, f"{second} behind {first}"
            case CommandReceived(), CommandReceived():
                assert (lost is won) is (first.command == second.command)
            case _, CommandReceived():
                assert lost is not won, "a command is never lost"
            case StepResult(), StepResult():
                assert lost is won, f"{second} behind {first}"
            case OrderQueued(), StepResult():
                assert lost is won or won.compensating, "what a queued order had open is closed"
            case _, StepResult():
                assert lost is not won, f"{first} must not swallow {second}"


@pytest.mark.parametrize("name", ALL)
def test_at_most_one_attempt_can_have_a_result(name: str) -> None:
    results = [fact for fact in fitting(ALL[name]) if isinstance(fact, StepResult)]
    assert len({(fact.step, fact.attempt) for fact in results}) <= 1


@pytest.mark.parametrize("name", ALL)
def test_no_fact_applies_twice(name: str) -> None:
    for fact in fitting(ALL[name]):
        order = after(ALL[name], fact)
        assert after(order, fact) is order


@pytest.mark.parametrize("name", ALL)
def test_what_is_decided_applies(name: str) -> None:
    decision = next_of(ALL[name])
    if isinstance(decision, Append):
        then(ALL[name], decision.fact)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("ends", ["completed", "failed", "cancelled"])
def test_an_order_ends_only_where_that_is_decided(name: str, ends: str) -> None:
    """Whatever fits by number does not end an order that has something left to do."""
    order = ALL[name]
    decision = next_of(order)
    decided = decision.fact if isinstance(decision, Append) else None
    for fact in fitting(order):
        if not isinstance(fact, (OrderCompleted, OrderFailed, OrderCancelled)):
            continue
        if after(order, fact).state == ends and fact.command is None:
            assert type(fact) is type(decided)
        if isinstance(fact, OrderCancelled):
            assert fact == decided


def along(order: Order, result: Fact, worker: str) -> list[Fact]:
    """The result, and what its worker writes along with it."""
    facts, ahead = [result], after(order, result)
    while not ahead.pending:
        decision = next_of(ahead, worker)
        if not isinstance(decision, Append) or not isinstance(decision.fact, ALONG):
            break
        facts.append(decision.fact)
        ahead = then(ahead, decision.fact)
    return facts


def merged(first: list[Fact], second: list[Fact]) -> Iterator[list[tuple[Fact, str]]]:
    """Every way in which two workers' facts may lie in the log, where the first one's is first."""

    def woven(one: list[Fact], two: list[Fact]) -> Iterator[list[tuple[Fact, str]]]:
        if not one or not two:
            yield [(f, "worker-1") for f in one] + [(f, "worker-2") for f in two]
            return
        yield from ([(one[0], "worker-1"), *rest] for rest in woven(one[1:], two))
        yield from ([(two[0], "worker-2"), *rest] for rest in woven(one, two[1:]))

    for rest in woven(first[1:], second):
        yield [(first[0], "worker-1"), *rest]


OPEN = [name for name, order in ALL.items() if order.open_at is not None]


@pytest.mark.parametrize("name", OPEN)
def test_what_was_written_along_with_a_late_result_applies_only_where_it_is_decided(
    name: str,
) -> None:
    order = ALL[name]
    results = [fact for fact in fitting(order) if isinstance(fact, StepResult)]
    assert len(results) >= 3
    for first, second in product(results, repeat=2):
        if type(first) is type(second):
            continue
        facts = along(order, first, "worker-1"), along(order, second, "worker-2")
        for history in merged(*facts):
            folded = order
            for fact, worker in history:
                changed = after(folded, fact)
                if changed is folded:
                    continue
                if isinstance(fact, Decided):
                    assert next_of(folded, worker) == Append(fact, folded), f"{fact} in {history}"
                folded = changed
