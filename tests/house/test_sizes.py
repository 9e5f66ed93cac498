"""Files and functions stay small enough to read, and every module says what it is for."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("waybill", "streams", "plugins", "schemas", "projections", "tests", "benchmarks")
FILES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "node_modules" not in path.parts
)

MOST_LINES = 400
MOST_FUNCTION_LINES = 40


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MOST_LINES
    long = {node.name: length(node) for node in functions(tree)}
    assert {n: lines for n, lines in long.items() if lines > MOST_FUNCTION_LINES} == {}
    if path.relative_to(ROOT).parts[0] != "tests":  # a test says it in its name
        assert ast.get_docstring(tree), "the module's first line says what it is for"
    assert ("TO" + "DO") not in text, "write an issue, or do it"
