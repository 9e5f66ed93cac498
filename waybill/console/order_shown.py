"""What a page shows of an order's steps and events: put together from what REST answers."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson

_Json: TypeAlias = Mapping[str, Any]

INLINE_CHARS = 120_000
"""Bodies of callouts on a page at most, the latest first; the others are a click away."""

_GOOD_STATUSES = range(200, 400)
_FIRST_BAR, _WHOLE = 0.6, 100.0
_SHORTEST_S = 0.001
_ENDED = frozenset({"complete", "failed", "cancelled"})

_EVENTS: Mapping[str, tuple[str, str]] = {
    "OrderAccepted": ("Accepted", "submitted"),
    "CommandReceived": ("Asked", "sent"),
    "CommandRejected": ("Command rejected", "rejected"),
    "StepStarted": ("Step announced", "started"),
    "StepSucceeded": ("Step succeeded", "succeeded"),
    "StepFailed": ("Attempt failed", "failed"),
    "StepInDoubt": ("Outcome unknown", "in_doubt"),
    "StepDeferred": ("Not sent yet", "deferred"),
    "StepSkipped": ("Nothing to do", "skipped"),
    "StepResolved": ("Step settled by a person", "resolved"),
    "RetryDue": ("Next attempt", "started"),
    "CompensationSucceeded": ("Step undone", "compensated"),
    "CompensationFailed": ("Undoing failed", "failed"),
    "OrderQueued": ("Queued", "queued"),
    "OrderReleased": ("Left its queue", "processing"),
    "OrderPaused": ("Paused", "paused"),
    "OrderResumed": ("Resumed", "processing"),
    "OrderAmended": ("Amended", "processing"),
    "OrderReopened": ("Reopened", "processing"),
    "OrderCancelled": ("Cancelled", "cancelled"),
    "MainPhaseCompleted": ("Main phase completed", "succeeded"),
    "OrderCompleted": ("Complete", "complete"),
    "OrderFailed": ("Run failed", "failed"),
}
"""What each event is called, and the state by whose colours it is shown."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in hundredths of the order's: of a step, or of one exchange in it."""

    start: float
    width: float
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One step of the waybill; `took_s` is None before its end."""

    step: _Json
    is_here: bool
    took_s: float | None
    bar: Bar | None
    exchanges: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Way:
    """The waybill as a picture; `first` and `last` are the ends of its axis, None before a step."""

    steps: Sequence[ShownStep]
    first: datetime | None
    last: datetime | None

    @property
    def took_s(self) -> float:
        """How long the axis is, in seconds."""
        if self.first is None or self.last is None:
            return 0.0
        return (self.last - self.first).total_seconds()


def way_of(order: _Json, callouts: Iterable[_Json], now: datetime) -> Way:
    """Each step with its stretch of the time from the first one on.

    The axis ends where the last step does; now, while there is one under way.
    """
    by_step: dict[str, list[_Json]] = {}
    for callout in callouts:
        by_step.setdefault(callout["step"], []).append(callout)
    span = _span(order, [one for found in by_step.values() for one in found], now)
    here = _here(order)
    steps = [
        ShownStep(
            step,
            step["id"] == here,
            _took(step),
            span.bar(step["started"], step["ended"]) if span else None,
            [span.exchange(one) for one in by_step.get(step["id"], ())] if span else (),
        )
        for step in order["steps"]
    ]
    if span is None:
        return Way(steps, None, None)
    return Way(steps, span.first, span.last)


def _span(order: _Json, callouts: Sequence[_Json], now: datetime) -> "_Span | None":
    steps = [step for step in order["steps"] if step["started"]]
    if not steps:
        return None
    first = min(_moment(step["started"]) for step in steps)
    ends = [_moment(step["ended"]) for step in steps if step["ended"]]
    is_open = order["status"] not in _ENDED and len(ends) < len(steps)
    ends += [_moment(callout["ended"]) for callout in callouts]
    return _Span(first, max([first, *ends, *([now] if is_open else [])]))


@dataclass(frozen=True, slots=True)
class _Span:
    first: datetime
    last: datetime

    def bar(self, started: str | None, ended: str | None) -> Bar | None:
        if started is None:
            return None
        return self._bar(_moment(started), _moment(ended) if ended else self.last, good=None)

    def exchange(self, callout: _Json) -> Bar:
        good = callout["status"] in _GOOD_STATUSES and not callout["error"]
        return self._bar(_moment(callout["at"]), _moment(callout["ended"]), good=good)

    def _bar(self, start: datetime, end: datetime, *, good: bool | None) -> Bar:
        seconds = max((self.last - self.first).total_seconds(), _SHORTEST_S)
        at = _WHOLE * (start - self.first).total_seconds() / seconds
        width = _WHOLE * (end - start).total_seconds() / seconds
        at = min(max(at, 0.0), _WHOLE - _FIRST_BAR)
        return Bar(round(at, 2), round(min(max(width, _FIRST_BAR), _WHOLE - at), 2), good)


def worded(event_type: str) -> tuple[str, str]:
    """What an event of that type is called, and the state by whose colours it is shown."""
    return _EVENTS.get(event_type, (event_type, "unknown"))


def events_shown(timeline: _Json) -> list[dict[str, Any]]:
    """The order's events in words, the latest first, each with what else is known of it."""
    return [_event(entry) for entry in reversed(timeline["items"])]


