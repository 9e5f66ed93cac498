"""The result of replaying real orders against a draft of a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

from schemas.problems import Problem
from schemas.steps import Phase


class ChangeKind(StrEnum):
    """What a draft makes of an order: another route, the same with other settings, and so on.

    `refused`: the draft would not take it; `taken`: the configuration in use would not.
    """

    SAME = "same"
    SETTINGS = "settings"
    ROUTE = "route"
    REFUSED = "refused"
    TAKEN = "taken"


class Verdict(StrEnum):
    """Whether a step would run. `open`: its condition reads what the order does not have (yet)."""

    YES = "yes"
    NO = "no"
    OPEN = "open"
    FAILS = "fails"


class Stop(NamedTuple):
    """One step on an order's way."""

    step: str
    plugin: str
    phase: Phase
    runs: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of all orders with these axes that change in the same way.

    `examples` are the newest of them. `settings` are the steps whose entries differ, with the
    names of what does. `refusal` is why one side would not take them.
    """

    kind: ChangeKind
    axes: Mapping[str, str]
    orders: int
    examples: tuple[str, ...]
    before: tuple[Stop, ...]
    after: tuple[Stop, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    refusal: Problem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBalance:
    """How many orders would pass a step, before and after; what it gains and what it loses."""

    step: str
    before: int
    after: int
    gained: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideUse:
    """How many orders an override of the draft matches."""

    override: int
    orders: int


Member: TypeAlias = Literal["when", "items", "map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionUse:
    """What an expression of the draft says of the orders that pass its step.

    `member` is where it stands, `name` the value that a `map` gives. Of `orders` it was true of
    `yes` (or picked something, or took some items), false (or nothing) of `no`, left `open` where
    it reads outputs that an order does not have, and failed for `fails`; `error` is the first
    reason. `examples` are orders of the smallest part that is worth a look.
    """

    plugin: str
    member: Member
    name: str | None
    expression: str
    orders: int
    yes: int
    no: int
    open: int
    fails: int
    error: str | None
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a draft would do to `orders` real orders.

    `changes` holds the largest of `groups` groups.
    """

    orders: int
    kinds: Mapping[ChangeKind, int]
    changes: tuple[Change, ...]
    groups: int
    steps: tuple[StepBalance, ...]
    expressions: tuple[ExpressionUse, ...]
    overrides: tuple[OverrideUse, ...]
