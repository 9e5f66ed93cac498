"""Connections: where partners are reached, per tenant and mode, with secrets by reference only."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, RootModel


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretFromEnvironment(_Part):
    """A secret in an environment variable."""

    env: str


class SecretFromFile(_Part):
    """A secret in a file; read again when it changes."""

    file: str


Secret: TypeAlias = SecretFromEnvironment | SecretFromFile


class NoAuth(_Part):
    """The partner asks for nothing."""

    type: Literal["none"] = "none"


class BasicAuth(_Part):
    """HTTP Basic."""

    type: Literal["basic"]
    username: str
    password: Secret


class BearerAuth(_Part):
    """A fixed bearer token."""

    type: Literal["bearer"]
    token: Secret


class OAuthAuth(_Part):
    """OAuth 2 client credentials; the connector's manifest knows the token path."""

    type: Literal["oauth_client_credentials"]
    client_id: Secret
    client_secret: Secret
    token_path: str | None = None


Auth: TypeAlias = Annotated[
    NoAuth | BasicAuth | BearerAuth | OAuthAuth, Field(discriminator="type")
]


class Rate(_Part):
    """How many requests per second a stage sends, and how many at once after a pause."""

    per_second: float = Field(gt=0, le=100_000)
    burst: int = Field(default=1, ge=1)


class BreakerLimits(_Part):
    """When a stage stops asking a partner that does not answer.

    It opens when `failure_rate` of at least `at_least` conversations in the last `window_s`
    seconds came to nothing for a reason that may pass. After `open_s` it lets single ones
    through; each failure of those doubles the pause, up to `longest_open_s`.
    """

    failure_rate: float = Field(default=0.5, gt=0, le=1)
    at_least: int = Field(default=20, ge=1, le=10_000)
    window_s: float = Field(default=30.0, gt=0, le=3600)
    open_s: float = Field(default=5.0, gt=0, le=3600)
    longest_open_s: float = Field(default=60.0, gt=0, le=3600)


class Limits(_Part):
    """Bounds of one stage against this connection, for the whole deployment.

    `rate` null: only `max_in_flight` bounds it. `breaker` null: it asks whatever happens.
    """

    max_in_flight: int = Field(default=200, ge=1)
    connect_s: float = Field(default=5.0, gt=0, le=45)
    read_s: float = Field(default=30.0, gt=0, le=45)
    rate: Rate | None = None
    breaker: BreakerLimits | None = Field(default_factory=BreakerLimits)


class Connection(_Part):
    """One partner system as one tenant reaches it in one mode.

    `inbound` is the secret that the partner shows where it calls us, of at least 16 characters.
    """

    base_url: str = Field(pattern=r"^https?://[^/]+(/.*)?$")
    auth: Auth = NoAuth()
    limits: Limits = Limits()
    headers: dict[str, str] = {}
    inbound: Secret | None = None


class Connections(RootModel[dict[str, dict[Literal["production", "test"], dict[str, Connection]]]]):
    """`{tenant: {mode: {name: connection}}}`."""

    def find(self, tenant: str, mode: str, name: str) -> Connection | None:
        """The connection, or None; a test order never gets a production connection."""
        for known, by_name in self.root.get(tenant, {}).items():
            if known == mode:
                return by_name.get(name)
        return None
