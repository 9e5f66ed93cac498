"""What the webhook routes work with beside the rest of the API."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from projections.webhooks.deliveries import Deliveries
from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.sealing import TenantKeys
from streams.core.webhooks.egress import AllowList


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookServices:
    """The caller starts and closes `endpoints` and `resolver`."""

    endpoints: EndpointBook
    deliveries: Deliveries
    allow: AllowList
    resolver: AbstractResolver
    keys: Mapping[str, TenantKeys]
