"""A configuration that changes while orders are under way: each keeps the one it came under."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.commanding import command
from tests.e2e.stack import POST, STEPS, Stack, an_order

AT = "/api/processing-config"
BRIEF = {"sequence": STEPS[:2], "post": POST}
"""Without the callout."""


def put(stack: Stack, document: dict[str, Any], base: int, **headers: str) -> httpx.Response:
    return httpx.put(
        f"{stack.url}{AT}",
        json=document,
        params={"reason": "a test"},
        headers={"If-Match": f'"{base}"', **headers},
        timeout=20,
    )


def used(stack: Stack) -> int:
    return int(httpx.get(f"{stack.url}{AT}").json()["version"])


def steps(stack: Stack, order_id: str) -> list[str]:
    return [step["id"] for step in stack.order(order_id)["steps"]]


def test_an_order_in_flight_keeps_its_sequence_and_the_next_one_gets_the_new_one(
    stack: Stack,
) -> None:
    base = used(stack)
    document = httpx.get(f"{stack.url}{AT}").json()
    stack.fault("salesforce", status=503)
    first = str(stack.submit(an_order())["id"])
    stack.until(lambda: stack.order(first).get("steps"))
    long = steps(stack, first)
    assert "calloutPlugin" in long
    assert put(stack, BRIEF, base).json()["version"] == base + 1
    second = str(stack.submit(an_order())["id"])
    stack.until(lambda: stack.order(second).get("steps"))
    amended = command(stack, first, "amend", changes={"country": "IE"})
    assert amended["status"] == "applied", amended
    stack.mend()
    for order_id in (first, second):
        command(stack, order_id, "retry")
        stack.until(lambda order_id=order_id: stack.order(order_id)["status"] == "complete")
    assert steps(stack, first) == long
    assert stack.order(first)["config_version"] == base
    assert steps(stack, second) == [step for step in long if step != "calloutPlugin"]
    assert stack.order(second)["config_version"] == base + 1
    assert put(stack, document, base + 1).json()["version"] == base + 2


def test_every_order_is_taken_under_the_version_that_its_sender_saw(stack: Stack) -> None:
    for number in range(5):
        base = used(stack)
        assert put(stack, {**BRIEF, "post": POST[: number % 2]}, base).status_code == 200
        order_id = str(stack.submit(an_order())["id"])
        stack.until(lambda order_id=order_id: stack.order(order_id).get("steps"))
        assert stack.order(order_id)["config_version"] == base + 1


def test_of_writers_at_the_same_time_one_holds(stack: Stack) -> None:
    base = used(stack)
    answers: list[httpx.Response] = []

    def change(number: int) -> None:
        document = {**BRIEF, "order_types": [f"kind_{number}"]}
        answers.append(put(stack, document, base))

    writers = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, *[412] * 7]
    assert used(stack) == base + 1


def test_a_worker_takes_no_order_before_it_knows_the_configuration(stack: Stack) -> None:
    base = used(stack)
    stack.processes["worker"].terminate()
    stack.processes["worker"].wait(20)
    waiting = str(stack.submit(an_order())["id"])
    assert put(stack, {**BRIEF, "order_types": ["gift"]}, base).status_code == 200
    stack.start("worker")
    stack.ready("worker")
    assert stack.ended(waiting)["config_version"] == base + 1


def edited(stack: Stack, **changes: Any) -> Path:
    """The version in use, changed, in a file."""
    document = json.loads(stack.cli("config", "show", "--document").stdout)
    path = stack.folder / "edited.json"
    path.write_text(json.dumps({**document, **changes}, indent=1))
    return path


def test_by_command_line(stack: Stack) -> None:
    base = used(stack)
    path = edited(stack, order_types=["by_hand"])
    told = stack.cli("config", "diff", str(path))
    assert "order_types" in told.stdout, told.stderr
    made = stack.cli("config", "put", str(path), "--reason", "by hand")
    assert made.stdout.endswith(f"version {base + 1} is in use now\n"), made.stderr
    again = stack.cli("config", "put", str(path), "--reason", "again")
    assert again.stdout.endswith("stays in use\n")
    back = stack.cli("config", "rollback", str(base), "--reason", "not so", "--json")
    assert json.loads(back.stdout)["version"] == base + 2
    told = stack.cli("config", "history")
    assert "by hand" in told.stdout
    assert "not so" in told.stdout
    found = json.loads(stack.cli("config", "diff", str(base), str(base + 2), "--json").stdout)
    assert found["changes"] == []
    old = json.loads(stack.cli("config", "show", "--version", str(base + 1), "--json").stdout)
    assert (old["author"], old["reason"]) == ("local", "by hand")


def test_the_command_line_says_why_not(stack: Stack) -> None:
    path = edited(stack, order_types=["late"], version=used(stack) + 7)
    late = stack.cli("config", "put", str(path), "--reason", "too late")
    assert late.returncode == 1
    assert "version_differs" in late.stderr
    path = edited(stack, sequence=[{"name": "zuroa"}])
    wrong = stack.cli("config", "put", str(path), "--reason", "wrong", "--force")
    assert wrong.returncode == 1
    assert "error: /sequence/0/name: there is no plugin 'zuroa'" in wrong.stderr
    assert f"{path}:" in wrong.stderr
