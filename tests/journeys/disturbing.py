"""Disturbs the calls of a journey in every way that a partner may, one at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.journeys.comparing import ANOTHER, bare, changes
from tests.journeys.expecting import unfit_words
from tests.journeys.reading import Journey, Trouble
from tests.journeys.travelling import Arrived
from tests.journeys.wire import Passed

PASSING = (
    "not_reached",
    "unavailable",
    "timeout_before",
    "timeout_after",
    "cut_after",
    "malformed_before",
    "malformed_after",
    "expired",
)
"""What any partner may do, and what leaves no trace once it is over."""
PASSING_OF_ZUORA = ("contention", "temporary", "rate_limited")
REFUSAL: Mapping[str, Any] = {"reason": 53200020, "message": "The value of a field is not valid."}
FINAL_OF_ZUORA = ("declined", REFUSAL)
LAST_SHOWN = 6
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ASKING = ("/v1/orders/preview", "/query")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One call, and what becomes of it. `passes`: the journey ends as it does without."""

    trouble: Trouble
    name: str
    passes: bool
    first: bool


def disturbances(journey: Journey, plain: Arrived) -> list[Disturbance]:
    """All there are for what the undisturbed journey sent."""
    assert plain.carried is not None
    found: dict[str, Disturbance] = {}
    changing = [one for one in plain.carried.passed if _changes_something(one)]
    for passed in changing:
        for how, passes in _ways(passed):
            name = how if isinstance(how, str) else "refused"
            trouble = Trouble(at=f"{passed.method} {ANOTHER.sub('*', passed.at)}", how=how)
            first = passed is changing[0]
            if name not in journey.troubled:
                found.setdefault(
                    f"{trouble.at} {name}", Disturbance(trouble, name, passes, first=first)
                )
    return list(found.values())


def grievances(plain: Arrived, disturbed: Arrived, by: Disturbance) -> Iterator[str]:
    """What is wrong with the disturbed journey."""
    carried = disturbed.carried
    assert carried is not None
    if not carried.troubled:
        yield "it befell no call"
    if by.passes:
        yield from _as_without(plain, disturbed)
        return
    state, failure = carried.order.state.value, carried.failure(disturbed.journey.plugin)
    if failure is not None:
        yield from unfit_words(failure.message, failure.buyer_message)
    elif not any("follow_up" in out or "warnings" in out for out in carried.outputs.values()):
        yield f"the order is {state}, and nothing tells of the refusal"
    if by.first and failure is not None:
        yield from changes(bare(disturbed.before), bare(disturbed.after), "state")


def _as_without(plain: Arrived, disturbed: Arrived) -> Iterator[str]:
    carried, before = disturbed.carried, plain.carried
    assert carried is not None
    assert before is not None
    state, wanted = carried.order.state.value, before.order.state.value
    if state != wanted:
        why = carried.failure(disturbed.journey.plugin)
        yield f"the order is {state}, without it {wanted}: {why}"
        last = carried.passed[-LAST_SHOWN:]
        yield from (f"  {one.call}: {one.status} {one.answer[:200]!r}" for one in last)
        return
    yield from changes(_held(plain), _held(disturbed), "state")
    for step, output in before.outputs.items():
        now = carried.outputs.get(step, {})
        both = {name: value for name, value in output.items() if name in now}
        yield from changes(bare(both), bare({name: now[name] for name in both}), f"output {step}")


def _held(arrived: Arrived) -> Any:
    """What the partners hold; events that are told twice are one to who reads their ids."""
    salesforce = arrived.after["salesforce"]
    told = {repr(event): event for event in salesforce["events"]}
    return bare({**arrived.after, "salesforce": {**salesforce, "events": list(told.values())}})


def _changes_something(passed: Passed) -> bool:
    return passed.method in _CHANGES and not passed.at.endswith(_ASKING)


def _ways(passed: Passed) -> Iterator[tuple[Any, bool]]:
    for how in PASSING:
        yield how, True
    if passed.partner == "zuora":
        for how in PASSING_OF_ZUORA:
            yield how, True
        for final in FINAL_OF_ZUORA:
            yield final, False
