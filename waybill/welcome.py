"""The first order, shown as it goes: submitted, followed step by step, its timeline printed."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from waybill import clock

_PACKAGED = Path(__file__).parent / "defaults" / "order-new.json"
_IN_CHECKOUT = Path(__file__).parent.parent / "examples" / "order-new.json"
EXAMPLE = _PACKAGED if _PACKAGED.exists() else _IN_CHECKOUT

_ENDS = {"complete", "failed", "cancelled", "in_doubt"}
_FOLLOW_SECONDS = 60.0
_POLL_SECONDS = 0.1
_GOOD = {"StepSucceeded", "MainPhaseCompleted", "OrderCompleted"}
_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "in_doubt": "yellow",
}

_console = Console(highlight=False)


class WelcomeError(Exception):
    """The first order could not be submitted or followed."""


async def show_first_order(base_url: str) -> None:
    """Submits the example order to the API and shows it until its end.

    WelcomeError where the API refuses it, or where it has no end after a minute.
    """
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(f"{base_url}/api/", timeout=timeout) as api:
        earlier = await _get(api, "orders", {})
        _show_earlier(earlier.get("items", []))
        accepted = await _submit(api)
        _console.print(f"Submitted order [bold]{accepted['id']}[/].")
        order = await _follow(api, accepted)
        _console.print()
        timeline = await _get(api, f"orders/{order['id']}/timeline", {})
        _console.print(timeline_table(timeline.get("items", [])))


async def _submit(api: aiohttp.ClientSession) -> dict[str, Any]:
    order = json.loads(EXAMPLE.read_text())
    # A new one each time: the same external id would only find the first run's order again.
    order["external_id"] = f"{order.get('external_id', 'FIRST')}-{clock.random_bytes(4).hex()}"
    async with api.post("order", json=order) as reply:
        return await _answer(reply)


async def _follow(api: aiohttp.ClientSession, accepted: Mapping[str, Any]) -> dict[str, Any]:
    """The order at its end, drawn anew at every change."""
    until = clock.monotonic() + _FOLLOW_SECONDS
    query = {"min_offset": str(accepted["token"])} if accepted.get("token") else {}
    with Live(console=_console, refresh_per_second=20) as live:
        while True:
            order = await _get(api, f"orders/{accepted['id']}", query)
            query = {}  # the view has it now
            if order:
                live.update(steps_table(order), refresh=True)
            if order.get("status") in _ENDS:
                return order
            if clock.monotonic() > until:
                state = order.get("status", "not seen")
                raise WelcomeError(f"Order {accepted['id']} is {state} after a minute.")
            await asyncio.sleep(_POLL_SECONDS)


async def _get(api: aiohttp.ClientSession, path: str, query: dict[str, str]) -> dict[str, Any]:
    """The answer; empty where the view does not hold the order yet."""
    async with api.get(path, params=query) as reply:
        if reply.status in {HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}:
            return {}
        return await _answer(reply)


async def _answer(reply: aiohttp.ClientResponse) -> dict[str, Any]:
    body: dict[str, Any] = await reply.json(content_type=None)
    if reply.status >= HTTPStatus.BAD_REQUEST:
        said = body.get("detail") or body.get("title") or "no reason given"
        raise WelcomeError(f"{reply.method} {reply.url.path}: {reply.status}, {said}")
    return body


def _show_earlier(orders: list[dict[str, Any]]) -> None:
    if not orders:
        return
    _console.print("Orders of earlier runs:")
    for order in orders[:5]:
        _console.print(f"  {order['id']} {order['status']}", soft_wrap=True)


def steps_table(order: Mapping[str, Any]) -> Table:
    """The steps of an order as they stand: one row each."""
    table = Table(title=Text(f"{order['id']}: {order['status']}"), title_justify="left")
    for heading in ("step", "service", "phase", "status", "attempts", "ms"):
        table.add_column(heading, justify="right" if heading == "ms" else "left")
    for step in order.get("steps", []):
        status = str(step["status"])
        table.add_row(
            str(step["id"]),
            str(step["service"]),
            str(step["phase"]),
            Text(status, _COLOURS.get(status, "")),
            str(step["attempts"]),
            _milliseconds(step["started"], step["ended"]),
        )
    return table


def timeline_table(entries: list[dict[str, Any]]) -> Table:
    """The events of an order in the order of the log, each with the time since the first."""
    table = Table(title="Timeline", title_justify="left")
    for heading in ("ms", "event", "step"):
        table.add_column(heading, justify="right" if heading == "ms" else "left")
    for entry in entries:
        kind = str(entry["type"])
        colour = "red" if kind.endswith("Failed") else "green" if kind in _GOOD else ""
        table.add_row(
            _milliseconds(entries[0]["at"], entry["at"]),
            Text(kind, colour),
            str(entry["data"].get("step", "")),
        )
    return table


def _milliseconds(start: str | None, end: str | None) -> str:
    if start is None or end is None:
        return ""
    elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return f"{elapsed.total_seconds() * 1000:.0f}"
