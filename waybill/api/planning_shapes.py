"""The shapes of plans and matrices of configurations."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.configuring_shapes import HIGHEST, ConfigFinding

MOST_REPLAYED = 10_000
_LONGEST = 255


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PlanQuery(_Shape):
    """How many orders are replayed."""

    last: int = Field(
        default=1000, ge=1, le=MOST_REPLAYED, description="The newest orders, so many of them"
    )


class PlanStop(_Shape):
    """A step on an order's way. `open`: its condition reads what the order does not have yet."""

    step: str
    plugin: str
    phase: Literal["main", "post"]
    runs: Literal["yes", "no", "open", "fails"]


class PlanRefusal(_Shape):
    """Why one side does not take the orders."""

    code: str
    message: str
    remedy: str
    field: str | None


class PlanChange(_Shape):
    """Orders with the same axes that change in the same way.

    `route`: other steps; `settings`: the same steps with other settings; `refused`: the draft
    would not take them; `taken`: the configuration in use would not. `settings` are the members
    of entries that differ, by step.
    """

    kind: Literal["route", "settings", "refused", "taken"]
    axes: dict[str, str]
    orders: int
    examples: list[str] = Field(description="Ids of the newest of them")
    before: list[PlanStop]
    after: list[PlanStop]
    added: list[str]
    removed: list[str]
    moved: list[str]
    settings: dict[str, list[str]]
    refusal: PlanRefusal | None


class PlanStep(_Shape):
    """How many orders would pass a step, before and after."""

    step: str
    before: int
    after: int
    gained: int
    lost: int


class PlanExpression(_Shape):
    """What an expression of the draft says of the orders that come by it.

    `yes`: it holds, takes some items, or picks something; `open`: it reads outputs that an order
    does not have.
    """

    plugin: str
    member: Literal["when", "items", "map"]
    name: str | None
    expression: str
    orders: int
    yes: int
    no: int
    open: int
    fails: int
    error: str | None
    examples: list[str]


class PlanOverride(_Shape):
    """How many orders an override of the draft matches; it is told by its index."""

    override: int
    orders: int


class ConfigPlan(_Shape):
    """What the draft would do to real orders, had they come with it.

    `version` is the one in use that the draft is compared with. `changes` are the largest of
    `groups` groups. `findings` are those of the draft, and what the orders say of it.
    """

    version: int
    orders: int
    same: int
    route: int
    settings: int
    refused: int
    taken: int
    changes: list[PlanChange]
    groups: int
    steps: list[PlanStep]
    expressions: list[PlanExpression]
    overrides: list[PlanOverride]
    findings: list[ConfigFinding]


class MatrixQuery(_Shape):
    """Which version, and which values: a value stands for all others of its axis."""

    version: int | None = Field(default=None, ge=1, le=HIGHEST, description="Else the one in use")
    order_type: str | None = Field(default=None, min_length=1, max_length=_LONGEST)
    processing_type: str | None = Field(default=None, min_length=1, max_length=_LONGEST)
    offer_type: str | None = Field(default=None, min_length=1, max_length=_LONGEST)


class MatrixCellStep(_Shape):
    """A step of a combination."""

    id: str
    plugin: str
    phase: Literal["main", "post"]
    critical: bool


class MatrixExclusion(_Shape):
    """A step that an override takes out."""

    override: int
    step: str


class MatrixCell(_Shape):
    """What a combination of axes gets, and why; overrides are told by their index."""

    order_type: str
    processing_type: str
    offer_type: str
    steps: list[MatrixCellStep]
    sequence_by: int | None = Field(description="The override that gives it; null: the default")
    post_by: int | None
    excluded: list[MatrixExclusion]
    beaten: list[int] = Field(description="Overrides that match, too, but are less specific")
    why: str


class ConfigMatrix(_Shape):
    """The combinations of the values that can make a difference.

    `*` stands for every value that no override names. Orders whose items differ in their offer
    type get a mixture of several cells.
    """

    version: int
    axes: dict[str, list[str]]
    cells: list[MatrixCell]


EXAMPLE_STOPS: list[dict[str, Any]] = [
    {"step": "salesforceV3", "plugin": "salesforceV3", "phase": "main", "runs": "yes"},
    {"step": "zuora", "plugin": "zuora", "phase": "main", "runs": "yes"},
]
PLAN: dict[str, Any] = {
    "version": 3,
    "orders": 1000,
    "same": 958,
    "route": 42,
    "settings": 0,
    "refused": 0,
    "taken": 0,
    "changes": [
        {
            "kind": "route",
            "axes": {"order_type": "new", "processing_type": "standard", "offer_type": "gift"},
            "orders": 42,
            "examples": ["order-4c320a74a00b500cbd307f5a8d123ad4"],
            "before": EXAMPLE_STOPS,
            "after": EXAMPLE_STOPS[:1],
            "added": [],
            "removed": ["zuora"],
            "moved": [],
            "settings": {},
            "refusal": None,
        }
    ],
    "groups": 1,
    "steps": [
        {"step": "salesforceV3", "before": 1000, "after": 1000, "gained": 0, "lost": 0},
        {"step": "zuora", "before": 1000, "after": 958, "gained": 0, "lost": 42},
    ],
    "expressions": [],
    "overrides": [{"override": 0, "orders": 42}],
    "findings": [],
}
MATRIX: dict[str, Any] = {
    "version": 3,
    "axes": {
        "order_type": ["new"],
        "processing_type": ["standard"],
        "offer_type": ["gift"],
    },
    "cells": [
        {
            "order_type": "new",
            "processing_type": "standard",
            "offer_type": "gift",
            "steps": [
                {"id": "salesforceV3", "plugin": "salesforceV3", "phase": "main", "critical": True}
            ],
            "sequence_by": None,
            "post_by": None,
            "excluded": [{"override": 0, "step": "zuora"}],
            "beaten": [],
            "why": "sequence and post: the default; override 0 excludes zuora",
        }
    ],
}
