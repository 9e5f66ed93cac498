"""Every journey file holds, by itself and whatever becomes of its calls."""

from pathlib import Path

import pytest

from schemas.orders import ORDER_TYPES
from streams.agents import trying
from tests.journeys.disturbing import disturbances, grievances
from tests.journeys.expecting import complaints
from tests.journeys.reading import Journey, files, journeys
from tests.journeys.travelling import travelled

FILES = files()
JOURNEYS = [journey for path in FILES for journey in journeys(path)]
UNDISTURBED = [journeys(path)[0] for path in FILES]


def _name(given: Path | Journey) -> str:
    if isinstance(given, Journey):
        return given.external_id.replace(" ", "-").replace(":", "")
    return f"{given.parent.name}/{given.stem}"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are not what is tested here."""
    monkeypatch.setattr(trying, "FIRST_PAUSE_S", 0.001)


@pytest.mark.parametrize("journey", JOURNEYS, ids=_name)
async def test_it_ends_as_the_file_says(journey: Journey) -> None:
    async with travelled(journey) as arrived:
        found = await complaints(arrived)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("journey", UNDISTURBED, ids=_name)
async def test_it_ends_the_same_whatever_becomes_of_a_call(journey: Journey) -> None:
    if journey.outcome != "completed" or journey.undisturbed:
        pytest.skip(journey.undisturbed or f"it is {journey.outcome} as it is")
    found: list[str] = []
    async with travelled(journey) as plain:
        pass
    for by in disturbances(journey, plain):
        async with travelled(journey.disturbed(by.trouble)) as disturbed:
            lines = [f"    {line}" for line in grievances(plain, disturbed, by)]
        if lines:
            found += [f"{by.trouble.at} {by.name}:", *lines]
    assert not found, "\n".join(found)


def test_every_order_type_has_a_journey() -> None:
    without = set(ORDER_TYPES) - {path.parent.name for path in FILES}
    assert without == set()
