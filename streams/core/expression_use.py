"""What the conditions and mappings of a draft say of real orders."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from schemas.configuration import Configuration
from schemas.expressions import evaluated, fields
from schemas.steps import WaybillStep
from streams.core.order import Order, StepStatus
from streams.core.plan import ExpressionUse, Member, Verdict
from streams.core.sequence import all_entries

MOST_EXAMPLES = 5


class Said(NamedTuple):
    """What an expression makes of one order, what it picks, and why it makes nothing of it."""

    verdict: Verdict
    value: Any = None
    error: str | None = None


class Replayed:
    """One real order; `context` is what its own steps have handed on.

    What an expression reads beyond that, or of sections whose key is gone, nobody can know: it is
    open. Of steps that the order has skipped it is known that they hand on nothing.
    """

    def __init__(
        self, document: Mapping[str, Any], context: Mapping[str, Any], order: Order
    ) -> None:
        self.order_id = order.id
        self.document = document
        self.context = context
        gone = {path[1:] for part in order.accepted.sealed for path in part.paths}
        self.gone = gone - document.keys()
        steps = zip(order.accepted.waybill, order.progress, strict=False)
        self.settled = context.keys() | {
            step.id for step, progress in steps if progress.status is StepStatus.SKIPPED
        }


class Way:
    """The order on a waybill that it may get."""

    def __init__(self, waybill: tuple[WaybillStep, ...], replayed: Replayed) -> None:
        self.waybill = waybill
        self.replayed = replayed
        self._said: dict[tuple[str, int], Said] = {}

    def runs(self, index: int) -> Said:
        """Whether the step of that index would run."""
        condition = self.waybill[index].when
        if condition is None:
            return Said(Verdict.YES)
        said = self.picks(condition, index)
        if said.verdict is not Verdict.YES:
            return said
        return Said(Verdict.YES if said.value else Verdict.NO)

    def picks(self, text: str, index: int) -> Said:
        """Whether the expression picks anything for the step of that index."""
        known = self._said.get((text, index))
        if known is None:
            known = self._said[text, index] = self._asked(text, index)
        return known

    def _asked(self, text: str, index: int) -> Said:
        if self._is_open(text, index):
            return Said(Verdict.OPEN)
        try:
            found = evaluated(text, self._root(index))
        except ValueError as problem:
            return Said(Verdict.FAILS, error=str(problem))
        return Said(Verdict.NO if found is None else Verdict.YES, found)

    def _is_open(self, text: str, index: int) -> bool:
        named = fields(text)
        if named is None:
            return False
        ahead = {step.id for step in self.waybill[:index] if step.id in named}
        reads = ahead - self.replayed.settled if "context" in named else ()
        return bool(reads or named & self.replayed.gone)

    def _root(self, index: int) -> Mapping[str, Any]:
        """As the step would see it: with its items, and the outputs of the steps before it."""
        document, items = self.replayed.document, self.waybill[index].items
        if items is not None:
            chosen = [document["orderItems"][number] for number in items]
            document = {**document, "orderItems": chosen}
        ahead = {step.id for step in self.waybill[:index]}
        context = {name: out for name, out in self.replayed.context.items() if name in ahead}
        return {**document, "order": document, "context": context}


class _Asked(NamedTuple):
    """One expression of the draft."""

    plugin: str
    member: Member
    name: str | None
    text: str


@dataclass(slots=True)
class _Tally:
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    examples: dict[Verdict, list[str]] = field(default_factory=dict)
    error: str | None = None


class Expressions:
    """Counts what every expression of a configuration says, those that nobody asks included."""

    def __init__(self, configuration: Configuration) -> None:
        self._tallies = {asked: _Tally() for asked in _all(configuration)}
        self._items = [asked for asked in self._tallies if asked.member == "items"]

    def take(self, way: Way) -> None:
        """One order on the way that the draft gives it."""
        if not self._tallies:
            return
        for index, step in enumerate(way.waybill):
            runs = way.runs(index)
            if step.when is not None:
                self._count(_Asked(step.plugin, "when", None, step.when), runs, way)
            if step.map is not None and runs.verdict in {Verdict.YES, Verdict.OPEN}:
                for name, text in orjson.loads(step.map).items():
                    self._count(_Asked(step.plugin, "map", name, text), way.picks(text, index), way)
        self._take_items(way)

    def uses(self) -> Iterator[ExpressionUse]:
        """What was counted, in the order of the configuration."""
        for asked, tally in self._tallies.items():
            found = tally.verdicts
            worth = Verdict.FAILS if found[Verdict.FAILS] else Verdict.NO
            yield ExpressionUse(
                plugin=asked.plugin,
                member=asked.member,
                name=asked.name,
                expression=asked.text,
                orders=found.total(),
                yes=found[Verdict.YES],
                no=found[Verdict.NO],
                open=found[Verdict.OPEN],
                fails=found[Verdict.FAILS],
                error=tally.error,
                examples=tuple(tally.examples.get(worth, ())),
            )

    def _take_items(self, way: Way) -> None:
        """Whether a filter takes any item of an order that passes its plugin."""
        items = way.replayed.document.get("orderItems")
        if not self._items or not isinstance(items, list) or not items:
            return
        plugins = {step.plugin for step in way.waybill}
        for asked in self._items:
            if asked.plugin in plugins:
                self._count(asked, _taken(asked.text, items), way)

    def _count(self, asked: _Asked, said: Said, way: Way) -> None:
        tally = self._tallies[asked]
        tally.verdicts[said.verdict] += 1
        tally.error = tally.error or said.error
        examples = tally.examples.setdefault(said.verdict, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(way.replayed.order_id)


def _taken(text: str, items: list[Mapping[str, Any]]) -> Said:
    try:
        takes = any(evaluated(text, item) for item in items)
    except ValueError as problem:
        return Said(Verdict.FAILS, error=str(problem))
    return Said(Verdict.YES if takes else Verdict.NO)


def _all(configuration: Configuration) -> Iterator[_Asked]:
    for entry in all_entries(configuration):
        if entry.when is not None:
            yield _Asked(entry.name, "when", None, entry.when)
        if entry.items is not None:
            yield _Asked(entry.name, "items", None, entry.items)
        for name, text in (entry.map or {}).items():
            yield _Asked(entry.name, "map", name, text)
