"""The reference pages are current, and nothing that a reader may meet is missing from them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins import judging
from plugins.registry import Registry
from streams.topics import TOPICS
from waybill.reference.codes import CODES
from waybill.reference.pages import PAGES
from waybill.reference.records import HOLDS
from waybill.settings import VARIABLES

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCES = [
    path
    for package in ("waybill", "streams", "plugins", "schemas", "projections")
    for path in (ROOT / package).rglob("*.py")
    if path.name not in {"testing.py", "scripted.py"}
    and not {"sandbox", "examples", "examples.py"} & set(path.parts)
]
# Where the code stands among the arguments, by the name of what is called.
PLACES = {
    **dict.fromkeys(("Failed", "Kind", "_failed"), 1),
    **dict.fromkeys(("Unknown", "InDoubt", "NotSent", "Lost", "NoToken", "unfit", "problem"), 0),
    **dict.fromkeys(("overtaken",), 0),
    **dict.fromkeys(("refused", "_refused", "_error", "_warning", "_refusal"), 0),
    **dict.fromkeys(("UndecodableError",), 0),
    **dict.fromkeys(("_rejected",), 2),
    **dict.fromkeys(("SettingsError", "EmbeddedError", "KeysError", "StoreError"), 0),
    **dict.fromkeys(("VaultKeyError", "ApiKeysError"), 0),
}
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
BRACKETED = re.compile(r"\[([a-z]+(?:_[a-z]+)+)\]$")


def texts(node: ast.expr | None) -> Iterator[str]:
    """Both arms of a choice count."""
    if isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def codes_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        place = PLACES.get(name)
        if place is not None and len(node.args) > place:
            yield from texts(node.args[place])
        for keyword in node.keywords:
            if keyword.arg == "code":
                yield from texts(keyword.value)
    elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
        yield from texts(node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from BRACKETED.findall(node.value)


def raised() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in SOURCES]
    found = {code for tree in trees for node in ast.walk(tree) for code in codes_of(node)}
    by_status = {*judging._UNKNOWN.values(), *(code for _, code in judging._DEFINITE.values())}
    return {code for code in found | by_status if CODE.fullmatch(code)}


DOCUMENTED = {code for codes in CODES.values() for code in codes}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_code_says(name: str) -> None:
    path = REFERENCE / name
    current = path.exists() and path.read_text() == PAGES[name]()
    assert current, "run `python -m waybill.reference`"


def test_there_is_no_page_that_nothing_writes() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


def test_every_error_code_is_explained() -> None:
    assert sorted(raised() - DOCUMENTED) == [], "explain it in waybill/reference/codes.py"


def test_a_code_is_explained_once() -> None:
    listed = [code for codes in CODES.values() for code in codes]
    assert sorted(set(listed)) == sorted(listed)


def test_every_topic_has_its_purpose() -> None:
    assert set(HOLDS) == {topic.name for topic in TOPICS}


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_every_setting_says_what_it_is_for(variable: object) -> None:
    name = getattr(variable, "name", "")
    assert getattr(variable, "meaning", "")
    assert f"`{name}`" in (REFERENCE / "settings.md").read_text()


def test_every_connector_says_what_it_hands_on() -> None:
    registry = Registry.found()
    page = (REFERENCE / "connectors.md").read_text()
    ours = [
        registry.get(name)
        for name in registry.names()
        if registry.get(name).perform.__module__.startswith("plugins.")
    ]
    assert ours
    for one in ours:
        assert f"## {one.name}" in page
        assert "Output: " in one.manifest.docs


def test_figures_are_counted_only_where_the_page_looks() -> None:
    counting = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(
            r"from prometheus_client import[^)]*(Counter|Gauge|Histogram)", path.read_text()
        )
    }
    assert counting == {
        "streams/agents/metrics.py",
        "streams/agents/webhooks/metrics.py",
        "waybill/api/metrics.py",
    }
