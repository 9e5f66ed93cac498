"""Partners that call us: each shows the secret of its connection instead of an API key."""

import base64
import hmac
from collections.abc import Iterator

from aiohttp import web

from plugins.secret_values import SecretMissingError, SecretValues
from schemas.connections import Connections
from waybill.api.principal import Principal, Scope

SHORTEST_SECRET = 16
"""Characters; a shorter one opens nothing."""


class PartnerSecrets:
    """The `inbound` secrets of all connections."""

    def __init__(self, connections: Connections, values: SecretValues) -> None:
        self._connections = connections
        self._values = values

    def admit(self, request: web.Request, partner: str) -> Principal | None:
        """Whose partner shows its secret, as a bearer token or as the password of HTTP Basic.

        Tenant and mode are those of the connection. None where the secret fits none.
        """
        shown = _shown(request.headers.get("Authorization", ""))
        if len(shown) < SHORTEST_SECRET:
            return None
        found = None
        # All are compared, so that the time taken does not tell which one nearly fits.
        for principal, secret in self._of(partner):
            if hmac.compare_digest(shown, secret) and found is None:
                found = principal
        return found

    def _of(self, partner: str) -> Iterator[tuple[Principal, bytes]]:
        for tenant, modes in self._connections.root.items():
            for mode, named in modes.items():
                connection = named.get(partner)
                if connection is None or connection.inbound is None:
                    continue
                try:
                    secret = self._values.of(connection.inbound).encode()
                except SecretMissingError:
                    continue
                scopes = frozenset({Scope.SUBMIT})
                yield Principal(tenant, scopes, f"partner:{partner}", mode), secret


def _shown(authorization: str) -> bytes:
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return text.strip().encode(errors="replace")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(text.strip(), validate=True).partition(b":")[2]
    except ValueError:
        return b""
