"""Each deliberate break is found; without that, nothing found would mean nothing."""

import pytest

from tests.simulation.hunting import MOST, Caught, hunt_all
from tests.simulation.mutants import MUTANTS

SEEN = [one.name for one in MUTANTS if not one.masked]
INVARIANTS = {f"I-{number}" for number in range(1, 15)} - {"I-10"}
"""Webhooks (I-10) are not there yet."""


@pytest.fixture(scope="module")
def found() -> dict[str, Caught | None]:
    return hunt_all(SEEN)


@pytest.mark.parametrize("name", SEEN)
def test_the_mutant_is_caught(found: dict[str, Caught | None], name: str) -> None:
    assert found[name] is not None, f"not in {MOST} seeds"


def test_there_is_a_mutant_for_each_invariant() -> None:
    assert {one.invariant for one in MUTANTS} >= INVARIANTS
