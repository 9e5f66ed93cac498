"""Secrets by reference: connections name them, this reads them when they are used."""

from collections.abc import Mapping
from pathlib import Path

from schemas.connections import Secret, SecretFromEnvironment, SecretFromFile


class SecretMissingError(Exception):
    """The reference leads nowhere; the message names it and the remedy, never a value."""

    code = "secret_missing"


class SecretValues:
    """Reads secrets; one in a file is read again when the file changes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._files: dict[str, tuple[int, str]] = {}

    def of(self, secret: Secret) -> str:
        """The value behind a reference."""
        match secret:
            case SecretFromEnvironment(env=name):
                value = self._environment.get(name, "")
                remedy = f"set the environment variable {name}"
            case SecretFromFile(file=name):
                value = self._in_file(name)
                remedy = f"write it into {name}"
        if not value:
            raise SecretMissingError(f"a secret of the connection is empty or missing: {remedy}")
        return value

    def _in_file(self, name: str) -> str:
        path = Path(name)
        try:
            changed = path.stat().st_mtime_ns
            known = self._files.get(name)
            if known is not None and known[0] == changed:
                return known[1]
            value = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""
        self._files[name] = (changed, value)
        return value
