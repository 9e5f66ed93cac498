"""The commands against a running Waybill, as people type them and as programs read them."""

import json
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from tests.e2e.stack import Stack, an_order

DIES_WITH_ITS_ORDER = 30
LONGER_THAN_THE_API_WAITS = 6


@pytest.fixture
def order_file(tmp_path: Path) -> Path:
    path = tmp_path / "order.json"
    path.write_text(json.dumps(an_order()))
    return path


def ok(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def document(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    return dict(json.loads(ok(done)))


def test_submit_waits_for_the_end_and_shows_the_order(stack: Stack, order_file: Path) -> None:
    shown = ok(stack.cli("submit", "--wait", str(order_file)))
    for word in ("complete", "salesforceV3", "zuora", "calloutPlugin", "after the main phase"):
        assert word in shown
    waited = document(stack.cli("submit", "--wait", "--json", str(order_file)))
    assert waited["status"] == "complete"
    assert waited["timeline"][-1]["type"] == "OrderCompleted"
    assert waited["process_events"]["items"][0]["callouts"]


def test_submit_waits_through_the_crash_of_a_worker(stack: Stack, order_file: Path) -> None:
    stack.kill("worker")
    command = [sys.executable, "-m", "waybill", "submit", "--wait", "--json", str(order_file)]
    waiting = subprocess.Popen(command, env=stack.environment, stdout=subprocess.PIPE, text=True)
    time.sleep(LONGER_THAN_THE_API_WAITS)
    stack.start("worker")
    said, _ = waiting.communicate(timeout=40)
    assert waiting.returncode == 0
    assert json.loads(said)["status"] == "complete"


def test_submit_ends_with_one_where_the_order_failed(stack: Stack, order_file: Path) -> None:
    stack.fault("zuora", path="/v1/orders", status=400)
    failed = stack.cli("submit", "--wait", "--json", str(order_file))
    stack.mend()
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["error"]["code"]


def test_submit_without_waiting_says_how_to_watch(stack: Stack, order_file: Path) -> None:
    said = ok(stack.cli("submit", str(order_file)))
    assert "Watch it with: waybill order order-" in said


def test_an_order_that_wants_to_be_processed_immediately_is_answered_with_its_outcome(
    stack: Stack, tmp_path: Path
) -> None:
    path = tmp_path / "immediate.json"
    path.write_text(json.dumps(an_order(process_immediately=True)))
    answer = document(stack.cli("submit", "--json", str(path)))
    assert answer["status"] in {"post_processing", "complete"}


def test_an_order_is_found_by_each_of_its_names(stack: Stack) -> None:
    order = an_order()
    answer = stack.submit(order)
    stack.ended(answer["id"])
    for name in (answer["id"], answer["order_reference"], order["external_id"]):
        found = document(stack.cli("order", name, "--json"))
        assert (found["id"], found["status"]) == (answer["id"], "complete")
    shown = ok(stack.cli("order", answer["id"]))
    assert answer["id"] in shown
    listed = document(stack.cli("orders", "--json", "--external-id", order["external_id"]))
    assert [one["id"] for one in listed["items"]] == [answer["id"]]
    assert answer["id"] in ok(stack.cli("orders"))
    unknown = stack.cli("order", "order-nobody", "--json")
    assert unknown.returncode == 1
    assert json.loads(unknown.stderr)["code"] == "not_found"


def test_following_an_order_ends_with_the_order(stack: Stack) -> None:
    answer = stack.submit(an_order())
    done = stack.cli("order", answer["id"], "--follow", "--json", timeout=DIES_WITH_ITS_ORDER)
    types = [json.loads(line)["type"] for line in ok(done).splitlines()]
    assert (types[0], types[-1]) == ("OrderAccepted", "OrderCompleted")
    lines = ok(stack.cli("order", answer["id"], "--follow", timeout=DIES_WITH_ITS_ORDER))
    assert len(lines.splitlines()) == len(types)


def test_following_orders_tells_every_event_until_it_is_stopped(stack: Stack) -> None:
    command = [sys.executable, "-m", "waybill", "orders", "--follow", "--json"]
    following = subprocess.Popen(
        command, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert following.stdout is not None
        # It tells from when it was connected on, so an order is sent until it tells of one.
        stack.until(lambda: stack.submit(an_order()) and _has_said(following))
        assert json.loads(following.stdout.readline())["order"].startswith("order-")
    finally:
        following.terminate()
        following.communicate()


def _has_said(process: "subprocess.Popen[str]") -> bool:
    return bool(select.select([process.stdout], [], [], 0.5)[0])


def test_the_connectors_and_topics_are_listed(stack: Stack) -> None:
    shown = ok(stack.cli("connectors"))
    for name in ("salesforceV3", "zuora", "calloutPlugin", "platformEvents", "entitlements"):
        assert name in shown
    facts = document(stack.cli("topics", "--json"))["facts"]
    assert facts.keys() == {name for name, _ in stack.topics.named()}


def test_doctor_finds_nothing_wrong(stack: Stack) -> None:
    checks = document(stack.cli("doctor", "--json"))["checks"]
    assert {check["status"] for check in checks} <= {"ok", "warning"}


async def test_a_rebuild_leaves_every_order_where_it_was_and_publishes_none_again(
    stack: Stack,
) -> None:
    answer = stack.submit(an_order())
    before = stack.ended(answer["id"])
    count = len(stack.orders())
    rebuilt = stack.cli("rebuild", "--json", "--reason", "to see")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert json.loads(rebuilt.stdout)
    [kept] = document(stack.cli("audit", "--kind", "views", "--json"))["items"]
    assert (kept["action"], kept["outcome"], kept["reason"]) == ("rebuild", "done", "to see")
    assert len(stack.orders()) == count
    assert stack.order(answer["id"]) == before
    after = stack.submit(an_order())
    assert stack.ended(after["id"])["status"] == "complete"

    def is_out(records: list[ConsumerRecord]) -> bool:
        return after["id"] in {_subject(record) for record in records}

    completed = await stack.read(stack.topics.order_completed, is_out)
    assert len(completed) == len({_subject(record) for record in completed})


def _subject(record: ConsumerRecord) -> str:
    return str(dict(record.headers)["ce_subject"].decode())
