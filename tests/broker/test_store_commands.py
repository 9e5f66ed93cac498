"""Commands in the store: each with who, why and what came of it, alone, by order and by bulk."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from projections.queries import OrderFilters, Queries
from projections.store import Store
from projections.testing import History
from schemas.events import CommandReceived, CommandRejected, Decided
from streams.agents.projector import Projector
from streams.core.order import State
from tests.full_histories import applied, full_history


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return full_history(2)


def project(store: Store, history: History, size: int = 13) -> None:
    projector = Projector(store)
    projector.assign(history.log)
    for partition, records in history.log.items():
        for start in range(0, len(records), size):
            projector.apply(partition, records[start : start + size])


def told(history: History) -> dict[tuple[str, str], dict[str, Any]]:
    """What the log says of each command, by order and id."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for event, _, order in applied(history):
        fact, envelope = event.fact, event.envelope
        if isinstance(fact, CommandReceived):
            found[order.id, fact.command] = {
                "tenant": order.tenant,
                "actor": envelope.actor,
                "reason": fact.reason,
                "command": fact.kind.value,
                "step": fact.step,
                "received": envelope.occurred_at,
                "outcome": "pending",
                "code": None,
            }
        elif isinstance(fact, Decided) and fact.command is not None:
            answered = found[order.id, fact.command]
            assert answered["outcome"] == "pending", "a command is answered once"
            rejected = isinstance(fact, CommandRejected)
            answered["outcome"] = "rejected" if rejected else "applied"
            answered["code"] = fact.code if isinstance(fact, CommandRejected) else None
    return found


def test_every_command_of_an_order_is_there_with_what_came_of_it(
    store: Store, history: History
) -> None:
    project(store, history)
    queries, expected = Queries(store), told(history)
    assert {one["outcome"] for one in expected.values()} >= {"applied", "rejected"}
    for order in history.orders.values():
        shown = queries.commands_of(order.tenant, order.id)
        assert [one["id"] for one in shown] == list(order.commands)
        for one in shown:
            said = expected[order.id, one["id"]]
            for name in ("actor", "reason", "command", "step", "outcome", "code"):
                assert one[name] == said[name]
            assert datetime.fromisoformat(one["received"]) == said["received"]
            assert (one["decided"] is None) == (one["outcome"] == "pending")
            assert (one["outcome"] == "pending") == (order.command(one["id"]) is not None)
        assert queries.commands_of("somebody", order.id) == []


def test_one_command_is_found_by_its_id_within_its_tenant(store: Store, history: History) -> None:
    project(store, history)
    queries, expected = Queries(store), told(history)
    for (order_id, command), said in expected.items():
        found = queries.command(said["tenant"], command)
        assert found is not None
        same = {order for order, name in expected if name == command}
        assert found["order"] in same
        if len(same) == 1:
            assert (found["order"], found["outcome"]) == (order_id, said["outcome"])
            assert queries.command("somebody", command) is None
    assert queries.command("tenant-0", "unknown") is None


def test_a_bulk_counts_how_its_commands_were_answered(store: Store, history: History) -> None:
    project(store, history)
    queries, expected = Queries(store), told(history)
    for tenant in ("tenant-0", "tenant-1"):
        for bulk in ("bulk-0", "bulk-1", "bulk-2"):
            mine = [
                one
                for (_, command), one in expected.items()
                if one["tenant"] == tenant and command.startswith(f"{bulk}/")
            ]
            progress = queries.bulk_progress(tenant, bulk)
            assert progress is not None
            counts = Counter(one["outcome"] for one in mine)
            for outcome in ("pending", "applied", "rejected"):
                assert progress[outcome] == counts[outcome]
            assert progress["received"] == len(mine)
            codes = Counter(one["code"] for one in mine if one["code"] is not None)
            assert progress["rejections"] == codes
    assert queries.bulk_progress("tenant-0", "bulk-9") is None


def test_a_paused_order_says_who_paused_it(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    expected = told(history)
    paused = [o for o in history.orders.values() if o.state is State.PAUSED and not o.pending]
    assert paused
    for order in paused:
        pauses = [
            one
            for (order_id, _), one in expected.items()
            if order_id == order.id and (one["command"], one["outcome"]) == ("pause", "applied")
        ]
        shown = queries.order(order.tenant, order.id)
        assert shown is not None
        said = f"paused by {pauses[-1]['actor']}: {pauses[-1]['reason']}"
        assert shown["next_action"].startswith(said)
        assert "resume" in shown["commands"]
        listed = queries.orders(order.tenant, OrderFilters(status="paused"))["items"]
        assert said in "".join(one["next_action"] for one in listed if one["id"] == order.id)
