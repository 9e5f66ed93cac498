"""What a request shows the partner to be let in, and how to keep it out of the record."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from plugins.api import Manifest
from plugins.redaction import NOTHING, Scrubber, basic_credentials
from plugins.secret_values import SecretMissingError, SecretValues
from plugins.tokens import NoToken, Token, Tokens
from plugins.transport import Transport
from schemas.connections import BasicAuth, BearerAuth, Connection, NoAuth, OAuthAuth


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """An Authorization header, and a scrubber of the secrets behind it."""

    header: str | None = None
    scrubber: Scrubber = NOTHING
    token: Token | None = None


ANONYMOUS = Credential()


class Credentials:
    """Finds the credential of a connection; tokens are fetched when they are needed."""

    def __init__(
        self, transport: Transport, secrets: SecretValues, monotonic: Callable[[], float]
    ) -> None:
        self._secrets = secrets
        self._tokens = Tokens(transport, secrets, monotonic)

    async def of(
        self, connection: Connection, manifest: Manifest, within_s: float
    ) -> Credential | NoToken:
        """The credential to use now, or why there is none."""
        try:
            return await self._of(connection, manifest, within_s)
        except SecretMissingError as error:
            return NoToken(error.code, str(error), refused=True)

    def drop(self, credential: Credential) -> None:
        """Forget the token of a credential that the partner refused."""
        if credential.token is not None:
            self._tokens.drop(credential.token)

    async def _of(
        self, connection: Connection, manifest: Manifest, within_s: float
    ) -> Credential | NoToken:
        match connection.auth:
            case NoAuth():
                return ANONYMOUS
            case BasicAuth() as auth:
                password = self._secrets.of(auth.password)
                shown = basic_credentials(auth.username, password)
                return _credential(f"Basic {shown}", password, shown)
            case BearerAuth() as auth:
                token = self._secrets.of(auth.token)
                return _credential(f"Bearer {token}", token)
            case OAuthAuth() as auth:
                return await self._with_token(connection, auth, manifest, within_s)

    async def _with_token(
        self, connection: Connection, auth: OAuthAuth, manifest: Manifest, within_s: float
    ) -> Credential | NoToken:
        path = auth.token_path or (manifest.oauth and manifest.oauth.token_path)
        if not path:
            message = f"{manifest.name} has no token path: give the connection auth.token_path"
            return NoToken("token_path_missing", message, refused=True)
        token = await self._tokens.get(connection, auth, path, within_s)
        if isinstance(token, NoToken):
            return token
        secret = self._secrets.of(auth.client_secret)
        return _credential(f"Bearer {token.value}", token.value, secret, token=token)


@lru_cache(maxsize=256)
def _credential(header: str, *secrets: str, token: Token | None = None) -> Credential:
    return Credential(header, Scrubber.of(None, secrets), token)
