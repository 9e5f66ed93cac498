"""What the metrics say about stages."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import REGISTRY

from plugins.breaker import BreakerState
from plugins.recent import NONE
from plugins.stage import StageState
from streams.agents.stage_report import MOST_LABELS, StageReport

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Board:
    def __init__(self) -> None:
        self.told: list[Sequence[Mapping[str, Any]]] = []

    def tell(self, worker: str, states: Sequence[Mapping[str, Any]], at: datetime) -> None:
        assert (worker, at) == ("w", AT)
        self.told.append(states)
        if len(self.told) == 1:
            raise OSError("the database is away")


def state(stage: str, tenant: str = "default", **given: Any) -> StageState:
    plain = {
        "breaker": BreakerState.CLOSED,
        "open_s": 0.0,
        "opened": 0,
        "in_flight": 0,
        "waiting": 0,
        "slots": 10,
        "per_second": None,
        "held": False,
        "entered": 0,
        "waited": 0,
        "deferred": {},
        "recent": NONE,
    }
    return StageState(tenant=tenant, stage=stage, **{**plain, **given})


def report(*states: StageState) -> StageReport:
    return StageReport("w", lambda: states, Board(), lambda: AT)


def figure(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_stages_of_several_tenants_with_one_name_count_together() -> None:
    report().measure(
        [
            state("a@x", in_flight=2, breaker=BreakerState.OPEN, opened=1),
            state("a@x", tenant="other", in_flight=3, held=True),
        ]
    )
    assert figure("waybill_stage_in_flight", stage="a@x") == 5
    assert figure("waybill_stage_breaker", stage="a@x") == 2
    assert figure("waybill_stage_held", stage="a@x") == 1
    assert figure("waybill_stage_breaker_opened_total", stage="a@x") == 1


def test_what_grew_is_counted_once() -> None:
    one = report()
    one.measure([state("b@x", deferred={"held": 4}, waited=2)])
    one.measure([state("b@x", deferred={"held": 7}, waited=2)])
    assert figure("waybill_steps_deferred_total", stage="b@x", reason="held") == 7
    assert figure("waybill_stage_waited_total", stage="b@x") == 2


def test_the_number_of_labels_is_bounded() -> None:
    one = report()
    one.measure([state(f"c@host-{n}", in_flight=1) for n in range(MOST_LABELS + 50)])
    assert figure("waybill_stage_in_flight", stage="other") == 50
    assert figure("waybill_stage_in_flight", stage=f"c@host-{MOST_LABELS}") is None


async def test_the_store_is_told_every_few_turns_and_may_be_away() -> None:
    board = Board()
    one = StageReport("w", lambda: [state("d@x")], board, lambda: AT, every_s=0.001)
    task = asyncio.create_task(one.run())
    async with asyncio.timeout(10):
        while len(board.told) < 3:  # noqa: ASYNC110 (a thread writes it)
            await asyncio.sleep(0.001)
    task.cancel()
    assert board.told[-1][0]["stage"] == "d@x"
