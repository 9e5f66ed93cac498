"""Prism takes every request of every journey: the partners' own documents allow it."""

import httpx
import pytest

from streams.agents import trying
from tests.journeys.reading import Journey, files, journeys
from tests.journeys.travelling import travelled
from tests.journeys.wire import Passed
from tests.prism import SPECS, missing, violations

JOURNEYS = [journey for path in files() for journey in journeys(path)]
_OURS = {"authorization", "content-length", "content-type", "host"}

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def checked() -> dict[str, str | None]:
    """What was said of a request before: journeys have many in common."""
    return {}


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.external_id.replace(" ", "-"))
async def test_prism_takes_what_the_journey_sends(
    prisms: dict[str, httpx.Client],
    checked: dict[str, str | None],
    journey: Journey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trying, "FIRST_PAUSE_S", 0.001)
    async with travelled(journey) as arrived:
        passed = arrived.carried.passed if arrived.carried else ()
    found = []
    for one in passed:
        for asked in _parts(one):
            mark = repr((asked.method, asked.at, asked.query, asked.body))
            if mark not in checked:
                checked[mark] = _said(prisms[asked.partner], asked)
            if checked[mark]:
                found.append(f"{asked.call}: {checked[mark]}")
    assert not found, "\n".join(found)


def _parts(passed: Passed) -> list[Passed]:
    """A composite request leaves its parts open: they are requests of their own."""
    if passed.partner not in SPECS:
        return []
    parts = (passed.body or {}).get("compositeRequest", ()) if passed.method == "POST" else ()
    return [
        passed,
        *(
            Passed(
                partner=passed.partner,
                method=part["method"],
                at=part["url"].partition("?")[0],
                query=(),
                body=part.get("body"),
                headers={},
                status=None,
            )
            for part in parts
        ),
    ]


def _said(client: httpx.Client, passed: Passed) -> str | None:
    headers = {name: value for name, value in passed.headers.items() if name not in _OURS}
    return violations(
        client,
        passed.method,
        passed.at,
        query=list(passed.query),
        body=passed.body,
        headers=headers,
    )
