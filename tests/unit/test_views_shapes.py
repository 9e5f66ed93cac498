"""What people and programs see of an order: the words of the API."""

from datetime import timedelta

import orjson
import pytest

from projections.attention import causes
from projections.process_events import Entry, process_events
from projections.shapes import next_action, order_shape
from projections.tables import indexable, parted, place_of
from projections.testing import (
    ANNOUNCED,
    BILLING,
    CRM,
    ENTITLEMENTS,
    START,
    Placed,
    acceptance,
    event_of,
    next_event,
)
from projections.timeline_shape import timeline_entry
from schemas.events import (
    Event,
    Fact,
    OrderFailed,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepSucceeded,
)
from schemas.steps import ErrorKind, Failure, WaybillStep
from streams.core.evolve import evolve
from streams.core.order import Order

FAILURE = Failure(
    kind=ErrorKind.DECLINED,
    code="card_declined",
    message="do_not_honor",
    buyer_message="Please try another card.",
)


def told(waybill: tuple[WaybillStep, ...], *facts: Fact) -> list[Entry]:
    first = acceptance(2, waybill)
    envelope = first.envelope
    events = [first]
    for second, fact in enumerate(facts, start=1):
        at = envelope.occurred_at + timedelta(seconds=second)
        events.append(event_of(fact, Placed(envelope.order_id, envelope.tenant, envelope.lane, at)))
    return [Entry(3, offset, event) for offset, event in enumerate(events)]


def folded(entries: list[Entry]) -> Order:
    order = None
    for entry in entries:
        order = evolve(order, entry.event, entry.offset)
    assert order is not None
    return order


def done(step: str) -> StepSucceeded:
    return StepSucceeded(step=step, attempt=1, output={"id": step})


def failed(step: str) -> StepFailed:
    return StepFailed(step=step, attempt=1, failure=FAILURE)


def test_an_accepted_order_is_shown_as_submitted_with_its_first_step_next() -> None:
    shown = order_shape(folded(told((CRM, BILLING))))
    assert (shown["status"], shown["next_action"]) == ("submitted", "runs step salesforceV3")
    assert (shown["completion"], shown["error"]) == (None, None)
    assert [step["status"] for step in shown["steps"]] == ["pending", "pending"]
    assert shown["created"] == shown["updated"] == "2026-01-01T00:02:00+00:00"


def test_the_shape_is_json_and_has_the_members_that_are_promised() -> None:
    shown = orjson.loads(orjson.dumps(order_shape(folded(told((CRM,))))))
    assert list(shown) == [
        "id",
        "order_reference",
        "status",
        "external_id",
        "subscriptionReference",
        "owner",
        "order_type",
        "mode",
        "created",
        "updated",
        "config_version",
        "lane",
        "next_action",
        "queued_behind",
        "pending_commands",
        "steps",
        "run",
        "completion",
        "error",
    ]
    members = {"name", "service", "phase", "critical", "status", "attempts", "error"}
    members |= {"started", "ended", "attempt", "next_attempt", "deferred_by"}
    assert members <= set(shown["steps"][0])


def test_a_failed_order_says_why_to_the_buyer_and_to_the_operator() -> None:
    decided = OrderFailed(expected=3, step="zuora", plugin="zuora", failure=FAILURE)
    order = folded(told((CRM, BILLING), done("salesforceV3"), failed("zuora"), decided))
    shown = order_shape(order)
    assert shown["status"] == "failed"
    assert shown["error"] == {
        "code": "card_declined",
        "buyer_message": "Please try another card.",
        "step": "zuora",
        "plugin": "zuora",
        "message": "do_not_honor",
    }
    assert shown["next_action"] == (
        "needs a person: step zuora failed (card_declined); retry, resolve, skip, cancel"
    )
    assert [(c.step, c.kind, c.code) for c in causes(order)] == [
        ("zuora", "failed", "card_declined")
    ]


