"""The rules by which orders are taken, put together from settings: for workers and the API."""

from collections.abc import Mapping

from plugins.addressing import Addressing
from plugins.registry import Registry
from projections.config_versions import ConfigVersions
from projections.store import Store
from schemas.configuration import Configuration
from streams.core.commanding import Commanding
from streams.core.config_versions import FROM_FILE, Version, numbered
from streams.core.intake import Intake
from streams.core.sealing import TenantKeys
from waybill import clock
from waybill.configuration import configuration_file, load_configurations, load_connections
from waybill.configuring.book import ConfigurationBook
from waybill.configuring.drafts import Drafting
from waybill.settings import Settings


def addressing(settings: Settings, registry: Registry) -> Addressing:
    """The connections in use; RefusedConfigurationError."""
    return Addressing(registry, load_connections(settings))


def configurations(settings: Settings, registry: Registry, store: Store) -> ConfigurationBook:
    """The configurations of all tenants, from the file alone yet; RefusedConfigurationError."""
    files = load_configurations(settings, registry)
    name = configuration_file(settings).name
    return ConfigurationBook(
        {tenant: _of_file(tenant, found, name) for tenant, found in files.items()},
        Drafting(registry, load_connections(settings)),
        ConfigVersions(store),
        clock.utc_now,
    )


def intake(
    book: ConfigurationBook, keys: Mapping[str, TenantKeys], connections: Addressing
) -> Intake:
    """Intake under the configurations, connections and keys in use."""
    return Intake(book.sequencers, keys, connections.missing)


def commanding(taking: Intake, registry: Registry) -> Commanding:
    """How commands are taken, by the same rules as orders."""
    return Commanding(taking, lambda plugin: registry.get(plugin).manifest.sealed_outputs)


def _of_file(tenant: str, configuration: Configuration, name: str) -> Version:
    document = configuration.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Version(
        tenant=tenant,
        version=configuration.version,
        base=None,
        author=FROM_FILE,
        reason=f"as {name} has it",
        at=clock.utc_now(),
        document=numbered(document, configuration.version),
    )
