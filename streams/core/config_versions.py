"""Versions of a tenant's processing configuration, and which of two writers was first."""

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
    `restated`: written a second time by somebody who had read that it holds.
    """

    tenant: str
    version: int
    base: int | None
    author: str
    reason: str
    at: datetime
    document: Mapping[str, Any]
    restated: bool = False

    def same(self, other: "Version") -> bool:
        """Whether both are the same version, written once or twice."""
        mine, its = (self.version, self.base, self.at), (other.version, other.base, other.at)
        return mine == its and self.author == other.author and self.document == other.document


def holds(held: Version | None, record: Version) -> bool:
    """Whether a record is the tenant's configuration from here on: the first on its base is.

    What is restated holds wherever nothing newer does: compaction may have taken the first
    record of it and left one that came too late.
    """
    if held is None or record.base == held.version:
        return True
    return record.restated and record.version >= held.version


def version_bytes(version: Version) -> bytes:
    """The record as it is written."""
    plain = {
        "tenant": version.tenant,
        "version": version.version,
        "base": version.base,
        "author": version.author,
        "reason": version.reason,
        "at": version.at.isoformat(),
        "document": version.document,
    }
    return orjson.dumps({**plain, "restated": True} if version.restated else plain)


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
            restated=plain.get("restated", False) is True,
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
