"""The shapes of rejected records: why they were not taken, what they hold, and replays."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.order_commands import MAX_REASON, Reason
from schemas.orders import MAX_ORDER_BYTES
from waybill.api.shapes import Moment, OrderId

LIMIT, MOST = 50, 200
RECORD_ID = r"^[0-9]{1,5}-[0-9]{1,18}$"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RejectedQuery(_Shape):
    """Which records."""

    code: str | None = Field(default=None, max_length=100, description="Why they were not taken")
    topic: Literal["orders", "order-commands"] | None = Field(
        default=None, description="Where they came from"
    )
    from_: Moment | None = Field(
        default=None, alias="from", description="Rejected at or after this moment"
    )
    to: Moment | None = Field(default=None, description="Rejected before this moment")
    cursor: str | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(
        default=LIMIT, ge=1, le=MOST, description="At most; a page may hold fewer and have a next"
    )


class RejectedContentQuery(_Shape):
    """How much of a record."""

    content: Literal["true", "false"] = Field(
        default="false",
        description="Whether to show what was sent: it may hold personal data, so that this is "
        "kept in the audit",
    )


class ReplayedView(_Shape):
    """One time that the record was sent again."""

    at: AwareDatetime
    actor: str
    reason: str | None
    outcome: Literal["asked", "done", "refused"]
    edited: bool


class RejectedView(_Shape):
    """A record that was not taken, and why."""

    id: str = Field(pattern=RECORD_ID, description="Partition and offset")
    at: AwareDatetime
    code: str
    reason: str
    remedy: str | None
    field: str | None = Field(description="JSON pointer to the member that is to blame")
    topic: Literal["orders", "order-commands"] | None = Field(description="Where it came from")
    origin: str | None = Field(description="Topic, partition and offset that it came from")
    replays: list[ReplayedView] = Field(description="First come first")


class RejectedPage(_Shape):
    """A page of records, the newest first."""

    items: list[RejectedView]
    next: str | None = Field(description="Cursor of the next page, null on the last one")


class SentContent(_Shape):
    """What was sent, as it was."""

    encoding: Literal["utf-8", "base64"]
    text: str
    headers: dict[str, str]


class Refusal(_Shape):
    """Why it would not be taken."""

    code: str
    reason: str
    remedy: str
    field: str | None


class OneRejected(RejectedView):
    """A record with what would become of it now."""

    bytes: int
    editable: bool = Field(description="Whether another body can be sent in its place: of orders")
    refused_now: Refusal | None = Field(
        description="Why it would be refused again, as it is; null: it would be taken, as far as "
        "its body tells, or it is a command, which only its worker can judge"
    )
    content: SentContent | None = Field(description="With `?content=true`")


class RejectedReplayBody(_Shape):
    """How to send it again."""

    reason: Reason = Field(max_length=MAX_REASON, description="Why; it stays in the audit")
    content: str | None = Field(
        default=None,
        max_length=MAX_ORDER_BYTES,
        description="The corrected order as JSON text, in place of the original",
    )
    anyway: bool = Field(
        default=False, description="Send it although it is known to be refused again"
    )


class RejectedReplayView(_Shape):
    """The record is sent; should it be refused anew, that is a record of its own."""

    id: str
    topic: Literal["orders", "order-commands"]
    edited: bool
    order: OrderId | None = Field(
        description="The order that it becomes; null of commands, and with `anyway`"
    )
    token: str | None = Field(description="Give it as min_offset to wait for that order")
