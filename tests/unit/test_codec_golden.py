"""The bytes in `tests/golden` mean the same for ever: they are what stands in logs.

Never change a file there. A fact that changes its shape gets a further file, named by the id of
the schema that wrote it.
"""

from typing import get_args

import pytest

from schemas.codec import decode, encode
from schemas.events import Fact
from schemas.registry import ORDER_EVENTS, latest, published
from tests.unit.golden import BY_SCHEMA, FOLDER, golden, meant

ALL = [(schema, name) for schema, facts in BY_SCHEMA.items() for name in facts]
LATEST = latest(ORDER_EVENTS).id


@pytest.mark.parametrize(("schema", "name"), ALL)
def test_golden_bytes_mean_what_they_always_meant(schema: int, name: str) -> None:
    assert decode(golden(schema, name)) == meant(schema, name)


@pytest.mark.parametrize(("schema", "name"), ALL)
def test_what_was_read_can_be_written_and_read_again(schema: int, name: str) -> None:
    assert decode(encode(decode(golden(schema, name)))) == meant(schema, name)


@pytest.mark.parametrize("name", BY_SCHEMA[LATEST])
def test_the_newest_golden_bytes_are_what_is_written_now(name: str) -> None:
    assert encode(meant(LATEST, name)) == golden(LATEST, name)


def test_every_kind_of_fact_has_golden_bytes() -> None:
    assert {type(fact) for fact in BY_SCHEMA[LATEST].values()} == set(get_args(Fact))
    assert set(BY_SCHEMA) == {schema.id for schema in published()[ORDER_EVENTS]}


def test_no_golden_bytes_lie_about() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{schema}-{name}.hex" for schema, name in ALL
    }


@pytest.mark.parametrize("name", BY_SCHEMA[1])
def test_what_the_first_version_wrote_says_nothing_of_what_came_later(name: str) -> None:
    fact = decode(golden(1, name)).fact
    assert getattr(fact, "command", None) is None
    for step in getattr(fact, "waybill", ()):
        assert (step.retry, step.compensate, step.reads) == (None, False, None)