def test_an_order_in_doubt_names_the_step_that_a_person_must_look_at() -> None:
    order = folded(told((ANNOUNCED,), StepInDoubt(step="callout", attempt=1, failure=FAILURE)))
    assert order_shape(order)["status"] == "in_doubt"
    assert next_action(order) == (
        "needs a person: step callout has an unknown outcome (card_declined); "
        "resolve, retry, skip, cancel"
    )
    assert [cause.kind for cause in causes(order)] == ["in_doubt"]


def test_a_completed_order_needs_nothing_unless_a_post_step_failed() -> None:
    facts: list[Fact] = [done("zuora")]
    entries = told((BILLING, ENTITLEMENTS), *facts)
    order = folded(entries)
    while (event := next_event(order, lambda _: 0)) is not None:
        after = evolve(order, event, 9)
        assert after is not None
        order = after
    shown = order_shape(order)
    assert (shown["status"], shown["completion"]) == ("complete", "order complete")
    assert shown["next_action"] == "none"
    assert [(cause.step, cause.kind) for cause in causes(order)] == [
        ("entitlements", "post_failed")
    ]


@pytest.mark.parametrize(("number", "completion"), [(2, "order complete"), (3, "change complete")])
def test_new_orders_and_changes_complete_in_their_own_words(number: int, completion: str) -> None:
    order = evolve(None, acceptance(number, ()), 0)
    while order is not None and (event := next_event(order, lambda _: 0)) is not None:
        order = evolve(order, event, 9)
    assert order is not None
    assert order_shape(order)["completion"] == completion


def test_a_process_event_collects_errors_and_logs_of_its_run() -> None:
    decided = OrderFailed(expected=4, step="zuora", plugin="zuora", failure=FAILURE)
    skipped = StepSkipped(step="salesforceV3", attempt=1, reason="no items for it")
    [event] = process_events(told((CRM, BILLING), skipped, failed("zuora"), decided))
    assert event["errors"] == [
        {"name": "zuora", "message": "do_not_honor", "code": "card_declined"}
    ]
    assert [log["level"] for log in event["logs"]] == ["info", "info", "error", "error"]
    assert event["logs"][1]["message"] == "step salesforceV3 skipped: no items for it"
    assert process_events([]) == []


def test_the_same_run_has_the_same_process_event_id() -> None:
    entries = told((CRM,), done("salesforceV3"))
    [once] = process_events(entries[:1])
    [again] = process_events(entries)
    assert once["id"] == again["id"]


def test_a_timeline_entry_names_its_place_and_hides_what_is_sealed() -> None:
    entries = told((CRM,), failed("salesforceV3"))
    first, second = (timeline_entry(e, n, {}) for n, e in enumerate(entries, start=1))
    assert (first["type"], first["token"], first["sequence"]) == ("OrderAccepted", "e3:0", 1)
    assert not {"sealed", "document", "fingerprint"} & set(first["data"])
    assert second["data"]["failure"]["code"] == "card_declined"
    assert second["data"]["next_attempt_at"] is None
    orjson.dumps([first, second])


def test_a_place_is_partition_and_offset_in_log_order() -> None:
    places = [(0, 0), (0, 1), (0, 2**47), (1, 0), (7, 12)]
    numbers = [place_of(*place) for place in places]
    assert numbers == sorted(numbers)
    assert [parted(number) for number in numbers] == places
    assert place_of(0, 2**47) < place_of(1, -1) < place_of(1, 0)


def test_an_indexable_text_is_bounded_and_keeps_differences() -> None:
    long, other = "x" * 10_000, "x" * 9_999 + "y"
    assert len(indexable(long)) < 500
    assert indexable(long) != indexable(other)
    assert "\x00" not in indexable("a\x00b")
    assert indexable("plain") == "plain"


def test_histories_begin_at_a_fixed_moment() -> None:
    event: Event = acceptance(0, ())
    assert event.envelope.occurred_at == START
