"""What a draft of a configuration would make of real orders: their routes, now and then."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import orjson

from schemas.orders import Document
from schemas.problems import Problem, RefusedError
from schemas.steps import WaybillStep
from streams.core.expression_use import Expressions, Replayed, Way
from streams.core.intake import Examined
from streams.core.opened import handed_on, seen_by_steps, submitted
from streams.core.order import Order
from streams.core.plan import Change, ChangeKind, OverrideUse, Plan, StepBalance, Stop, Verdict
from streams.core.sealing import DataKey
from streams.core.sequence import Sequencer, matches

Examine: TypeAlias = Callable[[Document, Sequencer], Examined]
"""What intake makes of a document under a configuration; `RefusedError` says why nothing."""

MOST_GROUPS = 200
MOST_EXAMPLES = 5

_PLACES = frozenset({"id", "phase", "reads"})
_SETTINGS = tuple(one.name for one in fields(WaybillStep) if one.name not in _PLACES)


@dataclass(frozen=True, slots=True)
class _Route:
    """Where an order would go: its steps, and whether each would run."""

    axes: Mapping[str, str]
    way: Way | None
    stops: tuple[Stop, ...]
    refusal: Problem | None = None

    @property
    def taken(self) -> tuple[Stop, ...]:
        """Without the steps that would be skipped."""
        return tuple(stop for stop in self.stops if stop.runs is not Verdict.NO)


_Place: TypeAlias = tuple[
    ChangeKind, tuple[tuple[str, str], ...], tuple[Stop, ...], tuple[Stop, ...], Any, Any
]


class Planner:
    """Takes orders one after the other, the newest first; `plan` says what came of them."""

    def __init__(self, before: Sequencer, after: Sequencer, examine: Examine) -> None:
        self._before = before
        self._after = after
        self._examine = examine
        self._orders = 0
        self._kinds: Counter[ChangeKind] = Counter()
        self._groups: dict[_Place, list[str]] = {}
        self._counts: Counter[_Place] = Counter()
        self._axes: Counter[tuple[str, str, str]] = Counter()
        self._steps: dict[str, Counter[str]] = {}
        self._expressions = Expressions(after.configuration)

    def take(self, order: Order, keys: Mapping[str, DataKey]) -> None:
        """One order as the store has it; `keys` open what is sealed in it, by data subject."""
        document = submitted(order, keys)
        replayed = Replayed(seen_by_steps(order, document), handed_on(order, keys), order)
        before = self._route(self._before, document, replayed)
        after = self._route(self._after, document, replayed, before.way)
        kind, settings = _compared(before, after)
        self._orders += 1
        self._kinds[kind] += 1
        if after.way is not None:
            axes = after.axes
            self._axes[axes["order_type"], axes["processing_type"], axes["offer_type"]] += 1
            self._expressions.take(after.way)
        self._balance(before, after)
        if kind is not ChangeKind.SAME:
            self._note(order.id, kind, (before, after), settings)

    def plan(self) -> Plan:
        """What the draft would do to the orders that were taken."""
        most = self._counts.most_common(MOST_GROUPS)
        return Plan(
            orders=self._orders,
            kinds={kind: self._kinds[kind] for kind in ChangeKind},
            changes=tuple(_change(place, count, self._groups[place]) for place, count in most),
            groups=len(self._counts),
            steps=tuple(
                StepBalance(step=step, **{name: found[name] for name in _BALANCE})
                for step, found in sorted(self._steps.items())
            ),
            expressions=tuple(self._expressions.uses()),
            overrides=tuple(self._overrides()),
        )

    def _route(
        self, under: Sequencer, document: Document, replayed: Replayed, known: Way | None = None
    ) -> _Route:
        """`known` is asked again where the order gets the same waybill."""
        try:
            found = self._examine(document, under).resolution
        except RefusedError as refused:
            return _Route({}, None, (), refused.problem)
        way = known
        if way is None or way.waybill != found.waybill:
            way = Way(found.waybill, replayed)
        stops = tuple(
            Stop(step.id, step.plugin, step.phase, way.runs(index).verdict)
            for index, step in enumerate(found.waybill)
        )
        return _Route(found.axes, way, stops)

    def _balance(self, before: _Route, after: _Route) -> None:
        had = {stop.step for stop in before.taken}
        has = {stop.step for stop in after.taken}
        for step in had | has:
            found = self._steps.setdefault(step, Counter())
            found["before"] += step in had
            found["after"] += step in has
            found["gained"] += step in has and step not in had
            found["lost"] += step in had and step not in has

    def _note(
        self,
        order_id: str,
        kind: ChangeKind,
        routes: tuple[_Route, _Route],
        settings: tuple[tuple[str, tuple[str, ...]], ...],
    ) -> None:
        before, after = routes
        axes = after.axes or before.axes
        refusal = before.refusal if after.refusal is None else after.refusal
        place = (kind, tuple(axes.items()), before.stops, after.stops, settings, refusal)
        self._counts[place] += 1
        examples = self._groups.setdefault(place, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(order_id)

    def _overrides(self) -> list[OverrideUse]:
        found = []
        for index, override in enumerate(self._after.configuration.overrides):
            orders = sum(
                count
                for (order_type, processing, offers), count in self._axes.items()
                if any(
                    matches(override, order_type, processing, offer) for offer in offers.split(",")
                )
            )
            found.append(OverrideUse(override=index, orders=orders))
        return found


_BALANCE = ("before", "after", "gained", "lost")


def _compared(
    before: _Route, after: _Route
) -> tuple[ChangeKind, tuple[tuple[str, tuple[str, ...]], ...]]:
    """What becomes of the order, and the settings of its steps that differ."""
    if before.way is None or after.way is None:
        return _refusals(before.refusal, after.refusal), ()
    if before.way is after.way:
        return ChangeKind.SAME, ()
    settings = tuple(_settings(before.way.waybill, after.way.waybill))
    if before.taken != after.taken:
        return ChangeKind.ROUTE, settings
    return (ChangeKind.SETTINGS if settings else ChangeKind.SAME), settings


def _refusals(before: Problem | None, after: Problem | None) -> ChangeKind:
    if before is None:
        return ChangeKind.REFUSED
    if after is None:
        return ChangeKind.TAKEN
    return ChangeKind.SAME


def _settings(
    before: tuple[WaybillStep, ...], after: tuple[WaybillStep, ...]
) -> list[tuple[str, tuple[str, ...]]]:
    known = {step.id: step for step in before}
    found = []
    for step in after:
        was = known.get(step.id)
        if was is None or was == step:
            continue
        names = [name for name in _SETTINGS if getattr(was, name) != getattr(step, name)]
        if names:
            found.append((step.id, tuple(_spelled(was, step, names))))
    return found


def _spelled(was: WaybillStep, step: WaybillStep, names: list[str]) -> list[str]:
    """`options` and `map` by the members that differ."""
    spelled = []
    for name in names:
        if name not in {"options", "map"}:
            spelled.append("timeout" if name == "timeout_s" else name)
            continue
        old, new = (orjson.loads(getattr(one, name) or "{}") for one in (was, step))
        spelled += [f"{name}.{one}" for one in sorted({*old, *new}) if old.get(one) != new.get(one)]
    return spelled


def _change(place: _Place, count: int, examples: list[str]) -> Change:
    kind, axes, before, after, settings, refusal = place
    had = [stop.step for stop in before if stop.runs is not Verdict.NO]
    has = [stop.step for stop in after if stop.runs is not Verdict.NO]
    stays = kind is ChangeKind.ROUTE
    kept, keeps = [one for one in had if one in has], [one for one in has if one in had]
    return Change(
        kind=kind,
        axes=dict(axes),
        orders=count,
        examples=tuple(examples),
        before=before,
        after=after,
        added=tuple(one for one in has if one not in had) if stays else (),
        removed=tuple(one for one in had if one not in has) if stays else (),
        moved=tuple(new for old, new in zip(kept, keeps, strict=True) if old != new),
        settings=settings,
        refusal=refusal,
    )
