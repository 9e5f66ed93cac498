"""JSON and YAML documents that people write, with the place in the text of every member."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from waybill.findings import Finding

Position: TypeAlias = tuple[int, int]
"""Line and column, from 1."""

# The words of JSON; YAML's `no`, `on` and dates stay the texts that were meant.
_BY_SHAPE: dict[re.Pattern[str], Callable[[str], Any]] = {
    re.compile(r"null|~|"): lambda _: None,
    re.compile(r"true|false"): lambda text: text == "true",
    re.compile(r"[-+]?\d{1,300}"): int,
    re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?"): float,
}

_REMEDIES = {
    "missing": "add it",
    "string_type": "write a text",
    "int_type": "write a whole number",
    "bool_type": "write true or false",
    "list_type": "write a list",
    "dict_type": "write an object",
    "model_type": "write an object",
    "model_attributes_type": "write an object",
    "string_too_short": "fill it in",
    "too_short": "name at least one",
}


class RefusedDocumentError(Exception):
    """A text that is no document; `finding` says where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a text; `positions` are by JSON pointer."""

    file: str
    value: Any
    positions: Mapping[str, Position] = field(default_factory=dict)

    def placed(self, finding: Finding) -> Finding:
        """The finding with the place of its path, or of what is around it."""
        pointer = finding.path or ""
        while pointer and pointer not in self.positions:
            pointer = pointer.rpartition("/")[0]
        line, column = self.positions.get(pointer, (1, 1))
        return replace(finding, file=self.file, line=line, column=column)


def open_document(path: Path) -> Document:
    """The document in a file; `RefusedDocumentError` where there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        message = f"the file cannot be read: {reason}"
        raise _refused(
            str(path), message, "name a readable UTF-8 file", code="unreadable"
        ) from None
    return parse_document(text, str(path))


def parse_document(text: str, file: str) -> Document:
    """The document in `text`, JSON where it begins with a brace or a bracket, else YAML."""
    try:
        if text.lstrip()[:1] not in {"{", "["}:
            return _composed(text, file)
        value = _json(text, file)
        # A tab can only stand between tokens here, and PyYAML does not take it there.
        return replace(_composed(text.replace("\t", " "), file), value=value)
    except RecursionError:
        raise _refused(file, "the document is nested too deeply", "flatten it") from None


def _composed(text: str, file: str) -> Document:
    positions: dict[str, Position] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = None if node is None else _Reader(file, positions).value(node, "")
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"this is not YAML: {problem.problem or problem.context}"
        raise _refused(file, message, "correct it here", place) from None
    except yaml.YAMLError:
        message = "the text has characters that do not belong into a document"
        raise _refused(file, message, "take them out") from None
    return Document(file, value, positions)


def pointer(parts: Sequence[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def findings_of(
    error: ValidationError, value: Any, at: Sequence[str | int], known: Sequence[str]
) -> Iterator[Finding]:
    """What pydantic refused in `value`, which stands at `at`; `known` are names of members.

    Values are never repeated: where a reference to a secret belongs, people write the secret.
    """
    seen = set()
    for found in error.errors(include_input=False, include_url=False):
        finding = _finding(found, value, at, known)
        if finding not in seen:
            seen.add(finding)
            yield finding


def _finding(
    found: ErrorDetails, value: Any, at: Sequence[str | int], known: Sequence[str]
) -> Finding:
    secret = [n for n, part in enumerate(found["loc"]) if str(part).startswith("SecretFrom")]
    if secret:
        path = _path(found["loc"][: secret[0]], value)
        return Finding(
            code="secret_in_clear",
            message="secrets are given by reference only",
            remedy='write {"env": NAME} or {"file": PATH}',
            path=pointer([*at, *path]),
        )
    path = _path(found["loc"], value)
    code, message = found["type"], found["msg"].removeprefix("Value error, ")
    remedy = _REMEDIES.get(code, "correct the value")
    if code == "missing":
        path = [*path, found["loc"][-1]]
        message = f"the member {path[-1]!r} is missing"
    elif code == "extra_forbidden":
        message = f"there is no member {path[-1]!r} here"
        remedy = did_you_mean(str(path[-1]), known) or "remove it"
    return Finding(code=code, message=message, remedy=remedy, path=pointer([*at, *path]))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'zuora'?`, or nothing where no name is near."""
    near = get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]!r}?" if near else ""


def _path(loc: Sequence[str | int], value: Any) -> list[str | int]:
    """The part of pydantic's location that is in the value; it also names branches of unions."""
    path: list[str | int] = []
    for part in loc:
        listed = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if listed or (isinstance(value, dict) and part in value):
            value = value[part]
            path.append(part)
    return path


def _json(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        message = f"this is not JSON: {problem.msg}"
        place = problem.lineno, problem.colno
        raise _refused(file, message, "correct it here", place) from None
    except ValueError:
        raise _refused(file, "a number is too long", "write it as a text") from None


class _Reader:
    """Turns nodes into values and notes where they stand."""

    def __init__(self, file: str, positions: dict[str, Position]) -> None:
        self._file = file
        self._positions = positions
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, at: str) -> Any:
        """The node's value, with all that is in it."""
        self._positions.setdefault(at, _place(node))
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._seen:
            self._refuse(node, "aliases are not taken", "write it out")
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, f"{at}/{n}") for n, one in enumerate(node.value)]
        return self._members(node, at)

    def _members(self, node: yaml.Node, at: str) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, "the name of a member must be a text", "write a text")
            if key.value in members:
                self._refuse(key, f"{key.value!r} is there twice", "remove one of them")
            below = at + pointer([key.value])
            self._positions[below] = _place(key)
            members[key.value] = self.value(value, below)
        return members

    def _refuse(self, node: yaml.Node, message: str, remedy: str) -> NoReturn:
        raise _refused(self._file, message, remedy, _place(node))


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style is None:
        for shape, read in _BY_SHAPE.items():
            if shape.fullmatch(text):
                return read(text)
    return text


def _place(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _refused(
    file: str, message: str, remedy: str, place: Position = (1, 1), *, code: str = "malformed"
) -> RefusedDocumentError:
    line, column = place
    return RefusedDocumentError(
        Finding(code=code, message=message, remedy=remedy, file=file, line=line, column=column)
    )
