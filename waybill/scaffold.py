"""Writes a new connector as a distribution of its own: the connector, its tests, its page."""

import importlib.util
import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

_TEMPLATES = Path(__file__).parent / "defaults" / "connector"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
_LONGEST = 40
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")


class BadNameError(Exception):
    """No connector can be made under this name."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class ConnectorNames:
    """One name in all the forms in which it is written, from its words in lower case."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, given: str) -> "ConnectorNames":
        """Of `loyaltyPoints`, `loyalty-points` or `loyalty_points`; BadNameError."""
        if len(given) > _LONGEST or not _NAME.fullmatch(given):
            raise BadNameError(
                "bad_name",
                f"{given!r} cannot name a connector",
                f"use at most {_LONGEST} letters and digits, such as loyaltyPoints",
            )
        return cls(tuple(word.lower() for word in _WORD.findall(given)))

    @property
    def plugin(self) -> str:
        """As sequences name it."""
        return self.words[0] + "".join(word.capitalize() for word in self.words[1:])

    @property
    def module(self) -> str:
        """As Python imports it."""
        return "_".join(self.words)

    @property
    def distribution(self) -> str:
        """As pip installs it."""
        return "waybill-" + "-".join(self.words)

    def values(self) -> Mapping[str, str]:
        """What the templates ask for."""
        return {
            "plugin": self.plugin,
            "module": self.module,
            "distribution": self.distribution,
            "connection": self.plugin,
            "host": "-".join(self.words),
            "kind": "".join(word.capitalize() for word in self.words),
            "title": " ".join(word.capitalize() for word in self.words),
        }


def write_connector(given: str, folder: Path | None, taken: Collection[str]) -> list[Path]:
    """Writes the files, none of which may be there; by default into `waybill-<name>`.

    `taken` are the names of the connectors that are installed. BadNameError where the name is
    one of those, or one that Python has already.
    """
    names = ConnectorNames.of(given)
    _check_free(names, taken)
    values = names.values()
    into = folder or Path(names.distribution)
    files = {
        into / f"{names.module}.py": "connector.py",
        into / f"test_{names.module}.py": "test_connector.py",
        into / "README.md": "README.md",
        into / "pyproject.toml": "pyproject.toml",
    }
    for path in files:
        if path.exists():
            raise BadNameError(
                "file_exists", f"{path} is there already", "name another folder with --into"
            )
    into.mkdir(parents=True, exist_ok=True)
    for path, template in files.items():
        text = Template((_TEMPLATES / f"{template}.template").read_text())
        path.write_text(text.substitute(values))
    return list(files)


def _check_free(names: ConnectorNames, taken: Collection[str]) -> None:
    if names.plugin.lower() in {name.lower() for name in taken}:
        raise BadNameError(
            "connector_taken",
            f"there is a connector named {names.plugin!r}",
            "choose another name; `waybill connectors` lists those that are installed",
        )
    if keyword.iskeyword(names.module) or importlib.util.find_spec(names.module) is not None:
        raise BadNameError(
            "connector_taken",
            f"Python has a module or a keyword named {names.module!r}",
            f"choose a name with one word more, such as {names.plugin}Plugin",
        )
