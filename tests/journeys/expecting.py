"""What a journey at its end should be, by its file; complaints where it is not."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.journeys.comparing import changes
from tests.journeys.filling import filled
from tests.journeys.matching import differences
from tests.journeys.travelling import Arrived
from tests.journeys.wire import Passed, fits

_NAMED_IN_PLAIN = ("Tidewell", "maren.tidewell@example.com", "Lantern Row")


async def complaints(arrived: Arrived) -> list[str]:
    """One line for each thing that is not as the file says; times `later` included."""
    names = await arrived.named()
    expected = filled(arrived.journey.expected, names)
    found = [*_ended(arrived), *_told(arrived, expected), *_handed_on(arrived, expected)]
    found += _calls(arrived, expected)
    found += _state(expected.get("state", {}), arrived, "state")
    for after in expected.get("later", ()):
        arrived = await arrived.later(after["today"])
        found += _state(after["state"], arrived, f"state on {after['today']}")
    return found


def _ended(arrived: Arrived) -> Iterator[str]:
    wanted, carried = arrived.journey.outcome, arrived.carried
    if carried is None:
        if wanted != "refused":
            yield f"the order was refused: {arrived.refused}"
        return
    if arrived.journey.trouble and not carried.troubled:
        yield "the trouble befell no call"
    state = carried.order.state.value
    if state != wanted:
        why = carried.failure(arrived.journey.plugin)
        yield f"the order is {state}, expected {wanted}: {why}"
        yield from (f"  {one.call}: {one.status} {one.answer[:500]!r}" for one in carried.passed)


def _told(arrived: Arrived, expected: Mapping[str, Any]) -> Iterator[str]:
    wanted = expected.get("error")
    if arrived.refused is not None:
        told = {name: getattr(arrived.refused, name) for name in ("code", "message", "field")}
        yield from differences(wanted or {}, told, "error")
        return
    assert arrived.carried is not None
    failure = arrived.carried.failure(arrived.journey.plugin)
    if failure is None:
        if wanted is not None:
            yield f"error: nothing failed, expected {wanted}"
        return
    members = ("kind", "code", "message", "buyer_message", "call", "definite")
    told = {name: getattr(failure, name) for name in members}
    yield from differences(wanted or {}, {**told, "kind": failure.kind.value}, "error")
    yield from unfit_words(failure.message, failure.buyer_message)


def unfit_words(message: str, buyer_message: str) -> Iterator[str]:
    """What is wrong with the words of a failure, whatever it is."""
    if not message or not buyer_message:
        yield "error: it says nothing to the operator, or to the buyer"
    for personal in _NAMED_IN_PLAIN:
        if personal in message + buyer_message:
            yield f"error: it names the buyer ({personal})"


def _handed_on(arrived: Arrived, expected: Mapping[str, Any]) -> Iterator[str]:
    if arrived.carried is None:
        return
    outputs = arrived.carried.outputs
    if "output" in expected:
        yield from differences(expected["output"], outputs.get(arrived.journey.plugin), "output")
    yield from differences(expected.get("outputs", {}), outputs, "outputs")
    if "events" in expected:
        yield from differences(expected["events"], list(arrived.carried.events), "events")


def _calls(arrived: Arrived, expected: Mapping[str, Any]) -> Iterator[str]:
    wanted = expected.get("calls")
    if wanted is None:
        return
    passed = arrived.carried.passed if arrived.carried else ()
    if len(wanted) != len(passed):
        named = [_named(one)[0] for one in wanted]
        yield f"calls: {[one.call for one in passed]}, expected {named}"
        return
    for number, (one, found) in enumerate(zip(wanted, passed, strict=True)):
        yield from _call(*_named(one), found, f"calls[{number}]")


def _call(call: str, body: Any, found: Passed, at: str) -> Iterator[str]:
    if not fits(call, found):
        yield f"{at}: is {found.call} {dict(found.query)}, expected {call}"
    elif body is not None:
        yield from differences(body, found.body, f"{at} {call}")


def _named(call: Any) -> tuple[str, Any]:
    if isinstance(call, str):
        return call, None
    [(named, body)] = call.items()
    return str(named), body


def _state(expected: Any, arrived: Arrived, at: str) -> Iterator[str]:
    if expected == "before":
        yield from changes(arrived.before, arrived.after, at)
    else:
        yield from differences(expected, arrived.after, at)
