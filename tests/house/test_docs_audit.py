"""Every door through which something can be changed says what the audit has of it."""

from pathlib import Path

import pytest

from projections.audit import AuditKind
from waybill.api.routes import ROUTES
from waybill.cli.main import COMMANDS

PAGE = (Path(__file__).parents[2] / "docs/how-to/see-who-did-what.md").read_text()
DOORS = [f"{route.method} {route.path}" for route in ROUTES if route.method != "GET"]


@pytest.mark.parametrize("door", [*DOORS, *(f"waybill {name}" for name in COMMANDS)])
def test_every_door_is_on_the_page(door: str) -> None:
    assert f"`{door}`" in PAGE.partition("## Every door")[2]


@pytest.mark.parametrize("kind", AuditKind)
def test_every_kind_is_on_the_page(kind: AuditKind) -> None:
    assert f"| `{kind.value}` |" in PAGE
