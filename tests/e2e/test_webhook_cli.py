"""Webhook endpoints and deliveries on the command line, against a real API."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.topics import Topics
from tests.e2e.webhooking import BODY, Apis, webhook_apis
from tests.unit.api.conftest import ticking
from waybill.cli.main import main


@pytest.fixture
async def apis(kafka: str, module_topics: Topics, database_url: str) -> AsyncIterator[Apis]:
    async with webhook_apis(kafka, module_topics, database_url) as starting:
        yield starting


def why(reason: str) -> tuple[str, str]:
    return "--reason", reason


class Cli:
    """`waybill` in a thread of its own, `waybill webhook` unless it is said otherwise."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def run(self, *arguments: str, code: int = 0, group: str = "webhook") -> Any:
        """What it says with --json; the problem where it fails."""
        ended = await asyncio.to_thread(main, [group, *arguments, "--json"])
        said = self._capsys.readouterr()
        assert ended == code, said
        return json.loads(said.err if code else said.out)

    async def shown(self, *arguments: str) -> str:
        """What it says to people."""
        ended = await asyncio.to_thread(main, ["webhook", *arguments])
        said = self._capsys.readouterr()
        assert ended == 0, said
        return said.out

    async def audited(self, about: str) -> list[tuple[str, str | None]]:
        """What was done to it and why, first come first."""
        found = ["--about", about]
        items = (await self.run(*found, group="audit"))["items"]
        return [(one["action"], one["reason"]) for one in reversed(items)]


@pytest.fixture
async def cli(
    apis: Apis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    api = await apis.start(now=ticking())
    monkeypatch.setenv("WAYBILL_HTTP", f"127.0.0.1:{api.client.port}")
    return Cli(capsys)


async def test_endpoints_are_made_changed_and_deleted(cli: Cli) -> None:
    header = ("--header", "X-Team=a=b")
    made = await cli.run(
        *("create", BODY["url"], "--event", "order.*", *header),
        *("--payload", "thin", "--reason", "the shop"),
    )
    assert made["secret"].startswith("whsec_")
    name = made["id"]
    assert (made["events"], made["header_names"], made["payload"]) == (
        ["order.*"],
        ["x-team"],
        "thin",
    )
    rotated = await cli.run("rotate", name, "--kind", "v1a", "--overlap", "60", *why("leaked"))
    assert len(rotated["secrets"]) == 2
    changed = await cli.run(
        "update", name, "--remove-header", "x-team", "--rate-limit", "5", *why("slow")
    )
    assert (changed["header_names"], changed["rate_limit"]) == ([], 5)
    changed = await cli.run("update", name, "--no-rate-limit", "--disable", *why("off"))
    assert (changed["rate_limit"], changed["enabled"]) == (None, False)
    problem = await cli.run("update", name, "--enable", "--revision", "1", *why("on"), code=1)
    assert problem["code"] == "revision_differs"
    assert (await cli.run("update", name, "--enable", *why("on")))["enabled"] is True
    assert name in await cli.shown("endpoints")
    assert "whpk_" in await cli.shown("endpoints", name)
    assert (await cli.run("delete", name, *why("over"), code=1))["code"] == "unconfirmed"
    assert (await cli.run("delete", name, "--yes", *why("over")))["deleted"] is True
    assert (await cli.run("endpoints", name, code=1))["code"] == "not_found"
    assert await cli.audited(name) == [
        ("created", "the shop"),
        ("rotated", "leaked"),
        ("changed", "slow"),
        ("changed", "off"),
        ("changed", "on"),
        ("changed", "on"),
        ("deleted", "over"),
    ]
    for bare in (("rotate", name), ("update", name, "--enable"), ("delete", name, "--yes")):
        assert (await cli.run(*bare, code=2))["code"] == "usage"


async def test_deliveries_are_listed_shown_and_made_again(cli: Cli) -> None:
    name = (await cli.run("create", BODY["url"]))["id"]
    sent = (await cli.run("test", name, "--timeout", "0", *why("try")))["id"]
    assert (await cli.run("delivery", sent))["status"] == "pending"
    found = await cli.run("deliveries", "--endpoint", name, "--status", "pending")
    assert [one["id"] for one in found["items"]] == [sent]
    assert await cli.run("replay", sent, "--preview") == {"matched": 1, "replayed": 0}
    assert (await cli.run("replay", sent, code=2))["code"] == "usage"
    assert await cli.audited(sent) == []
    assert (await cli.run("replay", sent, *why("again")))["replayed"] == 1
    assert await cli.audited(sent) == [("replay", "again")]
    chosen = ("replay", "--endpoint", name, "--type", "webhook.test")
    assert await cli.run(*chosen, "--preview") == {"matched": 1, "replayed": 0}
    assert (await cli.run(*chosen, *why("all"), code=1))["code"] == "unconfirmed"
    assert (await cli.run(*chosen, "--yes", *why("all")))["replayed"] == 1
    example = (await cli.run("test", name, "--type", "order.failed", "--timeout", "0"))["request"]
    assert example["body"]["type"] == example["headers"]["waybill-event-type"] == "order.failed"
    told = await cli.audited(name)
    assert told == [("created", None), ("test", "try"), ("replay", "all"), ("test", None)]
    assert "webhook.test" in await cli.shown("deliveries")
    assert sent in await cli.shown("delivery", sent)
