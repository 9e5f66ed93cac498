"""Where this installation may send webhooks: the setting, less what Waybill itself stands on."""

from collections.abc import Iterator

from sqlalchemy.engine import make_url
from yarl import URL

from streams.core.webhooks.egress import AllowList, Place
from waybill.settings import Address, Settings, parse_address

_DATABASE_PORT = 5432


def allow_list(settings: Settings) -> AllowList:
    """What may be reached beside public addresses; never our Kafka, database, registry and API."""
    return AllowList.parsed(settings.webhook_allow, own=_own(settings))


def _own(settings: Settings) -> Iterator[Place]:
    for address in (*_brokers(settings), settings.http, settings.metrics):
        if address is not None:
            yield Place(address.host, address.port)
    database = make_url(settings.database)
    if database.host:
        yield Place(database.host, database.port or _DATABASE_PORT)
    if settings.schema_registry is not None:
        registry = URL(settings.schema_registry)
        yield Place(registry.host or "", registry.port)


def _brokers(settings: Settings) -> Iterator[Address | None]:
    for server in (settings.kafka or "").split(","):
        yield parse_address(server)
