"""Commands to many orders, from the command line, and what was rejected."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from streams.topics import Topics
from tests.e2e.commanding import failed_order, failed_orders, hasty_stack, types
from tests.e2e.stack import Stack, an_order
from waybill.settings import operator_name

WHY = ("--reason", "a test")


@pytest.fixture(scope="module")
def stack(
    kafka: str, module_topics: Topics, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Steps that fail at once."""
    with hasty_stack(kafka, module_topics, tmp_path_factory.mktemp("stack")) as running:
        yield running


def said(stack: Stack, *words: str, code: int = 0) -> dict[str, Any]:
    """What a command prints for programs."""
    done = stack.cli(*words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout if code == 0 or done.stdout else done.stderr))


def complete(stack: Stack, *ids: str) -> None:
    for order_id in ids:
        stack.until(lambda i=order_id: stack.order(i)["status"] == "complete")


def test_many_failed_orders_are_previewed_and_retried_as_one(stack: Stack) -> None:
    ids = failed_orders(stack, 30, country="NZ")
    body = {"command": "retry", "filter": {"status": "failed"}, "reason": "Zuora is back"}
    url = f"{stack.url}/api/commands"
    preview = httpx.post(url, json={**body, "preview": True}).json()
    assert preview["matched"] == 30
    [group] = preview["groups"]
    assert (group["status"], group["plugin"], group["orders"]) == ("failed", "zuora", 30)
    assert len(preview["some"]) == 20
    assert {stack.order(one)["status"] for one in ids} == {"failed"}
    begun = httpx.post(url, json={**body, "id": "bulk-1"})
    assert (begun.status_code, begun.json()["matched"]) == (202, 30)
    where = f"{stack.url}{begun.headers['Location']}"
    stack.until(lambda: httpx.get(where).json()["status"] == "done")
    progress = httpx.get(f"{url}?bulk=bulk-1").json()
    assert (progress["sent"], progress["applied"], progress["rejected"]) == (30, 30, 0)
    complete(stack, *ids)
    one = httpx.get(f"{url}/bulk-1%2F{ids[0]}").json()
    assert (one["status"], one["bulk"], one["order"]) == ("applied", "bulk-1", ids[0])
    httpx.post(url, json={**body, "id": "bulk-1", "filter": {"order_type": "new"}})
    assert types(stack, ids[0]).count("CommandReceived") == 1


def test_the_same_bulk_again_has_no_second_effect(stack: Stack) -> None:
    ids = failed_orders(stack, 3)
    body = {"command": "pause", "filter": {"q": ids[0]}, "reason": "r", "id": "bulk-2"}
    url = f"{stack.url}/api/commands"
    for _ in range(2):
        assert httpx.post(url, json=body).status_code == 202
        stack.until(lambda: httpx.get(f"{url}/bulk/bulk-2").json()["status"] == "done")
    assert types(stack, ids[0]).count("CommandReceived") == 1
    assert "CommandReceived" not in types(stack, ids[1])


def test_orders_are_commanded_by_name_from_the_command_line(stack: Stack) -> None:
    order = an_order()
    order_id = failed_order(stack, external_id=order["external_id"])
    shown = stack.cli("attention")
    assert "zuora" in shown.stdout
    answer = said(stack, "retry", order["external_id"], *WHY, "--wait")["items"][0]
    assert (answer["status"], answer["order"]) == ("applied", order_id)
    complete(stack, order_id)
    again = said(stack, "retry", order_id, *WHY, "--wait", code=1)["items"][0]
    assert again["status"] == "rejected"
    found = stack.cli("command", answer["id"])
    assert "applied" in found.stdout
    assert stack.cli("command", "nobody").returncode == 1
    assert stack.cli("retry", order_id).returncode == 2
    assert stack.cli("retry", *WHY).returncode == 2


def test_a_filter_asks_before_it_commands(stack: Stack) -> None:
    ids = failed_orders(stack, 3, order_type="new")
    words = ("retry", "--status", "failed", "--plugin", "zuora", *WHY)
    preview = stack.cli(*words, "--preview")
    assert preview.returncode == 0
    assert "zuora" in preview.stdout
    unconfirmed = stack.cli(*words)
    assert unconfirmed.returncode == 1
    assert "--yes" in unconfirmed.stderr
    done = stack.cli(*words, "--yes", "--id", "by-hand")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 rejected" in done.stdout
    complete(stack, *ids)
    assert said(stack, "command", "by-hand")["status"] == "done"


def test_a_held_stage_lets_its_orders_wait_until_it_is_released(stack: Stack) -> None:
    assert stack.cli("stage", "hold", "zuoar", *WHY).returncode == 1
    assert said(stack, "stage", "hold", "zuora", *WHY)["status"] == "sent"

    def held() -> bool:
        items = httpx.get(f"{stack.url}/api/stages").json()["items"]
        return any(stage["held"] for one in items for stage in one["stages"])

    stack.until(held)
    order_id = str(stack.submit(an_order())["id"])
    stack.until(lambda: stack.order(order_id).get("status") == "waiting")
    assert "local" in stack.cli("stages").stdout
    assert said(stack, "stage", "release", "zuora", *WHY)["status"] == "sent"
    complete(stack, order_id)


async def test_what_was_rejected_is_sent_again_once_its_cause_is_gone(stack: Stack) -> None:
    order = an_order(order_type="gift_redemption")
    value = json.dumps(order).encode()
    await stack.produce((b"k", value, {}), (b"k", b"no json", {"x": "y"}))
    stack.until(lambda: len(said(stack, "rejected", "list")["items"]) == 2, 60)
    found = {one["code"]: one for one in said(stack, "rejected", "list")["items"]}
    assert set(found) == {"unknown_order_type", "malformed"}
    place = found["malformed"]["place"]
    assert "content" not in said(stack, "rejected", "show", place)
    whole = said(stack, "rejected", "show", place, "--content")
    assert (whole["content"], whole["headers"]) == ("no json", {"x": "y"})
    assert stack.cli("rejected", "replay", place).returncode == 2
    assert stack.cli("rejected", "replay", place, *WHY).returncode == 1
    sent = said(stack, "rejected", "replay", "--code", "malformed", "--yes", *WHY)
    assert sent["sent"] == [place]
    items = said(stack, "audit", "--about", place.replace("/", "-"))["items"]
    told = [(one["action"], one["outcome"], one["reason"]) for one in items]
    assert told == [("replay", "done", WHY[1]), ("read", "done", None)]
    assert {one["actor"] for one in items} == {f"cli:{operator_name()}"}
    stack.until(lambda: len(said(stack, "rejected", "list")["items"]) == 3, 60)
    again = said(stack, "rejected", "list")["items"][0]
    headers = said(stack, "rejected", "show", again["place"], "--content")["headers"]
    assert headers["waybill-replay-of"] == f"{stack.topics.orders_rejected}/{place}"
    assert headers["x"] == "y"
    assert headers["waybill-identity"] == found["malformed"]["origin"]
