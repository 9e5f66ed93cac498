"""What the console makes of figures: how stages do, the axis of an order, what is not well."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from waybill.console.conditions import Condition, condition
from waybill.console.health_shown import needs, processes, unwell
from waybill.console.order_shown import way_of
from waybill.console.overview_shown import Figures, boxes, spark

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=9)
HELD = {"actor": "kim", "reason": "calm", "at": None}


def stage(held: Any = None, waiting: int = 0, **live: Any) -> dict[str, Any]:
    recent = {"attempts": 0, "failed": 0, "median_ms": None, **live.pop("recent", {})}
    plain = {"breaker": "closed", "open_s": 0.0, "waiting": 0, "in_flight": 0, "slots": 20}
    return {"held": held, "waiting": waiting, "live": {**plain, "recent": recent, **live}}


def lately(attempts: int, failed: int = 0, median_ms: float = 50.0) -> dict[str, Any]:
    return {"attempts": attempts, "failed": failed, "median_ms": median_ms}


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ([], Condition("idle")),
        ([stage()], Condition("idle")),
        ([stage(in_flight=1)], Condition("flowing")),
        ([stage(recent=lately(11, 2))], Condition("flowing")),
        ([stage(recent=lately(4, 1))], Condition("flowing")),
        ([stage(recent=lately(1, 1))], Condition("failing", "1 of 1 in 5 min")),
        ([stage(recent=lately(10, 2))], Condition("failing", "2 of 10 in 5 min")),
        (
            [stage(recent=lately(90)), stage(waiting=9), stage(recent=lately(10, 10))],
            Condition("failing", "10 of 10 in 5 min"),
        ),
        ([stage(waiting=1, recent=lately(3))], Condition("waiting", "1 order")),
        ([stage(waiting=2, recent=lately(3, 3))], Condition("failing", "3 of 3 in 5 min")),
        ([stage(recent=lately(5, 0, 299.0))], Condition("flowing")),
        ([stage(recent=lately(4, 0, 900.0))], Condition("flowing")),
        ([stage(recent=lately(5, 0, 900.0))], Condition("slow", "900 ms, usually 100 ms")),
        (
            [stage(breaker="half_open", recent=lately(9, 9))],
            Condition("half_open", "a few calls find out"),
        ),
        (
            [stage(breaker="half_open"), stage(breaker="open", open_s=12.4)],
            Condition("open", "tries again in 12 s"),
        ),
        ([stage(breaker="open"), stage(held=HELD)], Condition("held", "by kim: calm")),
    ],
)
def test_a_stage_has_one_condition_the_worst_one(stages: Any, found: Condition) -> None:
    assert condition(stages, usual_ms=100.0) == found


def test_where_no_worker_tells_the_last_hours_stand_in() -> None:
    counts = {"attempts": 9, "failed": 1, "in_doubt": 1, "compensation_failed": 0}
    assert condition([], counts) == Condition("failing", "2 of 9 in the last hours")
    assert condition([stage()], counts) == Condition("idle")
    assert condition([], {**counts, "in_doubt": 0}) == Condition("flowing")


def moment(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


def step(name: str, started: float | None, ended: float | None, status: str) -> dict[str, Any]:
    times = [None if one is None else moment(one) for one in (started, ended)]
    return {"id": name, "status": status, "started": times[0], "ended": times[1]}


def an_order(status: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "steps": steps, "error": None, "updated": moment(3000)}


class TestWay:
    def test_an_order_that_has_ended_ends_with_its_last_step(self) -> None:
        steps = (step("a", 0, 1, "succeeded"), step("b", 1, 4, "failed"))
        way = way_of(an_order("failed", *steps), [], LATER)
        assert (way.first, way.took_s) == (NOW, 4)
        bars = [(one.bar.start, one.bar.width) for one in way.steps if one.bar]
        assert bars == [(0, 25), (25, 75)]

    def test_one_that_goes_on_ends_now(self) -> None:
        steps = (step("a", 0, 1, "succeeded"), step("b", 1, None, "waiting"))
        way = way_of(an_order("waiting", *steps), [], NOW + timedelta(seconds=10))
        assert way.took_s == 10
        assert [one.is_here for one in way.steps] == [False, True]

    def test_what_a_partner_was_asked_lies_within(self) -> None:
        callout = {"step": "a", "at": moment(0), "ended": moment(2), "status": 500, "error": None}
        way = way_of(an_order("cancelled", step("a", 0, None, "started")), [callout], LATER)
        assert way.took_s == 2
        [bar] = way.steps[0].exchanges
        assert (bar.start, bar.width, bar.good) == (0, 100, False)

    def test_before_the_first_step_there_is_no_axis(self) -> None:
        way = way_of(an_order("queued", step("a", None, None, "pending")), [], NOW)
        assert (way.first, way.took_s, way.steps[0].bar) == (None, 0, None)


def test_the_minute_under_way_is_drawn_as_what_it_comes_to() -> None:
    found = spark([4, 8, 0, 2], pace=8.0)
    assert found["bars"].split("z")[:-1] == [
        "M0 60v-28.0h8v28.0",
        "M10 60v-56.0h8v56.0",
        "M30 60v-14.0h8v14.0",
    ]
    assert found["coming"] == "M30 60v-56.0h8v56.0z"
    assert (found["top"], found["sum"]) == (8, 14)


def test_what_is_not_well_is_said_once_and_the_worst_first() -> None:
    readers = [
        {"name": name, "behind": 5, "waiting_s": waits}
        for name, waits in (("intake", 12.0), ("worker", 90.0), ("views", None))
    ]
    checks = [
        {"name": "store", "ok": True, "detail": ""},
        {"name": "kafka", "ok": False} | {"detail": ""},
    ]
    found = processes(readers, checks, workers=2)
    assert [(one.name, one.state) for one in found[:3]] == [
        ("Kafka", "down"),
        ("worker", "stuck"),
        ("worker", "behind"),
    ]
    assert found[1].does.endswith("2 at work lately")
    plugins = {"zuora": {"stages": [stage(held=HELD)]}}
    pipeline = boxes({"sequence": [{"name": "zuora"}]}, Figures({}, plugins, {}))
    said = [one.says for one in unwell(pipeline, found)]
    assert said == ["zuora: held", "Kafka: down", "worker: stuck"]


def test_what_needs_a_person_is_counted() -> None:
    causes = [
        {"kind": "failed", "needs_person": True, "orders": 1, "causes": [{}]},
        {"kind": "deferred", "needs_person": False, "orders": 9, "causes": [{}]},
        {"kind": "webhook_endpoint", "needs_person": True, "orders": 700, "causes": [{}, {}]},
    ]
    assert [one.says for one in needs(causes, {"failed": 1})] == [
        "1 order needs a person",
        "2 webhook endpoints need a person",
    ]
    assert needs([], {"failed": 4}) == []
    [one] = needs(None, {"failed": 4, "in_doubt": 1})
    assert (one.says, one.path) == ("5 orders need a person", "/orders?status=failed")
