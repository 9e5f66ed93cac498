"""Configuration and order to waybill: which plugins an order passes, with which items."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson

from schemas.configuration import Configuration, Override, PluginEntry
from schemas.expressions import evaluated, fields
from schemas.steps import OnUnknown, Phase, Retry, WaybillStep
from streams.core.retry import CRITICAL, NON_CRITICAL

STANDARD = "standard"
# Axes are texts of the orders, so their variety is not ours to bound.
_MOST_RESOLVED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFacts:
    """What sequencing knows about a plugin, from its connector's manifest.

    `on_unknown` is the default treatment of unknown outcomes. `connection` is the name of the
    connection that an order's mode must offer, or None where the plugin needs none. `reads` are
    the members of the order that it looks at; None means any.
    """

    name: str
    service: str
    on_unknown: OnUnknown
    connection: str | None
    reads: tuple[str, ...] | None = None


Plugins: TypeAlias = Mapping[str, PluginFacts]


@dataclass(frozen=True, slots=True)
class Resolution:
    """An order's waybill, and the axes that led to it."""

    axes: Mapping[str, str]
    waybill: tuple[WaybillStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The entries of one combination of axes, before anything is excluded.

    `main_by` and `post_by` are the indexes of the overrides that give them, None where they are
    the default. `fitting` are all overrides that match, the most specific first.
    """

    main: list[PluginEntry]
    post: list[PluginEntry]
    main_by: int | None
    post_by: int | None
    fitting: tuple[int, ...]

    def steps(self) -> Iterator[tuple[str, Phase, PluginEntry]]:
        """The entries with the ids of their steps."""
        taken: set[str] = set()
        for phase, entries in ((Phase.MAIN, self.main), (Phase.POST, self.post)):
            for step, entry in zip(step_ids(entries, taken), entries, strict=True):
                yield step, phase, entry


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An entry with the id of its step, for one offer type."""

    id: str
    phase: Phase
    entry: PluginEntry


class Sequencer:
    """Resolves waybills under one version of one tenant's configuration."""

    def __init__(self, configuration: Configuration, plugins: Plugins) -> None:
        self.configuration = configuration
        self._plugins = plugins
        self._resolved: dict[tuple[str, str, tuple[str, ...]], Resolution] = {}
        self._by_item = any(entry.items for entry in all_entries(configuration))

    def resolve(self, document: Mapping[str, Any], order_type: str) -> Resolution:
        """The waybill of an order; `ValueError` where an expression does not fit the order."""
        processing = str(evaluated(self.configuration.axes.processing_type, document) or STANDARD)
        offers = self._offer_types(document)
        place = (order_type, processing, offers)
        known = None if self._by_item else self._resolved.get(place)
        if known is None:
            known = self._resolution(document, order_type, processing, offers)
            if not self._by_item:
                if len(self._resolved) >= _MOST_RESOLVED:
                    self._resolved.clear()
                self._resolved[place] = known
        return known

    def _resolution(
        self,
        document: Mapping[str, Any],
        order_type: str,
        processing: str,
        offers: tuple[str, ...],
    ) -> Resolution:
        distinct = tuple(dict.fromkeys(offers)) or (STANDARD,)
        lists = {
            offer: _candidates(self.configuration, order_type, processing, offer)
            for offer in distinct
        }
        items = _items(document)
        waybill = []
        for step, candidate in _merged(lists.values()):
            takers = [
                index
                for index, item in enumerate(items)
                if candidate in lists[offers[index]] and _wants(candidate.entry, item)
            ]
            everything = len(takers) == len(items)
            waybill.append(self._step(step, candidate, None if everything else tuple(takers)))
        axes = {
            "order_type": order_type,
            "processing_type": processing,
            "offer_type": ",".join(distinct),
        }
        return Resolution(axes, tuple(waybill))

    def _step(self, step: str, candidate: _Candidate, items: tuple[int, ...] | None) -> WaybillStep:
        entry, plugin = candidate.entry, self._plugins[candidate.entry.name]
        return WaybillStep(
            id=step,
            plugin=entry.name,
            service=entry.service or plugin.service,
            phase=candidate.phase,
            critical=entry.critical,
            on_unknown=entry.on_unknown or plugin.on_unknown,
            options=orjson.dumps(entry.options).decode(),
            when=entry.when,
            items=items,
            map=None if entry.map is None else orjson.dumps(entry.map).decode(),
            timeout_s=entry.timeout,
            retry=_retry(entry, candidate.phase),
            compensate=entry.compensate,
            reads=_reads(entry, plugin),
        )

    def _offer_types(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        items = _items(document)
        expression = self.configuration.axes.offer_type
        if expression is not None:
            named = str(evaluated(expression, document) or STANDARD)
            return (named,) * max(1, len(items))
        if items:
            return tuple(_offer_type(item.get("offer")) or STANDARD for item in items)
        original = _offer_type(document.get("originalOffer"))
        return (original or _offer_type(document.get("subscription")) or STANDARD,)


def _retry(entry: PluginEntry, phase: Phase) -> Retry | None:
    """The entry's policy; what it leaves out depends on whether the order waits for the step."""
    policy = entry.retry
    if policy == "none":
        return None
    default = CRITICAL if entry.critical and phase is Phase.MAIN else NON_CRITICAL
    if policy is None:
        return default
    given = policy.model_dump(exclude_none=True)
    if "longest_s" not in given:
        given["longest_s"] = max(default.longest_s, given.get("first_s", 0.0))
    given.setdefault("first_s", min(default.first_s, given["longest_s"]))
    return replace(default, **given)


def _reads(entry: PluginEntry, plugin: PluginFacts) -> tuple[str, ...] | None:
    """What the step depends on: its connector's own reading, and that of the entry's expressions.

    An expression can name a member that only looks like one of the order's; that does no harm.
    """
    if plugin.reads is None:
        return None
    reads = dict.fromkeys((*plugin.reads, "orderItems") if entry.items else plugin.reads)
    for expression in (entry.when, *(entry.map or {}).values()):
        named = fields(expression) if expression else frozenset[str]()
        if named is None or "order" in named:
            return None
        reads |= dict.fromkeys(sorted(named))
    return tuple(reads)


def all_entries(configuration: Configuration) -> Iterable[PluginEntry]:
    """Every plugin entry of a configuration, overrides included."""
    yield from (*configuration.sequence, *configuration.post)
    for override in configuration.overrides:
        yield from (*(override.sequence or ()), *(override.post or ()))


def matches(override: Override, order_type: str, processing: str, offer: str) -> bool:
    """Whether an order with these axes falls under the override; `submitted` names `new`."""
    types = override.order_type
    if types is not None and "submitted" in types:
        types = [*types, "new"]
    named = (types, order_type), (override.processing_type, processing)
    return all(
        values is None or value in values
        for values, value in (*named, (override.offer_type, offer))
    )


def specificity(override: Override) -> tuple[int, bool, bool, bool]:
    """Most axes named first; on a tie order type > processing type > offer type."""
    named = (
        override.order_type is not None,
        override.processing_type is not None,
        override.offer_type is not None,
    )
    return (sum(named), *named)


def step_ids(entries: Iterable[PluginEntry], taken: set[str] | None = None) -> list[str]:
    """The ids of the steps: the entry's, else the plugin's name, then `name-2` and so on."""
    seen = set() if taken is None else taken
    ids = []
    for entry in entries:
        base, number = entry.id or entry.name, 1
        while (base if number == 1 else f"{base}-{number}") in seen:
            number += 1
        chosen = base if number == 1 else f"{base}-{number}"
        seen.add(chosen)
        ids.append(chosen)
    return ids


def chosen(configuration: Configuration, order_type: str, processing: str, offer: str) -> Chosen:
    """What holds for orders with these axes, and which overrides say so."""
    fitting = sorted(
        (
            (index, override)
            for index, override in enumerate(configuration.overrides)
            if matches(override, order_type, processing, offer)
        ),
        key=lambda one: specificity(one[1]),
        reverse=True,
    )
    main = next((index for index, override in fitting if override.sequence is not None), None)
    post = next((index for index, override in fitting if override.post is not None), None)
    return Chosen(
        main=_entries_of(configuration, main, Phase.MAIN),
        post=_entries_of(configuration, post, Phase.POST),
        main_by=main,
        post_by=post,
        fitting=tuple(index for index, _ in fitting),
    )


def _entries_of(configuration: Configuration, by: int | None, phase: Phase) -> list[PluginEntry]:
    holder = configuration if by is None else configuration.overrides[by]
    return (holder.sequence if phase is Phase.MAIN else holder.post) or []


def _candidates(
    configuration: Configuration, order_type: str, processing: str, offer: str
) -> list[_Candidate]:
    found = chosen(configuration, order_type, processing, offer)
    excluded = {
        name for index in found.fitting for name in configuration.overrides[index].exclude or ()
    }
    return [
        _Candidate(step, phase, entry)
        for step, phase, entry in found.steps()
        if step not in excluded and entry.name not in excluded
    ]


def _merged(lists: Iterable[list[_Candidate]]) -> list[tuple[str, _Candidate]]:
    """One sequence that keeps the order of each: what is new goes in behind its predecessor."""
    merged: list[_Candidate] = []
    for candidates in lists:
        place = 0
        for candidate in candidates:
            if candidate in merged:
                place = merged.index(candidate) + 1
                continue
            merged.insert(place, candidate)
            place += 1
    merged.sort(key=lambda candidate: candidate.phase is Phase.POST)
    named = [candidate.entry.model_copy(update={"id": candidate.id}) for candidate in merged]
    return list(zip(step_ids(named), merged, strict=True))


def _items(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = document.get("orderItems")
    return items if isinstance(items, list) else []


def _wants(entry: PluginEntry, item: Mapping[str, Any]) -> bool:
    return entry.items is None or bool(evaluated(entry.items, item))


def _offer_type(offer: Any) -> str | None:
    attributes = offer
    for member in ("data", "attributes"):
        attributes = attributes.get(member) if isinstance(attributes, Mapping) else None
    if not isinstance(attributes, Mapping):
        return None
    named = attributes.get("offer_type__limio")
    if isinstance(named, str) and named:
        return named
    return "trial" if attributes.get("trial__limio") is True else None
