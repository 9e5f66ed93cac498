"""The endpoints of all tenants, as `webhook-endpoints` has them, with their secrets at hand."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from streams.agents.contested import Contested, SettingsTopic
from streams.core.first_holds import is_restated
from streams.core.sealing import TenantKeys, UnsealingError
from streams.core.webhooks.endpoint import (
    Deleted,
    Endpoint,
    Secret,
    UnreadableEndpointError,
    clear_headers,
    endpoint_from,
    opened_secrets,
)
from streams.core.webhooks.signing import SigningKey
from streams.kafka.admin import Cluster
from streams.kafka.following import Following

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class _Opened:
    """An endpoint's secrets in clear, as one revision has them."""

    revision: int
    secrets: tuple[tuple[Secret, SigningKey], ...]
    headers: Mapping[str, str]


class EndpointBook:
    """Reads the topic from its beginning and stays at its end. For one event loop.

    Of two records of the same revision the first holds, and nothing follows a deletion: whoever
    writes learns whether another was first.
    """

    def __init__(self, cluster: Cluster, topic: str, keys: Mapping[str, TenantKeys]) -> None:
        self._keys = keys
        self._of: dict[str, tuple[Endpoint, ...]] = {}
        self._opened: dict[str, _Opened] = {}
        self._contested: Contested[Endpoint | Deleted] = Contested()
        self._following = Following(
            topic, cluster.bootstrap, cluster.security.client_options(), self.take
        )
        self.start = self._following.start
        self.close = self._following.stop
        self.caught_up = self._following.caught_up

    @property
    def known(self) -> bool:
        """Whether all that was there at the start has been read."""
        return self._following.is_caught_up

    def of(self, tenant: str) -> Sequence[Endpoint]:
        """The tenant's endpoints, disabled ones too, the oldest first."""
        return self._of.get(tenant, ())

    def everyone(self) -> Sequence[Endpoint]:
        """The endpoints of all tenants, disabled ones too."""
        return [one for mine in self._of.values() for one in mine]

    def get(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint; None where there is none, or none any more."""
        held = self._contested.get(endpoint_id)
        return held if isinstance(held, Endpoint) else None

    def holds(self, endpoint_id: str) -> Endpoint | Deleted | None:
        """What the topic says of that id; None for an id that was never used."""
        return self._contested.get(endpoint_id)

    def signing_keys(self, endpoint: Endpoint, now: datetime) -> Sequence[SigningKey]:
        """What a delivery at `now` is signed with, the newest first.

        `UnsealingError` where the tenant's key is missing or is another one.
        """
        return [
            key
            for secret, key in self._open(endpoint).secrets
            if secret.expires is None or secret.expires > now
        ]

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        """The endpoint's own headers as they are sent. `UnsealingError` as `signing_keys`."""
        return self._open(endpoint).headers

    async def write(
        self, record: Endpoint | Deleted, topic: SettingsTopic[Endpoint | Deleted]
    ) -> bool:
        """Whether the record holds, once it was read back; False where another was first.

        TimeoutError where nobody can tell yet.
        """
        return await self._contested.write(record.id, record, topic)

    async def settle(self, topic: SettingsTopic[Endpoint | Deleted]) -> None:
        """Writes what holds once more where another record stands last; once all is read."""
        if self.known:
            await self._contested.settle(topic)

    def take(self, value: bytes | None) -> None:
        """The next record; what cannot be read changes nothing."""
        if value is None:
            return
        try:
            record = endpoint_from(value)
        except UnreadableEndpointError:
            log.error("a record of webhook-endpoints is not understood")  # noqa: TRY400 (the record is at fault, not the code)
            return
        again = is_restated(value)
        if self._contested.take(record.id, _rank(record), record, is_restated=again):
            self._opened.pop(record.id, None)
            self._of[record.tenant] = self._sorted(record.tenant)

    def _sorted(self, tenant: str) -> tuple[Endpoint, ...]:
        mine = (one for one in self._contested.all() if one.tenant == tenant)
        found = [one for one in mine if isinstance(one, Endpoint)]
        return tuple(sorted(found, key=lambda one: (one.created, one.id)))

    def _open(self, endpoint: Endpoint) -> _Opened:
        opened = self._opened.get(endpoint.id)
        if opened is not None and opened.revision == endpoint.revision:
            return opened
        keys = self._keys.get(endpoint.tenant)
        if keys is None:
            raise UnsealingError(f"there is no key for tenant {endpoint.tenant}")
        opened = _Opened(
            endpoint.revision, opened_secrets(keys, endpoint), clear_headers(keys, endpoint)
        )
        self._opened[endpoint.id] = opened
        return opened


def _rank(record: Endpoint | Deleted) -> float:
    return math.inf if isinstance(record, Deleted) else record.revision
