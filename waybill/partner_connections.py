"""The connections as people see them: where they lead, who uses them, how the last check went."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from plugins.api import Manifest
from schemas.connections import Connection, Connections, SecretFromEnvironment
from waybill.configuration_checks import Catalogue
from waybill.connection_checks import ConnectionCheck, ConnectionChecker, secret_references
from waybill.findings import errors

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a connection stands."""

    tenant: str
    mode: str
    name: str


@dataclass(frozen=True, slots=True)
class PartnerConnection:
    """A connection with those who use it; `check` None: it was not checked yet."""

    place: Place
    connection: Connection
    used_by: tuple[str, ...]
    check: ConnectionCheck | None

    @property
    def status(self) -> str:
        """`ok`, `warning`, `error`, or `unchecked`."""
        if self.check is None:
            return "unchecked"
        if errors(self.check.findings):
            return "error"
        return "warning" if self.check.findings else "ok"

    def as_json(self) -> dict[str, Any]:
        """All but secrets: of headers the names, of secrets where they are found."""
        connection = self.connection
        return {
            "name": self.place.name,
            "mode": self.place.mode,
            "base_url": shown_url(connection.base_url),
            "auth": connection.auth.type,
            "secrets": [_reference(*one) for one in secret_references(connection)],
            "headers": sorted(connection.headers),
            "limits": connection.limits.model_dump(mode="json"),
            "used_by": list(self.used_by),
            "status": self.status,
            "check": None if self.check is None else _checked(self.check),
        }


class PartnerConnections:
    """All connections of an installation, and their last checks."""

    def __init__(
        self, connections: Connections, catalogue: Catalogue, checker: ConnectionChecker
    ) -> None:
        self._catalogue = catalogue
        self._checker = checker
        self._all = dict(_placed(connections))
        self._checks: dict[Place, ConnectionCheck] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)

    @property
    def tenants(self) -> Sequence[str]:
        """Those who have any."""
        return sorted({place.tenant for place in self._all})

    def listed(
        self, tenant: str, mode: str | None = None, name: str | None = None
    ) -> list[PartnerConnection]:
        """The tenant's, by name, then mode; only those of a mode or a name where it is given."""
        return [
            self._seen(place)
            for place in sorted(self._all, key=lambda one: (one.name, one.mode))
            if place.tenant == tenant and mode in {None, place.mode} and name in {None, place.name}
        ]

    async def check(
        self, tenant: str, mode: str | None = None, name: str | None = None
    ) -> list[PartnerConnection]:
        """As `listed`, each checked now, some at once."""
        places = [one.place for one in self.listed(tenant, mode, name)]
        await asyncio.gather(*map(self._check, places))
        return [self._seen(place) for place in places]

    async def _check(self, place: Place) -> None:
        async with self._turn:
            found = await self._checker.check(self._all[place], self._users(place.name))
            self._checks[place] = found

    def _seen(self, place: Place) -> PartnerConnection:
        users = tuple(one.name for one in self._users(place.name))
        return PartnerConnection(place, self._all[place], users, self._checks.get(place))

    def _users(self, connection: str) -> list[Manifest]:
        known = (self._catalogue.get(name).manifest for name in sorted(self._catalogue.names()))
        return [one for one in known if connection == one.connection_name]


def shown_url(base_url: str) -> str:
    """Without what may be a secret in it: a user, a query."""
    url = urlsplit(base_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"


def _checked(check: ConnectionCheck) -> dict[str, Any]:
    """Findings without their places, which lie in a file of the operator's."""
    findings = [
        {
            "code": one.code,
            "message": one.message,
            "remedy": one.remedy,
            "severity": one.severity.value,
        }
        for one in check.findings
    ]
    return {**asdict(check), "findings": findings}


def _placed(connections: Connections) -> Iterator[tuple[Place, Connection]]:
    for tenant, modes in connections.root.items():
        for mode, named in modes.items():
            for name, connection in named.items():
                yield Place(tenant, mode, name), connection


def _reference(member: str, secret: Any) -> Mapping[str, str]:
    if isinstance(secret, SecretFromEnvironment):
        return {"member": member, "kind": "env", "name": secret.env}
    return {"member": member, "kind": "file", "name": secret.file}
