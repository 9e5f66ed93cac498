"""The rules by which orders are taken, put together from settings: for workers and the API."""

from collections.abc import Mapping

from plugins.addressing import Addressing
from plugins.registry import Registry
from streams.core.commanding import Commanding
from streams.core.intake import Intake
from streams.core.sealing import TenantKeys
from streams.core.sequence import Sequencer
from waybill.configuration import load_configurations, load_connections, plugin_facts
from waybill.settings import Settings


def sequencers(settings: Settings, registry: Registry) -> dict[str, Sequencer]:
    """One per tenant with a configuration; RefusedConfigurationError."""
    plugins = plugin_facts(registry)
    found = load_configurations(settings, registry)
    return {tenant: Sequencer(configuration, plugins) for tenant, configuration in found.items()}


def addressing(settings: Settings, registry: Registry) -> Addressing:
    """The connections in use; RefusedConfigurationError."""
    return Addressing(registry, load_connections(settings))


def intake(settings: Settings, registry: Registry, keys: Mapping[str, TenantKeys]) -> Intake:
    """Intake under the configurations, connections and keys in use."""
    return Intake(sequencers(settings, registry), keys, addressing(settings, registry).missing)


def commanding(taking: Intake, registry: Registry) -> Commanding:
    """How commands are taken, by the same rules as orders."""
    return Commanding(taking, lambda plugin: registry.get(plugin).manifest.sealed_outputs)
