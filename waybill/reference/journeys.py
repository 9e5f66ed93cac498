"""The reference page about journeys: what each plugin does with an order of each type.

Its source are the connectors themselves: their examples are performed, and the functions that
take part are read for the options that they look at and the errors that they may end in.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeAlias

from plugins.api import Connector, Conversation, Done, Example, Reply, Request
from plugins.registry import Registry
from schemas.orders import ORDER_TYPES
from waybill.reference.markdown import code, page, table

_ANY = "any"
_SHIPPED = "plugins.connectors."
_WATCHED = (str(Path("plugins") / "connectors"), str(Path("plugins") / "journeys.py"))
# Numbers and ids in a path: ours are capitals and digits, the partners' are hexadecimal.
_NUMBER = re.compile(
    r"(?<=/)(?:[A-Z0-9][A-Z0-9-]{5,}|[A-Z]{1,2}-[A-Z0-9-]+|id-\w+|(?:pm|sub|cus|pi|price)_\w+"
    r"|[0-9a-f]{32}|[A-Za-z0-9]{15,18})"
    r"(?=/|$)"
)
_CODE_AT: Mapping[str, int] = {"Failed": 1, "unfit": 0, "overtaken": 0, "Unknown": 0}
"""Where the code stands among the arguments."""

_Place: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class _Told:
    """What is known of one plugin and one order type. `takes`: it does something with them."""

    calls: list[str] = field(default_factory=list)
    options: set[str] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)
    by_type: bool = False
    takes: bool = False


def journeys() -> str:
    """The page."""
    registry = Registry.found()
    shipped = [one for one in map(registry.get, registry.names()) if _is_ours(one)]
    told = {one.name: _told(one, registry.examples(one.name)) for one in shipped}
    sections = [_section(name, told) for name in (*ORDER_TYPES, _ANY)]
    return page(
        "Journeys",
        "What becomes of an order of each type in each plugin. The calls are those of the "
        "connectors' examples, in the order in which they first occur: not every order makes all "
        "of them. `{...}` stands for a number or an id. `options` are those that the code looks "
        "at on that way, `errors` those of our own that it may end in, besides the partner's "
        "codes and what holds for every step ([error codes](error-codes.md)).",
        "In the overview: how many kinds of call there are; `nothing` where the plugin has nothing "
        "to do, `no` where it refuses orders of the type, `any` where the type does not matter.",
        "The files under `tests/journeys` tell each journey from what was before to what the "
        "partners hold at the end; they are run by the tests.",
        _overview(told),
        *sections,
    )


def _overview(told: Mapping[str, Mapping[str, _Told]]) -> str:
    rows = [
        (
            f"[{name}](#{name})",
            *(_mark(by_type, name) for by_type in told.values()),
        )
        for name in ORDER_TYPES
    ]
    return table(("order type", *told), rows)


def _mark(by_type: Mapping[str, _Told], order_type: str) -> str:
    """How many kinds of call; `any`: whatever the type; `no`: refused."""
    known = by_type.get(order_type)
    if known is None:
        return "any"
    if not known.takes:
        return "no"
    return f"{len(known.calls)}" if known.calls else "nothing"


def _section(order_type: str, told: Mapping[str, Mapping[str, _Told]]) -> str:
    rows = [
        (
            f"[{plugin}](connectors.md#{plugin.lower()})",
            "<br>".join(map(code, known.calls)) or "none",
            ", ".join(map(code, sorted(known.options))),
            ", ".join(map(code, sorted(known.errors))),
        )
        for plugin, by_type in told.items()
        if (known := by_type.get(order_type)) is not None and known.calls
    ]
    if not rows:
        return ""
    title = "Whatever the type" if order_type == _ANY else order_type
    return f"## {title}\n\n" + table(("plugin", "calls", "options", "errors"), rows)


def _told(connector: Connector, examples: Sequence[Example]) -> dict[str, _Told]:
    found: dict[str, _Told] = defaultdict(_Told)
    for example in examples:
        order_type = str(example.step.order.get("order_type", _ANY))
        _perform(connector, example, found["new" if order_type == "submitted" else order_type])
    if not any(one.by_type for one in found.values()):
        return {_ANY: _together(found.values())}
    for order_type in ORDER_TYPES:
        if order_type not in found:
            for example in examples:
                _perform(connector, _as(order_type, example), found[order_type])
    return dict(found)


def _together(told: Iterable[_Told]) -> _Told:
    both = _Told(takes=True)
    for one in told:
        both.calls += [call for call in one.calls if call not in both.calls]
        both.options |= one.options
        both.errors |= one.errors
    return both


def _as(order_type: str, example: Example) -> Example:
    """The example with an order of another type, where the connector shows none of that one."""
    order = {**example.step.order, "order_type": order_type}
    return replace(example, step=replace(example.step, order=order))


def _perform(connector: Connector, example: Example, told: _Told) -> None:
    """Has the example's conversation, and notes what it asks and which functions take part."""
    places: set[_Place] = set()
    talk = connector.perform(example.step)
    for request in _watched(places, lambda: list(_asked(talk, example, told))):
        call = f"{request.method} {_NUMBER.sub('{...}', request.path)}"
        if call not in told.calls:
            told.calls.append(call)
    fields = connector.manifest.options.model_fields
    for file, line in places:
        looked_at, errors, by_type = _functions(file).get(line, ((), (), False))
        told.options |= {fields[name].alias or name for name in looked_at if name in fields}
        told.errors |= set(errors)
        told.by_type = told.by_type or by_type


