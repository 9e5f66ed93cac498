"""Every page of the console, and what its navigation leads to."""

from dataclasses import dataclass

from waybill.api.principal import Scope
from waybill.console import (
    acting,
    audit,
    bulk,
    configuration,
    configuration_editing,
    deliveries,
    order,
    orders,
    overview,
    partners,
    rejected,
    signing,
    stages,
    subscriptions,
    webhooks,
)
from waybill.console.pages import Page

CONSOLE: tuple[Page, ...] = (
    *overview.PAGES,
    *orders.PAGES,
    *bulk.PAGES,
    *order.PAGES,
    *acting.PAGES,
    *stages.PAGES,
    *deliveries.PAGES,
    *webhooks.PAGES,
    *rejected.PAGES,
    *audit.PAGES,
    *subscriptions.PAGES,
    *configuration.PAGES,
    *configuration_editing.PAGES,
    *partners.PAGES,
    *signing.PAGES,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the navigation; `key` follows `g`. Shown where the page is there and allowed."""

    path: str
    name: str
    key: str
    scope: Scope


NAVIGATION: tuple[Place, ...] = (
    Place("/", "Overview", "h", Scope.READ),
    Place("/orders", "Orders", "o", Scope.READ),
    Place("/subscriptions", "Subscriptions", "u", Scope.READ),
    Place("/stages", "Stages", "s", Scope.OPERATE),
    Place("/webhooks", "Webhooks", "w", Scope.READ),
    Place("/rejected", "Rejected", "r", Scope.OPERATE),
    Place("/configuration", "Configuration", "c", Scope.READ),
    Place("/connectors", "Connectors", "n", Scope.READ),
    Place("/audit", "Audit", "a", Scope.OPERATE),
)
