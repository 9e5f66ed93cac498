"""How endpoints do: what deliveries found out about them, and what operators should look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from streams.core.webhooks.endpoint import Endpoint
from waybill.api.call import Call

State: TypeAlias = Mapping[str, Any]
"""What deliveries found out about an endpoint, as `Deliveries.states` has it."""

_NOTHING: Mapping[str, Any] = {
    "pending": 0,
    **dict.fromkeys(("oldest_pending", "failing_since", "last_success")),
}


async def endpoint_states(call: Call) -> Mapping[str, State]:
    """By endpoint; those that nothing was ever sent to are missing."""
    deliveries = call.api.services.webhooks.deliveries
    return await call.api.reader.ask(lambda _: deliveries.states(call.tenant))


def is_disabled(endpoint: Endpoint, state: State | None) -> bool:
    """Whether it gets nothing: by hand, or because of what deliveries found out."""
    return not endpoint.enabled or _found_out(endpoint, state)


def endpoint_view(endpoint: Endpoint, state: State | None, now: datetime) -> dict[str, Any]:
    """The endpoint as the API shows it: no secret, no header's value."""
    known = _NOTHING if state is None else {name: state[name] for name in _NOTHING}
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.events,
        "payload": endpoint.payload,
        "personal_data": endpoint.personal_data,
        "header_names": [one.name for one in endpoint.headers],
        "enabled": not is_disabled(endpoint, state),
        "disabled": _disabled(endpoint, state),
        "rate_limit": endpoint.rate_limit,
        "max_in_flight": endpoint.max_in_flight,
        "secrets": [
            {
                "id": one.id,
                "kind": one.kind,
                "public": one.public,
                "created": one.created,
                "expires": one.expires,
            }
            for one in endpoint.valid_secrets(now)
        ],
        **known,
        "created": endpoint.created,
        "updated": endpoint.updated,
        "revision": endpoint.revision,
    }


async def disabled_causes(call: Call) -> list[dict[str, Any]]:
    """The endpoints that deliveries disabled, as causes of `/api/attention`."""
    found = call.api.services.webhooks.endpoints.of(call.tenant)
    states = await endpoint_states(call) if found else {}
    return [
        {
            "kind": "webhook_endpoint",
            "plugin": endpoint.id,
            "code": state["reason"],
            "orders": state["pending"],
            "oldest": state["disabled_at"],
            "needs_person": True,
            "some": [],
        }
        for endpoint in found
        if endpoint.enabled and (state := states.get(endpoint.id)) and _found_out(endpoint, state)
    ]


def _found_out(endpoint: Endpoint, state: State | None) -> bool:
    return (
        state is not None
        and state["disabled_at"] is not None
        and state["generation"] == endpoint.generation
    )


def _disabled(endpoint: Endpoint, state: State | None) -> dict[str, Any] | None:
    if not endpoint.enabled:
        return {"reason": "by_hand", "at": None}
    if state is None or not _found_out(endpoint, state):
        return None
    return {"reason": state["reason"], "at": state["disabled_at"]}