def _asked(talk: Conversation, example: Example, told: _Told) -> Iterator[Request]:
    """Until its end, or until it asks for what the example does not answer."""
    given: dict[str, int] = defaultdict(int)
    try:
        request = next(talk)
        while True:
            yield request
            reply = _reply(example, request, given)
            if reply is None:
                told.takes = True
                return
            request = talk.send(reply)
    except StopIteration as end:
        told.takes = told.takes or isinstance(end.value, Done)


def _reply(example: Example, request: Request, given: dict[str, int]) -> Reply | None:
    key = request.call or f"{request.method} {request.path}"
    scripted = example.replies.get(key)
    if scripted is None or isinstance(scripted, Reply):
        return scripted
    given[key] += 1
    return scripted[min(given[key], len(scripted)) - 1]


def _watched(places: set[_Place], work: Callable[[], Sequence[Request]]) -> Sequence[Request]:
    """The work's result; into `places` goes every function of a connector that it enters."""

    def entered(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and any(part in frame.f_code.co_filename for part in _WATCHED):
            places.add(_place(frame.f_code))

    sys.setprofile(entered)
    try:
        return work()
    finally:
        sys.setprofile(None)


def _place(entered: CodeType) -> _Place:
    return entered.co_filename, entered.co_firstlineno


@cache
def _functions(file: str) -> Mapping[int, tuple[tuple[str, ...], tuple[str, ...], bool]]:
    """By the line where it begins: the options, error codes and order types that it is about."""
    found = {}
    for node in ast.walk(ast.parse(Path(file).read_text())):
        if isinstance(node, ast.FunctionDef):
            line = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            inner = list(ast.walk(node))
            options = tuple(name for one in inner if (name := _option(one)))
            errors = tuple(name for one in inner for name in _codes(one))
            by_type = any(isinstance(n, ast.Constant) and n.value == "order_type" for n in inner)
            found[line] = (options, errors, by_type)
    return found


def _option(node: ast.AST) -> str | None:
    """`options.name`, or `step.options.name`."""
    if not isinstance(node, ast.Attribute):
        return None
    holder = node.value
    named = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
    return node.attr if named == "options" else None


def _codes(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    place = _CODE_AT.get(getattr(node.func, "id", ""))
    if place is not None and len(node.args) > place:
        told = node.args[place]
        if isinstance(told, ast.Constant) and isinstance(told.value, str):
            yield told.value


def _is_ours(connector: Connector) -> bool:
    return connector.perform.__module__.startswith(_SHIPPED)
