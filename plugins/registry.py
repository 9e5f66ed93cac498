"""Finds the connectors: the modules of `plugins.connectors`, and installed ones by entry point."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from plugins.api import Connector, Example, Idempotency, Manifest, Options

GROUP = "waybill.connectors"
"""Entry points of connectors in other distributions: each names a module."""

MAX_TIMEOUT_S = 45.0
_OURS = "plugins.connectors"


class BadConnectorError(Exception):
    """A connector cannot be used; the message names it and the remedy."""

    code = "bad_connector"


class UnknownPluginError(Exception):
    """No connector has this name."""

    code = "unknown_plugin"


@dataclass(frozen=True, slots=True)
class OptionProblem:
    """One thing wrong with a plugin entry's options; `path` as in JSONPath, from the entry."""

    path: str
    message: str


class BadOptionsError(Exception):
    """Options that the connector does not take."""

    code = "bad_options"

    def __init__(self, plugin: str, problems: Sequence[OptionProblem]) -> None:
        said = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
        super().__init__(f"{plugin}: {said}")
        self.plugin = plugin
        self.problems = tuple(problems)


class Registry:
    """Connectors by name."""

    def __init__(
        self, modules: Iterable[ModuleType], distributions: Mapping[str, str] | None = None
    ) -> None:
        self._distributions = distributions or {}
        self._connectors: dict[str, Connector] = {}
        self._examples: dict[str, Sequence[Example]] = {}
        self._brought_by: dict[str, str] = {}
        for module in modules:
            self._add(module)

    @classmethod
    def found(cls) -> "Registry":
        """Of everything that is installed."""
        installed = list(_installed_modules())
        origins = {module.__name__: origin for module, origin in installed}
        return cls([*_own_modules(), *(module for module, _ in installed)], origins)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._connectors))

    def get(self, name: str) -> Connector:
        """The connector; `UnknownPluginError` suggests a name that is close."""
        connector = self._connectors.get(name)
        if connector is None:
            raise UnknownPluginError(f"no plugin is named {name!r}: {self._hint(name)}")
        return connector

    def examples(self, name: str) -> Sequence[Example]:
        """The scripted steps that the connector's module brings."""
        return self._examples.get(self.get(name).name, ())

    def distribution(self, name: str) -> str | None:
        """Name and version of the distribution that brings it; None: it comes with Waybill."""
        return self._brought_by.get(self.get(name).name)

    def validate_options(self, name: str, options: Mapping[str, Any]) -> Options:
        """The options as the connector's model; `BadOptionsError` gives the path of each fault."""
        model = self.get(name).manifest.options
        try:
            return model.model_validate(options)
        except ValidationError as error:
            problems = [_problem(model, fault) for fault in error.errors(include_url=False)]
            raise BadOptionsError(name, problems) from None

    def _hint(self, name: str) -> str:
        lowered = {known.lower(): known for known in self._connectors}
        close = get_close_matches(name.lower(), lowered, n=1)
        if close:
            return f"did you mean {lowered[close[0]]!r}?"
        return f"known are {', '.join(self.names())}"

    def _add(self, module: ModuleType) -> None:
        connector = _only_connector(module)
        check(connector, _file_name(module))
        other = self._connectors.get(connector.name)
        if other is not None and other is not connector:
            raise BadConnectorError(
                f"two connectors are named {connector.name!r}: rename that of {module.__name__}"
            )
        self._connectors[connector.name] = connector
        self._examples[connector.name] = getattr(module, "EXAMPLES", ())
        if module.__name__ in self._distributions:
            self._brought_by[connector.name] = self._distributions[module.__name__]


def check(connector: Connector, file_name: str) -> None:
    """Refuse a connector whose manifest promises what it does not keep."""
    faults = list(_faults(connector, file_name))
    if faults:
        raise BadConnectorError(f"connector {connector.name!r}: {'; '.join(faults)}")


def _faults(connector: Connector, file_name: str) -> Iterable[str]:
    manifest = connector.manifest
    if _plain(manifest.name) != _plain(file_name):
        yield f"its file is {file_name!r}: name both alike (calloutPlugin, callout_plugin.py)"
    if not 0 < manifest.timeout_s <= MAX_TIMEOUT_S:
        yield f"timeout_s is {manifest.timeout_s:g}: at most {MAX_TIMEOUT_S:g} is allowed"
    if manifest.idempotency is Idempotency.LOOK_UP and connector.look_up is None:
        yield "idempotency is look_up, but it has none: add one with @reconcile"
    yield from _faults_of_names(manifest)


def _faults_of_names(manifest: Manifest) -> Iterable[str]:
    if not manifest.summary or not manifest.service:
        yield "summary and service are shown to operators: give both"
    members = manifest.options.model_fields
    known = {*members, *(field.alias for field in members.values() if field.alias)}
    unknown = sorted(set(manifest.secrets) - known)
    if unknown:
        yield f"secrets names options that it does not have: {', '.join(unknown)}"


def _only_connector(module: ModuleType) -> Connector:
    found = {id(value): value for value in vars(module).values() if isinstance(value, Connector)}
    if len(found) != 1:
        raise BadConnectorError(
            f"{module.__name__} has {len(found)} connectors: "
            "a module or package has exactly one at its top level, made by @connector"
        )
    return next(iter(found.values()))


def _own_modules() -> Iterable[ModuleType]:
    package = importlib.import_module(_OURS)
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.startswith("_"):
            yield _imported(f"{_OURS}.{info.name}")


def _installed_modules() -> Iterable[tuple[ModuleType, str]]:
    for entry in entry_points(group=GROUP):
        origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        yield _imported(entry.value), origin


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        message = f"{name} cannot be imported: {type(error).__name__}: {error}"
        raise BadConnectorError(message) from error


def _file_name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _problem(model: type[Options], fault: Any) -> OptionProblem:
    path = "$.options" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]
    )
    message = str(fault["msg"])
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        known = [field.alias or name for name, field in model.model_fields.items()]
        close = get_close_matches(str(fault["loc"][0]), known, n=1)
        message = "unknown option"
        message += f": did you mean {close[0]!r}?" if close else f", known are {', '.join(known)}"
    return OptionProblem(path, message)
