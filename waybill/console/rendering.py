"""Templates, and how moments, durations, numbers, JSON and states are written in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from waybill.console.assets import packaged
from waybill.console.states import state_of

NOTHING = "\N{EN DASH}"
"""What stands where there is no value."""

_NAMED = re.compile("`([^`]+)`")
_SECOND_MS, _MINUTE_S, _HOUR_S, _DAY_S = 1000, 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Rendering:
    """The templates of the console; `common` are names that all of them know."""

    common: Mapping[str, Any]

    def page(self, template: str, values: Mapping[str, Any]) -> str:
        """The whole page, or what stands in its frame where a fragment is asked for."""
        layout = "fragment.html" if values["visit"].is_fragment else "base.html"
        found = _environment().get_template(template)
        return found.render({**self.common, **values, "layout": layout})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("waybill.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        ago=ago,
        duration=duration,
        duration_ms=duration_ms,
        moment=moment,
        number=number,
        json=pretty_json,
        path=_path,
        prose=prose,
        unquoted=unquote,
    )
    environment.globals.update(asset=packaged().url, state_of=state_of, url=url, here=here)
    return environment


def url(to: str, /, **query: Any) -> str:
    """An address of ours with a query; what is None or empty is left out."""
    kept = [(name.rstrip("_"), value) for name, value in query.items() if value not in {None, ""}]
    return f"{to}?{urlencode(kept)}" if kept else to


@pass_context
def here(context: Context, **changed: Any) -> str:
    """The address of the page shown with some of its query changed; None takes a name out."""
    request = context["visit"].request
    query: dict[str, Any] = dict(parse_qsl(request.query_string))
    query.update({name.rstrip("_"): value for name, value in changed.items()})
    kept = {name: value for name, value in query.items() if value not in {None, ""}}
    return f"{request.path}?{urlencode(kept)}" if kept else str(request.path)


def _path(part: Any) -> str:
    """A value as one part of a path."""
    return quote(str(part), safe="")


def _read(given: str | datetime) -> datetime:
    found = datetime.fromisoformat(given) if isinstance(given, str) else given
    return found.astimezone(UTC)


def moment(given: str | datetime) -> str:
    """To the second, in UTC: `2026-03-01 10:15:30 UTC`."""
    return f"{_read(given):%Y-%m-%d %H:%M:%S} UTC"


@pass_context
def ago(context: Context, given: str | datetime) -> str:
    """Against now: `3 min ago`, `in 2 h`, `now`."""
    seconds = (context["now"] - _read(given)).total_seconds()
    if abs(seconds) < 1:
        return "now"
    told = _coarse(abs(seconds))
    return f"{told} ago" if seconds > 0 else f"in {told}"


def _coarse(seconds: float) -> str:
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def duration(seconds: float | None) -> str:
    """A length of time by its two largest units: `340 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return NOTHING
    if seconds < _MINUTE_S:
        return duration_ms(seconds * _SECOND_MS)
    for size, unit, smaller, its in (
        (_DAY_S, "d", _HOUR_S, "h"),
        (_HOUR_S, "h", _MINUTE_S, "min"),
        (_MINUTE_S, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = int(seconds % size // smaller)
            return f"{int(seconds // size)} {unit}" + (f" {rest} {its}" if rest else "")
    raise AssertionError("a minute is the smallest size")


def duration_ms(given: float | None) -> str:
    """As `duration`, of milliseconds."""
    if given is None:
        return NOTHING
    if given < _SECOND_MS:
        return f"{given:.0f} ms" if given >= 1 or given == 0 else f"{given:.1f} ms"
    if given < _MINUTE_S * _SECOND_MS:
        return f"{given / _SECOND_MS:.1f} s"
    return duration(given / _SECOND_MS)


def number(given: float | None, places: int = 0) -> str:
    """With thousands parted: `12,345`."""
    return NOTHING if given is None else f"{given:,.{places}f}"


def prose(text: str) -> Markup:
    """A text of the code's, which puts names into backticks."""
    return Markup().join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(_NAMED.split(text))
    )


def pretty_json(value: Any) -> str:
    """Indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
