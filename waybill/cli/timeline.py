"""An order for people: its steps with durations, attempts, callouts and errors."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from rich.console import Group, RenderableType
from rich.text import Text

from waybill.cli.output import plain, table

_Json: TypeAlias = Mapping[str, Any]

ENDS = frozenset({"complete", "completed", "failed", "cancelled"})

_GLYPHS = {
    "pending": ("·", "dim"),
    "started": ("▸", "cyan"),
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
    "in_doubt": ("?", "yellow"),
    "waiting": ("…", "yellow"),
    "compensating": ("↶", "yellow"),
    "compensated": ("↶", "magenta"),
    "compensation_failed": ("✗", "red"),
}
_STATUS_COLOURS = {
    "complete": "green",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
    "in_doubt": "yellow",
    "waiting": "yellow",
    "paused": "yellow",
}
_FIRST_ERROR_STATUS = 400


def status_text(status: Any) -> Text:
    """The status in its colour."""
    return Text(plain(status), _STATUS_COLOURS.get(str(status), "cyan"))


def order_view(order: _Json, entries: Iterable[_Json]) -> RenderableType:
    """The whole order; `entries` are its timeline."""
    results = _results(entries)
    lines: list[RenderableType] = [*_head(order), Text()]
    for phase in ("main", "post"):
        steps = [step for step in order.get("steps", ()) if step.get("phase") == phase]
        if phase == "post" and steps:
            lines.append(Text("after the main phase", "dim"))
        for step in steps:
            lines += _step(step, results.get(str(step.get("id")), ()))
    lines += [Text(), *_end(order)]
    return Group(*lines)


def orders_table(orders: Iterable[_Json]) -> RenderableType:
    """One row per order."""
    return table(
        *("status", "id", "type", "external id", "stage", "created", "error"),
        rows=(
            (
                status_text(order["status"]),
                order["id"],
                order.get("order_type"),
                order.get("external_id"),
                order.get("stage"),
                _clock(order.get("created")),
                (order.get("error") or {}).get("code"),
            )
            for order in orders
        ),
    )


def entry_line(entry: _Json) -> Text:
    """One event of the timeline."""
    data = entry.get("data") or {}
    kind = str(entry.get("type"))
    bad = any(word in kind for word in ("Failed", "InDoubt", "Rejected", "Cancelled"))
    colour = "red" if bad else "green" if kind.endswith(("Succeeded", "Completed")) else ""
    line = Text.assemble((f"{_clock(entry.get('at'))}  ", "dim"), (f"{plain(kind):<21}", colour))
    if entry.get("order"):
        line.append(f" {plain(entry['order'])}")
    if data.get("step"):
        line.append(f" {plain(data['step'])}", "bold")
    failure = data.get("failure") or {}
    said = failure.get("message") or failure.get("buyer_message") or data.get("reason")
    if kind == "CommandReceived":
        line.append(f" {plain(data.get('kind'))}", "bold")
        line.append(f" by {plain(entry.get('actor'))}", "cyan")
    if said:
        line.append(f"  {plain(said)}", colour)
    if data.get("code"):
        line.append(f" ({plain(data['code'])})", colour)
    return line


def duration(started: Any, ended: Any) -> str:
    """`12 ms`, `3.4 s` or `2 min 5 s`; nothing while an end is open."""
    if not started or not ended:
        return ""
    seconds = (_moment(ended) - _moment(started)).total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{seconds:.1f} s"


def _head(order: _Json) -> Iterator[Text]:
    yield Text.assemble((plain(order["id"]), "bold"), "  ", status_text(order["status"]))
    facts = [order.get("order_type"), order.get("mode"), order.get("order_reference")]
    labels = ("external_id", "subscriptionReference")
    facts += [f"{label} {order[label]}" for label in labels if order.get(label)]
    yield Text(", ".join(plain(fact) for fact in facts if fact), "dim")
    when = f"accepted {_clock(order.get('created'))}, configuration {order.get('config_version')}"
    took = duration(order.get("created"), order.get("updated"))
    ended = str(order["status"]) in ENDS and took
    yield Text(plain(f"{when}, {took} to its end" if ended else when), "dim")


def _step(step: _Json, results: Iterable[_Json]) -> Iterator[Text]:
    glyph, colour = _GLYPHS.get(str(step.get("status")), ("·", ""))
    line = Text.assemble((f"  {glyph} ", colour), (f"{plain(step.get('id')):<24}", "bold"))
    line.append(f"{plain(step.get('status')):<10}", colour)
    line.append(f"{duration(step.get('started'), step.get('ended')):>9}")
    notes = [] if step.get("name") == step.get("id") else [plain(step.get("name"))]
    notes += [] if step.get("critical", True) else ["not critical"]
    attempts = step.get("attempts") or 0
    notes += [f"{attempts} attempts"] if attempts > 1 else []
    notes += [f"again at {_clock(step['next_attempt'])}"] if step.get("next_attempt") else []
    notes += [f"waits for {plain(step['deferred_by'])}"] if step.get("deferred_by") else []
    line.append(f"   {', '.join(notes)}".rstrip(), "dim")
    yield line
    for data in results:
        yield from _result(data)


def _result(data: _Json) -> Iterator[Text]:
    for callout in data.get("callouts") or ():
        status, error = callout.get("status"), callout.get("error")
        bad = error or status is None or status >= _FIRST_ERROR_STATUS
        line = Text.assemble(("      ", ""), (f"{plain(callout.get('method')):<6}", "dim"))
        line.append(f"{plain(status or 'no answer')}", "red" if bad else "green")
        line.append(f"{callout.get('duration_ms', 0):>7.0f} ms", "dim")
        line.append(f"  {plain(callout.get('url'))}", "dim")
        line.append(f"  {plain(error)}" if error else "", "red")
        yield line
    failure = data.get("failure")
    if failure:
        said = failure.get("message") or failure.get("buyer_message")
        yield Text(f"      {plain(failure.get('code'))}: {plain(said)}", "red")
    if data.get("reason"):
        yield Text(f"      {plain(data['reason'])}", "dim")
    output = data.get("output") or {}
    for warning in output.get("warnings") or ():
        yield Text(f"      {plain(warning)}", "yellow")
    left = output.get("follow_up")
    if left:
        yield Text(
            f"      to do: {plain(left.get('message'))} ({plain(left.get('code'))})", "yellow"
        )


def _end(order: _Json) -> Iterator[Text]:
    error = order.get("error")
    if error:
        said = error.get("message") or error.get("buyer_message")
        yield Text(f"  {plain(error.get('code'))}: {plain(said)}", "red")
    for command in order.get("pending_commands") or ():
        step = f" {plain(command['step'])}" if command.get("step") else ""
        yield Text(f"  asked: {plain(command['kind'])}{step}, not answered yet", "yellow")
    if order.get("completion"):
        yield Text(f"  {plain(order['completion'])}", "green")
    action = order.get("next_action")
    if action and action != "none":
        yield Text(f"  next: {plain(action)}", "cyan")


def _results(entries: Iterable[_Json]) -> dict[str, list[_Json]]:
    """What the events of the timeline say about each step."""
    by_step: dict[str, list[_Json]] = {}
    for entry in entries:
        data = entry.get("data") or {}
        if data.get("step") and str(entry.get("type")).startswith(("Step", "Compensation")):
            by_step.setdefault(str(data["step"]), []).append(data)
    return by_step


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def _clock(text: Any) -> str:
    return f"{_moment(text):%Y-%m-%d %H:%M:%S}Z" if text else ""
