"""The pages that people write: their links lead somewhere, and what they show works."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from plugins.registry import Registry
from schemas.connections import Connections
from tests.unit.core.taking import prepared
from waybill.cli.main import cli
from waybill.configuration import check
from waybill.findings import errors
from waybill.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]
SKIPPED = {".venv", ".cache", ".waybill", ".git", "node_modules"}
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not SKIPPED & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_README_LINES = 120


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def blocks(language: str) -> list[Any]:
    found = []
    for page in PAGES:
        shown = [text for kind, text in FENCE.findall(page.read_text()) if kind == language]
        found += [pytest.param(t, id=f"{name(page)}-{n}") for n, t in enumerate(shown, 1)]
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        target, _, anchor = link.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), f"{name(page)} links to {link}"
        if anchor:
            assert anchor in anchors(place), f"{name(page)} links to {link}"


def test_the_readers_path_is_eight_files_that_exist() -> None:
    _, _, section = (ROOT / "README.md").read_text().partition("## The code in eight files")
    path = re.findall(r"^(\d)\. \[?`([^`]+)`", section, re.MULTILINE)
    assert [number for number, _ in path] == list("12345678")
    assert all((ROOT / file).is_file() for _, file in path)


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_README_LINES


def test_the_index_knows_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    pages = {page for page in PAGES if page.is_relative_to(index.parent)} - {index}
    assert pages == linked


def test_decisions_are_numbered_without_gaps_and_fit_a_screen() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        assert path.read_text().startswith(f"# {path.name[:4]} ")
        assert len(path.read_text().splitlines()) <= 50


def test_the_glossary_is_in_order_and_says_everything_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word.lower() for word in rows if word not in {"word", "---"}]
    assert words == sorted(set(words))


@pytest.mark.parametrize("text", blocks("python"))
def test_python_that_is_shown_stands_in_a_file_that_runs(text: str) -> None:
    compile(text, "shown", "exec")
    files = [*(ROOT / "examples").rglob("*.py")]
    assert any(text.strip() in file.read_text() for file in files)


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_that_are_shown_stand_in_a_file_that_is_used(text: str) -> None:
    assert any(text.strip() in file.read_text() for file in (ROOT / "examples").rglob("*.toml"))


@pytest.mark.parametrize("text", blocks("json"))
def test_json_that_is_shown_is_a_document_that_is_taken(text: str, tmp_path: Path) -> None:
    document = json.loads(text)
    if "sequence" in document:
        path = tmp_path / "processing-config.json"
        path.write_text(text)
        settings = Settings.from_environment({"WAYBILL_CONFIG": str(path)})
        found = [one for one in errors(check(settings, Registry.found())) if one.file == str(path)]
        assert [one for one in found if "'acme'" not in one.message] == []
    elif "default" in document:
        Connections.model_validate(document)
    elif "order_type" in document:
        assert prepared(**document).document == document
    else:
        told = {"type", "token", "record_type", "eventId"}
        assert told & document.keys(), "what an API answers, or a webhook says"


def commands(text: str) -> list[list[str]]:
    joined = text.replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in joined.splitlines() if line.strip()]


def without_settings(words: list[str]) -> list[str]:
    """The command behind `NAME=value`; its settings have to exist."""
    known = {variable.name for variable in VARIABLES}
    while words and re.match(r"[A-Z_]+=", words[0]):
        assert words[0].partition("=")[0] in known
        words = words[1:]
    return words


@pytest.mark.parametrize("text", blocks("bash"))
def test_commands_that_are_shown_can_be_typed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for words in commands(text):
        program, *arguments = without_settings(words)
        match Path(program).name:
            case "waybill":
                typed(cli, arguments)
            case "export":
                assert without_settings(arguments) == []
            case "python":
                runs(arguments)
            case _:
                assert program in {"curl", "."}


def typed(command: click.Command, arguments: list[str]) -> None:
    """Parses as the command line would, down to the last subcommand; runs nothing."""
    alone = not arguments and isinstance(command, click.Group) and command.invoke_without_command
    if isinstance(command, click.Group) and not alone:
        context = click.Context(command)
        below = command.get_command(context, arguments[0])
        assert below is not None, f"there is no command {arguments[0]}"
        typed(below, arguments[1:])
    else:
        # Below the group, as when it is typed: commands remember the options for help.
        group = click.Context(cli, **cli.context_settings)
        command.make_context(command.name, list(arguments), group).close()


def runs(arguments: list[str]) -> None:
    match arguments:
        case ["-c", code]:
            compile(code, "shown", "exec")
        case ["-m", module, *_]:
            assert importlib.util.find_spec(module) is not None or module == "pip"
        case [file, *_]:
            assert (ROOT / file).is_file()
