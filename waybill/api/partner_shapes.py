"""The shapes of connectors and connections."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.connections import Limits
from waybill.api.shapes import NoQuery


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConnectorLine(_Shape):
    """A connector that is installed: a plugin that a sequence can name."""

    name: str
    service: str
    summary: str
    distribution: str | None = Field(
        description="Name and version of the distribution that brings it; null: Waybill's own"
    )
    idempotency: Literal["native", "look_up", "none"]
    looks_up: bool
    compensates: bool
    previews: bool
    connection: str | None = Field(
        description="Name of the connection that it needs; null: its options say where it calls"
    )
    timeout_s: float = Field(description="Total deadline of a step")


class ConnectorsPage(_Shape):
    """All connectors, by name."""

    items: list[ConnectorLine]
    next: None = Field(description="They all fit one page")


class ConnectorKeys(_Shape):
    """How the partner is told that a request is one that it may know already."""

    header: str
    methods: list[str]
    valid_for_s: int | None


class ConnectorView(ConnectorLine):
    """A connector with all that it states about itself."""

    docs: str
    keys: ConnectorKeys | None
    sealed_outputs: list[str] = Field(description="Output members that never stand in clear")
    secret_options: list[str] = Field(description="Options that are never shown")
    probe: str | None = Field(description="The request by which checks try credentials")
    options: dict[str, Any] = Field(
        description="JSON Schema (2020-12) of the options of its plugin entries"
    )


class ConnectionFinding(_Shape):
    """One thing that is wrong with a connection, and what to do about it."""

    code: str
    message: str
    remedy: str
    severity: Literal["error", "warning"]


class ConnectionTls(_Shape):
    """How the partner showed who it is."""

    version: str
    issuer: str
    expires_at: AwareDatetime


class ConnectionCheckView(_Shape):
    """What the last check saw."""

    at: AwareDatetime
    reached: bool
    connect_ms: float | None = Field(description="Null where the partner was not reached")
    tls: ConnectionTls | None
    credentials: Literal["none", "missing", "present", "accepted", "refused", "untried"] = Field(
        description="`present`: there is no harmless request to try them on; `untried`: the "
        "partner did not get so far"
    )
    findings: list[ConnectionFinding]


class SecretPlace(_Shape):
    """Where a secret is found; never the secret."""

    member: str
    kind: Literal["env", "file"]
    name: str


class ConnectionView(_Shape):
    """A partner system as the tenant reaches it in one mode."""

    name: str
    mode: Literal["production", "test"]
    base_url: str
    auth: Literal["none", "basic", "bearer", "oauth_client_credentials"]
    secrets: list[SecretPlace]
    headers: list[str] = Field(description="Names of headers that are added; values are not shown")
    limits: Limits
    used_by: list[str] = Field(description="Connectors that talk through it")
    status: Literal["ok", "warning", "error", "unchecked"]
    check: ConnectionCheckView | None = Field(
        description="By the API process that answers; null: not checked since its start"
    )


class ConnectionsPage(_Shape):
    """The tenant's connections, by name."""

    items: list[ConnectionView]
    next: None = Field(description="They all fit one page")


class ConnectionsQuery(NoQuery):
    """Which connections."""

    mode: Literal["production", "test"] | None = Field(
        default=None, description="Only those of this mode"
    )
    name: str | None = Field(
        default=None, min_length=1, max_length=255, description="Only those of this name"
    )
