"""What a process event warns of although the order goes on."""

from typing import Any

import orjson
import pytest

from projections.process_events import Entry, process_events
from schemas.events import OrderAccepted
from tests.facts import accepted, command, event, revision, step, succeeded

TOTAL = {"orderItems": [{"price": {"amount": 25, "currency": "GBP"}}], "total": {"amount": 20}}
DIFFERS = "the items come to 25.00 GBP, the total says 20.00 GBP"


def ordered(document: dict[str, Any], order_type: str = "new") -> OrderAccepted:
    return accepted(
        step("zuora"),
        document=orjson.dumps(document).decode(),
        axes={"order_type": order_type},
    )


def warned(*facts: Any) -> list[str]:
    entries = [Entry(0, place, event(fact)) for place, fact in enumerate(facts)]
    [record] = process_events(entries)
    return [line["message"] for line in record["logs"] if line["level"] == "warning"]


def test_a_total_that_its_items_do_not_come_to_is_a_warning_of_the_acceptance() -> None:
    assert warned(ordered(TOTAL)) == [DIFFERS]
    assert warned(ordered({**TOTAL, "total": {"amount": "25.00"}})) == []
    assert warned(ordered(TOTAL, "cancel_subscription")) == []
    assert warned(accepted(step("zuora"), document="")) == []


def test_an_amendment_is_compared_anew() -> None:
    amended = revision(step("zuora"), document=orjson.dumps(TOTAL).decode())
    fine = ordered({**TOTAL, "total": {"amount": 25}})
    assert warned(fine, command("amend", revision=amended)) == [DIFFERS]
    untouched = revision(step("zuora"), document=None)
    assert warned(fine, command("retry", revision=untouched)) == []


def test_a_warning_stands_behind_what_it_is_about() -> None:
    entries = [Entry(0, 1, event(ordered(TOTAL))), Entry(0, 2, event(succeeded("zuora")))]
    [record] = process_events(entries)
    levels = [line["level"] for line in record["logs"]]
    assert levels == ["info", "warning", "info"]
    assert {line["at"] for line in record["logs"]} == {"2026-01-01T00:00:00+00:00"}


@pytest.mark.parametrize("holder", [list, tuple])
def test_the_warnings_of_a_steps_output_are_lines_of_their_own(holder: type[Any]) -> None:
    told = holder(["the date was moved to 2027-01-01", "the discount has no end"])
    assert warned(ordered({}), succeeded("zuora", output={"warnings": told})) == [
        "step zuora: the date was moved to 2027-01-01",
        "step zuora: the discount has no end",
    ]


def test_a_follow_up_is_told_with_its_code() -> None:
    left = {"code": "refund_not_possible", "message": "pay CM-1 back by hand"}
    assert warned(ordered({}), succeeded("zuora", output={"follow_up": left})) == [
        "step zuora left something to do: pay CM-1 back by hand (refund_not_possible)"
    ]


@pytest.mark.parametrize("output", [{}, {"warnings": None}, {"warnings": "text"}, {"warnings": []}])
def test_no_warnings_are_no_lines(output: dict[str, Any]) -> None:
    assert warned(ordered({}), succeeded("zuora", output=output)) == []
