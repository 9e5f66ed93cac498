"""Versions of a tenant's processing configuration, and which of them holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

FROM_FILE = "file"
"""Author of a version that stands in a file, not in the topic."""


class UnreadableVersionError(Exception):
    """A record of `processing-configs` that is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of one tenant's configuration.

    `document` is the configuration as its author wrote it, with `version` in it. `base` is the
    version that it was made from, None where there was none or where it stands in a file.
    `revision` counts the tenant's versions in the topic: of several of one revision the first
    holds. 0 for what was not read from there.
    """

    tenant: str
    version: int
    base: int | None
    author: str
    reason: str
    at: datetime
    document: Mapping[str, Any]
    revision: int = 0


def version_bytes(version: Version) -> bytes:
    """The record as it is written."""
    return orjson.dumps(
        {
            "tenant": version.tenant,
            "version": version.version,
            "base": version.base,
            "author": version.author,
            "reason": version.reason,
            "at": version.at.isoformat(),
            "document": version.document,
            "revision": version.revision,
        }
    )


def version_from(value: bytes) -> Version:
    """The version in a record; `UnreadableVersionError`."""
    try:
        plain = orjson.loads(value)
        version = Version(
            tenant=_a(str, plain["tenant"]),
            version=_a(int, plain["version"]),
            base=None if plain["base"] is None else _a(int, plain["base"]),
            author=_a(str, plain["author"]),
            reason=_a(str, plain["reason"]),
            at=datetime.fromisoformat(plain["at"]),
            document=_a(dict, plain["document"]),
            # Older records have none, but bases that rise as well.
            revision=_a(int, plain.get("revision", plain["base"] or 0)),
        )
    except (ValueError, TypeError, LookupError, AttributeError) as problem:
        raise UnreadableVersionError(str(problem)) from None
    if version.at.tzinfo is None:
        raise UnreadableVersionError("its time is of no zone")
    if version.version <= (version.base or 0):
        raise UnreadableVersionError("its number is not above that of its base")
    return version


def numbered(document: Mapping[str, Any], version: int) -> dict[str, Any]:
    """The document as that version of it."""
    return {"version": version, **{k: v for k, v in document.items() if k != "version"}}


def _a(kind: type[Any], value: Any) -> Any:
    if type(value) is not kind:
        raise UnreadableVersionError(f"a member is no {kind.__name__}")
    return value
