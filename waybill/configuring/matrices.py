"""The matrix of a configuration as the API, the console and the commands show it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from schemas.configuration import Configuration
from streams.core.matrix import AXES, axis_values, combinations, matrix

MOST_CELLS = 5_000


class WideMatrixError(Exception):
    """There are too many combinations to show."""

    code = "too_many_combinations"
    remedy = "give a value of one axis"

    def __init__(self, count: int) -> None:
        super().__init__(f"there are {count} combinations, more than {MOST_CELLS}")


def matrix_view(configuration: Configuration, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Axes and cells; a value in `fixed` stands for all others of its axis. WideMatrixError."""
    values: dict[str, Sequence[str]] = dict(axis_values(configuration))
    for axis in AXES:
        if fixed.get(axis):
            values[axis] = ["new" if fixed[axis] == "submitted" else fixed[axis]]
    count = combinations(values)
    if count > MOST_CELLS:
        raise WideMatrixError(count)
    return {"axes": values, "cells": [asdict(one) for one in matrix(configuration, values)]}
