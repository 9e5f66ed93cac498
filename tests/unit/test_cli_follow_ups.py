"""What `waybill order` shows of a step that succeeded and left something to look at."""

from typing import Any

from rich.console import Console

from waybill.cli.timeline import order_view

ORDER: dict[str, Any] = {
    "id": "order-1",
    "status": "complete",
    "steps": [{"id": "zuora", "name": "zuora", "phase": "main", "status": "succeeded"}],
    "next_action": "needs a person: step zuora left something to do (refund_not_possible); resolve",
}


def shown(output: dict[str, Any] | None) -> str:
    data = {"step": "zuora", "callouts": []} | ({} if output is None else {"output": output})
    console = Console(width=200)
    with console.capture() as captured:
        console.print(order_view(ORDER, [{"type": "StepSucceeded", "data": data}]))
    return captured.get()


def test_warnings_and_what_is_left_to_do_stand_under_their_step() -> None:
    left = {"code": "refund_not_possible", "message": "pay CM-1 back by hand"}
    text = shown({"warnings": ["moved to 2027-01-01"], "follow_up": left})
    lines = [line.strip() for line in text.splitlines()]
    step = next(n for n, line in enumerate(lines) if "zuora" in line)
    assert lines[step + 1 : step + 3] == [
        "moved to 2027-01-01",
        "to do: pay CM-1 back by hand (refund_not_possible)",
    ]
    assert "resolve" in text


def test_an_output_without_them_adds_no_lines() -> None:
    assert shown({"accountId": "A"}) == shown(None) == shown({"warnings": None})
