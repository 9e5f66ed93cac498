"""Disturbs the calls of a journey in every way that a partner may, one at a time."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.journeys.expecting import changes, unfit_words
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
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ASKING = ("/v1/orders/preview", "/query")
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}|[A-Za-z0-9]{15,18}(?=$|/)")
# Made anew by every run, or counted by the partner for all that it does.
_OWN_MARKS = re.compile(r"(?i)id$|.*(At|On|Time|Date[dD]?|Timestamp)$|(created|updated).*")


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
            trouble = Trouble(at=f"{passed.method} {_pattern(passed.at)}", how=how)
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
    if by.passes:
        yield from _as_without(plain, disturbed)
        return
    state, failure = carried.order.state.value, carried.failure(disturbed.journey.plugin)
    if failure is not None:
        yield from unfit_words(failure.message, failure.buyer_message)
    elif not any("follow_up" in out or "warnings" in out for out in carried.outputs.values()):
        yield f"the order is {state}, and nothing tells of the refusal"
    if by.first and failure is not None:
        yield from changes(_bare(disturbed.before), _bare(disturbed.after), "state")


def _as_without(plain: Arrived, disturbed: Arrived) -> Iterator[str]:
    carried, before = disturbed.carried, plain.carried
    assert carried is not None
    assert before is not None
    state, wanted = carried.order.state.value, before.order.state.value
    if state != wanted:
        why = carried.failure(disturbed.journey.plugin)
        yield f"the order is {state}, without it {wanted}: {why}"
        yield from (f"  {one.call}: {one.status} {one.answer[:300]!r}" for one in carried.passed)
        return
    yield from changes(_bare(plain.after), _bare(disturbed.after), "state")
    for step, output in before.outputs.items():
        now = carried.outputs.get(step, {})
        both = {name: value for name, value in output.items() if name in now}
        yield from changes(_bare(both), _bare({name: now[name] for name in both}), f"output {step}")


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


def _pattern(path: str) -> str:
    """Ids that partners choose may be others in another run."""
    return _ID.sub("*", path)


def _bare(state: Any) -> Any:
    """Without what differs between two runs that did the same."""
    if isinstance(state, Mapping):
        named = ((name, value) for name, value in state.items() if not _is_own(name, value))
        return {_ID.sub("*", str(name)): _bare(value) for name, value in named}
    if isinstance(state, list):
        return [_bare(one) for one in state]
    return _ID.sub("*", state) if isinstance(state, str) else state


def _is_own(name: str, value: Any) -> bool:
    return not isinstance(value, Mapping | list) and _OWN_MARKS.fullmatch(name) is not None
