"""What of an answer leads to which operation, for the OpenAPI document (its links)."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Parameters: TypeAlias = Mapping[str, str]

_ORDER: Parameters = {"id": "$response.body#/id"}
_OF_ORDER = ("readOrder", "readTimeline", "readProcessEvents", "commandOrder", "listCommands")
_SUBSCRIPTION: Parameters = {"reference": "$response.body#/subscriptionReference"}
_OF_SUBSCRIPTION = ("readSubscription", "listSubscriptionOrders", "readSubscriptionTimeline")
_OF_ENDPOINT = (
    *("readWebhookEndpoint", "updateWebhookEndpoint", "rotateWebhookSecret"),
    *("testWebhookEndpoint", "replayWebhookDeliveries", "deleteWebhookEndpoint"),
)
_COMMAND: Parameters = {"id": "$response.body#/id"}

_LINKS: Mapping[tuple[str, int], tuple[tuple[tuple[str, ...], Parameters], ...]] = {
    ("submitOrder", 200): ((_OF_ORDER, _ORDER), (_OF_SUBSCRIPTION, _SUBSCRIPTION)),
    ("submitOrder", 202): ((_OF_ORDER, _ORDER), (_OF_SUBSCRIPTION, _SUBSCRIPTION)),
    ("notifyZuoraEvent", 202): ((_OF_ORDER, _ORDER),),
    ("synchroniseSubscription", 200): ((_OF_ORDER, {"id": "$response.body#/order"}),),
    ("synchroniseSubscription", 202): ((_OF_ORDER, {"id": "$response.body#/order"}),),
    ("commandOrder", 200): ((("readCommand",), _COMMAND),),
    ("commandOrder", 202): ((("readCommand",), _COMMAND),),
    ("commandOrders", 202): (
        (("readBulk",), _COMMAND),
        (("readBulkByQuery",), {"bulk": "$response.body#/id"}),
    ),
    ("createWebhookEndpoint", 201): ((_OF_ENDPOINT, {"id": "$response.body#/id"}),),
    ("testWebhookEndpoint", 202): ((("readWebhookDelivery",), {"id": "$response.body#/delivery"}),),
    ("listSubjects", 200): ((("listVersions",), {"subject": "$response.body#/0"}),),
    ("listVersions", 200): (
        (
            ("readVersion",),
            {"subject": "$request.path.subject", "version": "$response.body#/0"},
        ),
    ),
    ("readVersion", 200): ((("readSchema",), {"id": "$response.body#/id"}),),
}


def links_of(operation: str, status: int) -> dict[str, Any]:
    """Links of one answer by name."""
    return dict(_links(_LINKS.get((operation, status), ())))


def linked() -> set[str]:
    """The ids of all operations that links lead from or to."""
    ends = {operation for operation, _ in _LINKS}
    return ends.union(*(targets for links in _LINKS.values() for targets, _ in links))


def _links(
    links: tuple[tuple[tuple[str, ...], Parameters], ...],
) -> Iterator[tuple[str, dict[str, Any]]]:
    for targets, parameters in links:
        for target in targets:
            yield target, {"operationId": target, "parameters": dict(parameters)}
