"""What a check found: where, what is wrong, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """An error stops a start; a warning is for somebody to look at."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `path` is a JSON pointer; line and column count from 1."""

    code: str
    message: str
    remedy: str
    severity: Severity = Severity.ERROR
    path: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """`file:line:column: error: path: message. Remedy. [code]`, without what is not known."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        parts = (place, self.severity.value, self.path, f"{self.message}. {_sentence(self.remedy)}")
        return ": ".join(part for part in parts if part) + f" [{self.code}]"

    def as_json(self) -> dict[str, Any]:
        """All members, for programs."""
        return asdict(self)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that stop a start."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
