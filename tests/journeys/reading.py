"""Reads journey files: YAML in, journeys and their cases out. README.md describes the form."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.journeys.matching import ABSENT, Has, Like, Not, Only

HERE = Path(__file__).parent
FIRST_DAY = "2026-03-01"

_NAMED = re.compile(r"\$\{([^}\n]+)\}")
_EXPECTED = ("outcome", "error", "calls", "output", "outputs", "state", "events", "later")
_ABOUT = ("about", "plugin", "sequence", "post", "overrides", "retry", "on_unknown")
_MEMBERS = {"title", "today", "options", "given", "order", "trouble", *_EXPECTED, *_ABOUT}
_OF_FILES = {*_MEMBERS, "cases", "undisturbed", "troubled"}


class _Loader(yaml.SafeLoader):
    """Dates stay texts, and `on` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, test) for tag, test in known if not tag.endswith((":timestamp", ":bool"))]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
_Loader.add_constructor("!like", lambda loader, node: Like(loader.construct_scalar(node)))
_Loader.add_constructor("!has", lambda loader, node: Has(_constructed(loader, node)))
_Loader.add_constructor("!only", lambda loader, node: Only(_constructed(loader, node)))
_Loader.add_constructor("!not", lambda loader, node: Not(_constructed(loader, node)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Requests that match `at` are met so, `times` times (None: always)."""

    at: str
    how: str | Mapping[str, Any]
    times: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One order's way, as a file or one of its cases tells it. `expected`: what stands there."""

    name: str
    case: str | None
    title: str
    about: str
    today: str
    configuration: Mapping[str, Any]
    plugin: str
    given: tuple[Mapping[str, Any], ...]
    order: Mapping[str, Any]
    trouble: tuple[Trouble, ...]
    expected: Mapping[str, Any]
    undisturbed: str | None = None
    troubled: Mapping[str, str] = field(default_factory=dict)

    @property
    def external_id(self) -> str:
        """Another one for each case, so that all derived numbers differ."""
        return self.name if self.case is None else f"{self.name}: {self.case}"

    @property
    def outcome(self) -> str:
        """How the order is to end."""
        named = self.expected.get("outcome")
        return str(named or ("failed" if "error" in self.expected else "completed"))

    def disturbed(self, trouble: Trouble) -> "Journey":
        """The same with this trouble on its way."""
        return replace(self, trouble=(trouble,))


def files() -> list[Path]:
    """All journey files."""
    return sorted(
        path for path in HERE.glob("*/*.yaml") if not path.parent.name.startswith(("_", "."))
    )


@cache
def journeys(path: Path) -> tuple[Journey, ...]:
    """The file's journey, then its cases."""
    told = _read(path)
    _check(path, told, _OF_FILES)
    name = f"{path.parent.name}/{path.stem}"
    first = _journey(name, None, told)
    return (first, *(_case(path, name, told, case) for case in told.get("cases", ())))


def journey(name: str) -> Journey:
    """The journey of the file, by its path below this directory."""
    return journeys(HERE / f"{name}.yaml")[0]


def merged(base: Any, over: Any) -> Any:
    """Objects member by member, all else as a whole; `<absent>` removes a member."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    both = {**base, **{name: merged(base.get(name), value) for name, value in over.items()}}
    return {name: value for name, value in both.items() if value != ABSENT}


def _case(path: Path, name: str, told: Mapping[str, Any], case: Mapping[str, Any]) -> Journey:
    _check(path, case, _MEMBERS)
    kept = {member: told[member] for member in told if member not in (*_EXPECTED, "cases")}
    for member in ("order", "options"):
        kept[member] = merged(kept.get(member, {}), case.get(member, {}))
    changed = {member: case[member] for member in case if member not in {"order", "options"}}
    return _journey(name, case["title"], {**kept, **changed})


def _journey(name: str, case: str | None, told: Mapping[str, Any]) -> Journey:
    plugin = told.get("plugin", "zuora")
    order = {
        "order_type": name.partition("/")[0],
        "mode": "production",
        "external_id": name if case is None else f"{name}: {case}",
        **_liked(told["order"]),
    }
    return Journey(
        name=name,
        case=case,
        title=told["title"],
        about=told.get("about", ""),
        today=told.get("today", FIRST_DAY),
        configuration=_configuration(plugin, told),
        plugin=plugin,
        given=tuple(_liked(told.get("given") or [])),
        order=order,
        trouble=tuple(_troubles(told.get("trouble", ()))),
        expected={member: told[member] for member in _EXPECTED if member in told},
        undisturbed=told.get("undisturbed"),
        troubled=told.get("troubled", {}),
    )


def _configuration(plugin: str, told: Mapping[str, Any]) -> dict[str, Any]:
    sequence = copy.deepcopy(told.get("sequence") or [{"name": plugin}])
    for entry in sequence:
        if plugin in (entry.get("id"), entry["name"]):
            entry["options"] = merged(entry.get("options", {}), told.get("options", {}))
            more = {name: told[name] for name in ("retry", "on_unknown") if name in told}
            entry.update(more)
    others = {name: told[name] for name in ("post", "overrides") if name in told}
    return {"version": 1, "sequence": sequence, **others}


def _troubles(told: Any) -> Iterator[Trouble]:
    for one in [told] if isinstance(told, Mapping) else told:
        times = one.get("times", 1)
        yield Trouble(at=one["at"], how=one["how"], times=None if times == "always" else times)


def _liked(told: Any) -> Any:
    """With every `like` replaced by what it names."""
    if isinstance(told, list):
        return [_liked(one) for one in told]
    if not isinstance(told, Mapping):
        return told
    rest = {name: _liked(value) for name, value in told.items() if name != "like"}
    if "like" not in told:
        return rest
    return merged(_liked(_read(HERE / "_orders" / f"{told['like']}.yaml")), rest)


def _read(path: Path) -> Any:
    # Braces mean something else to YAML; in brackets `${...}` may stand without quotes.
    text = _NAMED.sub(r"$⟨\1⟩", path.read_text())
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as problem:
        raise ValueError(f"{path}: {problem}") from None


def _check(path: Path, told: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(told) - known)
    if unknown or "title" not in told:
        raise ValueError(f"{path}: {', '.join(unknown)} unknown" if unknown else f"{path}: title?")


def _constructed(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    match node:
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case _:
            return loader.construct_object(yaml.ScalarNode(_resolved(loader, node), node.value))


def _resolved(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    return str(loader.resolve(yaml.ScalarNode, node.value, (True, False)))
