"""The shapes of the audit: who did what, why, and what came of it."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from projections.audit import AuditKind
from projections.audit_queries import LIMIT, MOST
from waybill.api.shapes import Moment, Reread


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AuditQuery(Reread):
    """Which entries."""

    kind: AuditKind | None = None
    actor: str | None = Field(default=None, max_length=400, description="Who did it")
    subject: str | None = Field(
        default=None,
        max_length=400,
        description="An order's id, a stage, a webhook endpoint or delivery, a rejected record, "
        "a version of the configuration, or an API key's id",
    )
    bulk: str | None = Field(
        default=None, max_length=100, description="Each command of this bulk, one by one"
    )
    from_: Moment | None = Field(default=None, alias="from", description="At or after this moment")
    to: Moment | None = Field(default=None, description="Before this moment")
    cursor: str | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=LIMIT, ge=1, le=MOST, description="At most so many")


class AuditView(_Shape):
    """What somebody did."""

    id: str
    at: AwareDatetime
    kind: AuditKind = Field(
        description="bulk: all commands of one, at the last of them; views: of the whole "
        "installation, not of one tenant"
    )
    action: str = Field(
        description="The command, or what was done: hold, release, put, created, changed, rotated, "
        "deleted, test, replay, read, made, revoked, removed, rebuild"
    )
    subject: str = Field(description="What it was done to")
    actor: str
    reason: str | None
    outcome: Literal["asked", "done", "refused", "pending", "applied", "rejected"] = Field(
        description="Of commands as their orders answered; asked: what came of it is not known"
    )
    code: str | None = Field(description="Why it was refused, or rejected")
    details: dict[str, Any] = Field(
        description="What else is known: the step, the members that changed, how many orders"
    )


class AuditPage(_Shape):
    """A page of entries, the newest first."""

    items: list[AuditView]
    next: str | None = Field(description="Cursor of the next page, null on the last one")
