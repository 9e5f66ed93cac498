"""What this installation publishes: which results of steps, and which outputs never."""

from plugins.registry import Registry
from streams.agents.publication import Published
from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.webhooks.catalogue import wants_step_results
from waybill.settings import Settings


def published(settings: Settings, registry: Registry, book: EndpointBook) -> Published:
    """Results of steps where the setting or an endpoint wants them; no connector's secrets."""

    def step_results(tenant: str) -> bool:
        return settings.step_results or any(
            endpoint.enabled and wants_step_results(endpoint.events) for endpoint in book.of(tenant)
        )

    secrets = {name: registry.get(name).manifest.sealed_outputs for name in registry.names()}
    return Published(step_results=step_results, secrets=secrets)
