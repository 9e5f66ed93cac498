"""Which sequence each combination of axes gets under a configuration, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from schemas.configuration import Configuration, Override
from schemas.orders import ORDER_TYPES
from schemas.steps import Phase
from streams.core.sequence import STANDARD, Chosen, chosen

OTHER = "*"
"""Stands for every value that no override names."""

AXES = ("order_type", "processing_type", "offer_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixStep:
    """One step of a combination."""

    id: str
    plugin: str
    phase: Phase
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A step that an override has taken out."""

    override: int
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one combination of axes gets. Overrides are told by their index in `overrides`.

    `sequence_by` and `post_by` are those that give the two phases, None where the default does.
    `beaten` match, too, but give way to more specific ones. `why` says all that in a line.
    """

    order_type: str
    processing_type: str
    offer_type: str
    steps: tuple[MatrixStep, ...]
    sequence_by: int | None
    post_by: int | None
    excluded: tuple[Exclusion, ...]
    beaten: tuple[int, ...]
    why: str


def axis_values(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    """The values of each axis that can make a difference, the usual one first.

    `OTHER` is among them where the usual one is named by an override, so that the two differ.
    """
    types = [*ORDER_TYPES, *configuration.order_types]
    named = [name for name in _named(configuration, "order_type") if name != "submitted"]
    return {
        "order_type": tuple(dict.fromkeys([*types, *named])),
        "processing_type": _with_others(_named(configuration, "processing_type")),
        "offer_type": _with_others(_named(configuration, "offer_type")),
    }


def combinations(values: Mapping[str, Sequence[str]]) -> int:
    """How many cells those values make."""
    return prod(len(values[axis]) for axis in AXES)


def matrix(configuration: Configuration, values: Mapping[str, Sequence[str]]) -> Iterator[Cell]:
    """The cell of each combination of the values."""
    for order_type, processing, offer in product(*(values[axis] for axis in AXES)):
        yield cell(configuration, order_type, processing, offer)


def cell(configuration: Configuration, order_type: str, processing: str, offer: str) -> Cell:
    """What orders with these axes get: orders whose items differ get a mixture of several."""
    found = chosen(configuration, order_type, processing, offer)
    steps, excluded = _steps(configuration, found)
    used = {found.main_by, found.post_by, *(one.override for one in excluded)}
    beaten = tuple(
        index
        for index in found.fitting
        if index not in used and _gives(configuration.overrides[index])
    )
    return Cell(
        order_type=order_type,
        processing_type=processing,
        offer_type=offer,
        steps=steps,
        sequence_by=found.main_by,
        post_by=found.post_by,
        excluded=excluded,
        beaten=beaten,
        why=_why(configuration, found, excluded, beaten),
    )


def override_words(override: Override) -> str:
    """The orders of an override: `order_type renew, offer_type gift | trial`."""
    named = [(axis, getattr(override, axis)) for axis in AXES]
    return ", ".join(f"{axis} {' | '.join(values)}" for axis, values in named if values)


def _steps(
    configuration: Configuration, found: Chosen
) -> tuple[tuple[MatrixStep, ...], tuple[Exclusion, ...]]:
    steps, excluded = [], []
    for step, phase, entry in found.steps():
        by = [
            index
            for index in found.fitting
            if {step, entry.name} & set(configuration.overrides[index].exclude or ())
        ]
        excluded += [Exclusion(override=index, step=step) for index in by]
        if not by:
            steps.append(
                MatrixStep(id=step, plugin=entry.name, phase=phase, critical=entry.critical)
            )
    return tuple(steps), tuple(excluded)


def _why(
    configuration: Configuration,
    found: Chosen,
    excluded: Sequence[Exclusion],
    beaten: Sequence[int],
) -> str:
    said = []
    if found.main_by == found.post_by:
        said.append(_won(configuration, "sequence and post", found.main_by))
    else:
        said.append(_won(configuration, "sequence", found.main_by))
        said.append(_won(configuration, "post", found.post_by))
    for index in dict.fromkeys(one.override for one in excluded):
        steps = ", ".join(one.step for one in excluded if one.override == index)
        said.append(f"override {index} excludes {steps}")
    if beaten:
        numbers = ", ".join(map(str, beaten))
        said.append(f"override{'s' * (len(beaten) > 1)} {numbers} less specific")
    return "; ".join(said)


def _won(configuration: Configuration, what: str, by: int | None) -> str:
    if by is None:
        return f"{what}: the default"
    axes = [axis for axis in AXES if getattr(configuration.overrides[by], axis) is not None]
    return f"{what}: won by override {by} ({', '.join(axes) or 'every order'})"


def _gives(override: Override) -> bool:
    return override.sequence is not None or override.post is not None


def _named(configuration: Configuration, axis: str) -> list[str]:
    return [name for one in configuration.overrides for name in getattr(one, axis) or ()]


def _with_others(named: Sequence[str]) -> tuple[str, ...]:
    more = [OTHER] if STANDARD in named else []
    return tuple(dict.fromkeys([STANDARD, *named, *more]))