def callouts_of(timeline: _Json, records: _Json) -> list[dict[str, Any]]:
    """Every exchange with a partner, the latest first.

    Those of the timeline tell their step; who may not see them there sees what `records`, the
    process events, have of them.
    """
    found = [
        {**callout, "step": entry["data"]["step"], "run": entry["run"], "event": entry["id"]}
        for entry in timeline["items"]
        for callout in entry["data"].get("callouts") or ()
    ]
    if not found:
        found = [
            {**callout, "step": callout["plugin"], "run": record["run"], "event": None}
            for record in records["items"]
            for callout in record["callouts"]
        ]
    return [{**one, "n": n, "curl": curl(one)} for n, one in enumerate(found, start=1)][::-1]


def with_bodies(callouts: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The bodies in a readable form; of those beyond `most` characters only the length."""
    left, shown = most, []
    for callout in callouts:
        sides = {name: callout[name] for name in ("request", "response")}
        size = sum(len(side["text"]) for side in sides.values() if side)
        left -= size
        texts = {name: _readable(side) if left >= 0 else None for name, side in sides.items()}
        shown.append({**callout, "texts": texts, "is_left_out": left < 0})
    return shown


def curl(callout: _Json) -> str | None:
    """The request as a command line, with what is redacted as it was recorded; no credentials."""
    if callout["request"] is None:
        return None
    parts = ["curl", "-X", callout["method"], callout["url"]]
    parts += ["-H", "Authorization: Bearer $TOKEN"]
    if callout["key"]:
        parts += ["-H", f"Idempotency-Key: {callout['key']}"]
    text = callout["request"]["text"]
    if text:
        kind = "application/json" if _parsed(text) is not None else _FORM
        parts += ["-H", f"Content-Type: {kind}", "--data", text]
    return " ".join(shlex.quote(part) for part in parts).replace(
        "'Authorization: Bearer $TOKEN'", _AUTH
    )


_AUTH = '"Authorization: Bearer $TOKEN"'
_FORM = "application/x-www-form-urlencoded"


def _event(entry: _Json) -> dict[str, Any]:
    data = entry["data"]
    word, state = worded(entry["type"])
    rest = {
        name: value
        for name, value in data.items()
        if name not in {"callouts", "waybill"} and value not in (None, [], {})
    }
    return {
        **entry,
        "word": word,
        "state": state,
        "detail": _detail(data),
        "callouts": len(data.get("callouts") or ()),
        "data": rest,
    }


def _detail(data: _Json) -> str:
    """What an operator wants to know of the event, in one line."""
    failure = data.get("failure") or {}
    said = failure.get("message") or failure.get("buyer_message") or data.get("reason")
    code = failure.get("code") or data.get("code")
    parts = [
        data.get("kind"),
        data.get("step") or data.get("from_step"),
        f"attempt {data['attempt']}" if (data.get("attempt") or 1) > 1 else None,
        f"behind {data['behind']}" if data.get("behind") else None,
        f"stage {data['stage']}" if data.get("stage") else None,
        f"{said} ({code})" if said and code else said or code,
        data.get("completion"),
    ]
    return " · ".join(str(part) for part in parts if part)


def _here(order: _Json) -> str | None:
    """The step at which the order stands; None before and behind them all, and at its end."""
    if order["status"] in {"complete", "cancelled"}:
        return None
    error = order["error"] or {}
    if error.get("step"):
        return str(error["step"])
    for step in order["steps"]:
        if step["status"] in {"started", "waiting", "in_doubt", "compensating"}:
            return str(step["id"])
    left = (step["id"] for step in order["steps"] if step["status"] == "pending")
    return next(left, None)


def _took(step: _Json) -> float | None:
    if not step["started"] or not step["ended"]:
        return None
    return (_moment(step["ended"]) - _moment(step["started"])).total_seconds()


def _readable(side: _Json | None) -> str | None:
    if side is None:
        return None
    parsed = _parsed(side["text"])
    if parsed is None:
        return str(side["text"])
    return orjson.dumps(parsed, option=orjson.OPT_INDENT_2).decode()


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
