"""The shapes of configurations and their versions, as they are asked for and answered."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.configuration import Configuration

MOST_VERSIONS = 50
HIGHEST = 2**31 - 1
_SAYING = r"^[^\x00]*[^\s\x00][^\x00]*$"
"""Not only blanks, and nothing that PostgreSQL cannot keep."""

Reason: TypeAlias = Annotated[str, Field(min_length=1, max_length=500, pattern=_SAYING)]
Number: TypeAlias = Annotated[int, Field(ge=1, le=HIGHEST)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProcessingConfigDraft(Configuration):
    """A configuration that is to become the next version; its `version` is given by Waybill."""

    version: int = Field(default=1, ge=1, le=HIGHEST)


class ReasonQuery(_Shape):
    """Why the configuration is changed."""

    reason: Reason = Field(description="Why; kept with the version", examples=["Gifts skip Zuora"])


class RollbackBody(_Shape):
    """Which version shall hold again, and why."""

    version: Number
    reason: Reason


class VersionsQuery(_Shape):
    """Which versions."""

    cursor: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")] | None = Field(
        default=None, description="`next` of the page before"
    )
    limit: int = Field(default=20, ge=1, le=MOST_VERSIONS)


class DiffQuery(_Shape):
    """Two versions."""

    from_: Number = Field(alias="from", description="The older version")
    to: Number | None = Field(default=None, description="The newer one; else the one in use")


class ConfigFinding(_Shape):
    """One thing about a configuration; line and column where it was sent as a text."""

    code: str
    message: str
    remedy: str
    severity: Literal["error", "warning"]
    path: str | None = Field(description="JSON pointer")
    line: int | None
    column: int | None


class ConfigVersion(_Shape):
    """One version: `base` is what it was made from, null where it stands in a file."""

    version: int
    base: int | None
    author: str
    reason: str
    at: AwareDatetime


class ConfigVersionMade(ConfigVersion):
    """What holds now. `new` is false where the same held already."""

    new: bool
    findings: list[ConfigFinding]


class ConfigVersionDetails(ConfigVersion):
    """A version with its document."""

    document: dict[str, Any]


class ConfigVersionsPage(_Shape):
    """Versions, the newest first."""

    items: list[ConfigVersion]
    next: str | None


class ConfigChange(_Shape):
    """One difference for people, as `sequence/zuora/options/endpoint`."""

    place: str
    what: Literal["added", "removed", "changed"]
    text: str


class ConfigPatchOperation(_Shape):
    """One operation of a JSON patch (RFC 6902)."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: Any = None


class ConfigDiff(_Shape):
    """What makes one version of another: for programs, in words, and as a unified diff."""

    from_: int = Field(alias="from")
    to: int
    patch: list[ConfigPatchOperation]
    changes: list[ConfigChange]
    text: str
