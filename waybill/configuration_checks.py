"""What is wrong with a configuration although its shape is right."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

from pydantic import ValidationError

from plugins.api import Connector, Options
from schemas.configuration import Configuration, Override, PluginEntry
from schemas.connections import Connections
from schemas.expressions import compiled
from schemas.orders import ORDER_TYPES
from schemas.steps import OnUnknown
from streams.core.sequence import all_entries, specificity, step_ids
from waybill.documents import did_you_mean, findings_of, pointer
from waybill.findings import Finding, Severity

Path: TypeAlias = tuple[str | int, ...]

MODES = ("production", "test")
RESERVED_IDS = frozenset({"orderId", "tenant", "stepId"})
"""Members that a callout puts beside the outputs in `context`."""

_SERVER_ERRORS = (500, 502, 503, 504)
_AXES = ("order_type", "processing_type", "offer_type")


class Catalogue(Protocol):
    """What is asked of the registry of connectors."""

    def names(self) -> Iterable[str]:
        """The names of all plugins."""

    def get(self, name: str) -> Connector:
        """The connector of that name."""


def configuration_findings(configuration: Configuration, catalogue: Catalogue) -> Iterator[Finding]:
    """All findings of one configuration; paths begin at its root."""
    yield from _order_type_findings(configuration)
    names = sorted(catalogue.names())
    for path, entry in placed_entries(configuration):
        yield from _reserved(path, entry)
        if entry.name not in names:
            remedy = did_you_mean(entry.name, names) or f"use one of {', '.join(names)}"
            message = f"there is no plugin {entry.name!r}"
            yield _error("unknown_plugin", (*path, "name"), message, remedy)
        else:
            yield from _entry_findings(path, entry, catalogue.get(entry.name))
    yield from _empty_findings(configuration)
    yield from _override_findings(configuration)
    yield from _id_findings(configuration)
    yield from _reference_findings(configuration)


def connection_findings(
    tenant: str, configuration: Configuration, catalogue: Catalogue, connections: Connections
) -> Iterator[Finding]:
    """Plugins whose connection is missing in a mode, each connection once."""
    named = set()
    for path, entry in placed_entries(configuration):
        name = connection_for(catalogue, entry)
        if name is None or name in named:
            continue
        named.add(name)
        missing = [m for m in MODES if not _connected(connections, tenant, m, name)]
        if urlsplit(str(entry.options.get("endpoint"))).netloc and "production" in missing:
            missing.remove("production")  # an absolute endpoint is called without credentials
        if missing:
            modes = " and ".join(missing)
            yield _warning(
                "connection_missing",
                path,
                f"{entry.name!r} needs the connection {name!r}, which the tenant {tenant!r} lacks"
                f" in mode {modes}: such orders are refused",
                f"add {name!r} under {modes} of the connections, or remove the plugin",
            )


def connection_for(catalogue: Catalogue, entry: PluginEntry) -> str | None:
    """The connection that an entry needs: its endpoint's host, else its connector's."""
    if entry.name not in set(catalogue.names()):
        return None
    manifest = catalogue.get(entry.name).manifest
    try:
        options = manifest.options.model_validate(entry.options)
    except ValidationError:
        return None
    endpoint = manifest.endpoint(options) if manifest.endpoint else None
    return urlsplit(endpoint).netloc if endpoint else manifest.connection_name


def placed_entries(configuration: Configuration) -> Iterator[tuple[Path, PluginEntry]]:
    """Every plugin entry with its path."""
    holders: list[tuple[Path, Configuration | Override]] = [((), configuration)]
    holders += [(("overrides", n), o) for n, o in enumerate(configuration.overrides)]
    for path, holder in holders:
        for phase, entries in (("sequence", holder.sequence), ("post", holder.post)):
            for index, entry in enumerate(entries or ()):
                yield (*path, phase, index), entry


def _connected(connections: Connections, tenant: str, mode: str, name: str) -> bool:
    host = urlsplit(f"//{name}").hostname or name
    return any(connections.find(tenant, mode, one) is not None for one in (name, host))


def _empty_findings(configuration: Configuration) -> Iterator[Finding]:
    if not configuration.sequence and not configuration.post:
        message = "orders for which no override gives a sequence are refused"
        remedy = "give it the plugins that such orders pass"
        yield _warning("empty_sequence", ("sequence",), message, remedy)


def _order_type_findings(configuration: Configuration) -> Iterator[Finding]:
    for index, name in enumerate(configuration.order_types):
        if name in (*ORDER_TYPES, "submitted"):
            message = f"{name!r} is an order type of its own accord"
            yield _warning("known_order_type", ("order_types", index), message, "remove it")
    known = (*ORDER_TYPES, "submitted", *configuration.order_types)
    for index, override in enumerate(configuration.overrides):
        for name in override.order_type or ():
            if name not in known:
                path = ("overrides", index, "order_type")
                remedy = did_you_mean(name, known) or "declare it in order_types"
                message = f"there is no order type {name!r}"
                yield _error("unknown_order_type", path, message, remedy)


def _entry_findings(path: Path, entry: PluginEntry, connector: Connector) -> Iterator[Finding]:
    options, given = connector.manifest.options, None
    try:
        given = options.model_validate(entry.options)
    except ValidationError as error:
        known = [field.alias or name for name, field in options.model_fields.items()]
        for found in findings_of(error, entry.options, (*path, "options"), known):
            yield replace(found, code=f"option_{found.code}")
    if entry.on_unknown is OnUnknown.LOOK_UP and connector.look_up is None:
        yield _error(
            "no_look_up",
            (*path, "on_unknown"),
            f"{entry.name!r} cannot look up what became of a request",
            "use 'repeat', 'rest' or 'fail'",
        )
    if entry.compensate and not _undoes(connector, given):
        yield _error(
            "no_compensation",
            (*path, "compensate"),
            f"{entry.name!r} cannot undo what it did",
            "leave it out: such a step keeps standing when its order is cancelled"
            if connector.compensation is None
            else "give it the options that say how",
        )
    yield from _reject_findings(path, entry)


def _undoes(connector: Connector, options: Options | None) -> bool:
    """Whether what such a step does can be undone; with wrong options that is not the question."""
    if connector.compensation is None:
        return False
    undoes = connector.manifest.undoes
    return undoes is None or options is None or undoes(options)


def _reject_findings(path: Path, entry: PluginEntry) -> Iterator[Finding]:
    """A given list is exactly the list of failures, so what it leaves out passes."""
    rejecting = entry.options.get("shouldRejectOn")
    given = rejecting.get("status") if isinstance(rejecting, dict) else None
    listed = given if isinstance(given, list) else None
    if listed is None and entry.options.get("limioCompatible") is not True:
        return
    passing = [str(status) for status in _SERVER_ERRORS if status not in (listed or ())]
    if passing:
        where = ("shouldRejectOn", "status") if listed is not None else ("limioCompatible",)
        yield _warning(
            "server_errors_pass",
            (*path, "options", *where),
            f"replies {', '.join(passing)} pass as success",
            "list them as well, or leave the list out: then every status from 400 fails",
        )


def _reserved(path: Path, entry: PluginEntry) -> Iterator[Finding]:
    if (entry.id or entry.name) in RESERVED_IDS:
        message = f"{entry.id!r} is taken: callouts send a member of that name beside the outputs"
        yield _error("reserved_id", (*path, "id"), message, "choose another id")


def _override_findings(configuration: Configuration) -> Iterator[Finding]:
    entries = list(all_entries(configuration))
    names = {entry.name for entry in entries} | set(_all_ids(configuration))
    for index, override in enumerate(configuration.overrides):
        path: Path = ("overrides", index)
        if override.sequence is None and override.post is None and override.exclude is None:
            remedy = "give it a sequence, a post or an exclude, or remove it"
            yield _error("idle_override", path, "the override changes nothing", remedy)
        if not any(getattr(override, axis) for axis in _AXES):
            remedy = f"name at least one of {', '.join(_AXES)}"
            yield _warning("broad_override", path, "the override holds for every order", remedy)
        for name in override.exclude or ():
            if name not in names:
                message = f"{name!r} is neither a plugin nor a step of this configuration"
                remedy = did_you_mean(name, names) or "remove it"
                yield _warning("idle_exclude", (*path, "exclude"), message, remedy)
    yield from _rival_findings(configuration)


def _rival_findings(configuration: Configuration) -> Iterator[Finding]:
    for (first, one), (second, other) in combinations(enumerate(configuration.overrides), 2):
        if specificity(one) != specificity(other) or not _overlap(one, other):
            continue
        for phase in ("sequence", "post"):
            if getattr(one, phase) is not None and getattr(other, phase) is not None:
                yield _error(
                    "rival_overrides",
                    ("overrides", second, phase),
                    f"overrides {first} and {second} are equally specific and both give {phase!r}"
                    " to the same orders",
                    "let their values differ, or name one more axis in one of them",
                )


def _overlap(one: Override, other: Override) -> bool:
    return all(
        getattr(one, axis) is None or _plain(getattr(one, axis)) & _plain(getattr(other, axis))
        for axis in _AXES
    )


def _plain(values: Sequence[str]) -> set[str]:
    return {"new" if value == "submitted" else value for value in values}


def _id_findings(configuration: Configuration) -> Iterator[Finding]:
    """Explicit ids that another step of the same waybill has: they would silently change."""
    paths = {id(entry): path for path, entry in placed_entries(configuration)}
    told = set()
    for entries in _waybills(configuration):
        for entry, chosen in zip(entries, step_ids(entries), strict=True):
            if entry.id is not None and chosen != entry.id and id(entry) not in told:
                told.add(id(entry))
                message = f"another step already has the id {entry.id!r}"
                path = (*paths[id(entry)], "id")
                yield _error("duplicate_id", path, message, "choose another id")


def _reference_findings(configuration: Configuration) -> Iterator[Finding]:
    """Expressions that read the output of a step which this configuration does not have."""
    ids = _all_ids(configuration)
    for path, entry in placed_entries(configuration):
        given: dict[tuple[str, ...], str | None] = {("when",): entry.when}
        given |= {("map", name): text for name, text in (entry.map or {}).items()}
        for below, text in given.items():
            for name in _outputs_read(compiled(text).parsed if text else {}):
                if name not in ids:
                    message = f"the expression reads context.{name}, but no step has that id"
                    remedy = did_you_mean(name, ids) or f"the ids are {', '.join(sorted(ids))}"
                    yield _warning("unknown_step", (*path, *below), message, remedy)


def _outputs_read(node: Any) -> Iterator[str]:
    children = node.get("children", []) if isinstance(node, dict) else []
    if len(children) > 1 and node.get("type") == "subexpression":
        first, second = children[:2]
        if first == {"type": "field", "children": [], "value": "context"}:
            yield from [second["value"]] if second.get("type") == "field" else []
    for child in children:
        yield from _outputs_read(child)


def _all_ids(configuration: Configuration) -> set[str]:
    return {one for entries in _waybills(configuration) for one in step_ids(entries)}


def _waybills(configuration: Configuration) -> Iterator[list[PluginEntry]]:
    """The entries that one override leads to, and those of the default."""
    for override in (Override(), *configuration.overrides):
        main = configuration.sequence if override.sequence is None else override.sequence
        post = configuration.post if override.post is None else override.post
        yield [*main, *post]


def _made(severity: Severity) -> Callable[[str, Path, str, str], Finding]:
    def make(code: str, path: Path, message: str, remedy: str) -> Finding:
        where = pointer(path)
        return Finding(code=code, path=where, message=message, remedy=remedy, severity=severity)

    return make


_error = _made(Severity.ERROR)
_warning = _made(Severity.WARNING)
