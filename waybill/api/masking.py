"""What only operators may see is taken out for everybody else."""

from collections.abc import Mapping
from typing import Any

_FOR_EVERYBODY = ("code", "buyer_message")
_FACTS = (
    "order_type",
    "mode",
    "external_id",
    "order_reference",
    "subscription_reference",
    "owner",
    "effective_date",
    "config_version",
    "step",
    "plugin",
    "attempt",
    "completion",
    "next_attempt_at",
    "kind",
    "command",
    "stage",
    "until",
    "behind",
    "passed_by",
    "from_step",
    "standing",
)
"""Members of an event that are no partner's words."""


def masked_error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Code and words for the buyer."""
    if error is None:
        return None
    return {name: error[name] for name in _FOR_EVERYBODY if name in error}


def masked_order(order: Mapping[str, Any]) -> dict[str, Any]:
    """An order without what partners answered, and without who paused it and why."""
    steps = [{**step, "error": masked_error(step["error"])} for step in order["steps"]]
    paused = {"next_action": "paused"} if order["status"] == "paused" else {}
    return {**order, **paused, "steps": steps, "error": masked_error(order["error"])}


def masked_process_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A record without bodies and messages of partners."""
    hidden = {"request": None, "response": None, "error": None, "key": None}
    return {
        **event,
        "callouts": [{**callout, **hidden} for callout in event["callouts"]],
        "errors": [{**error, "message": None} for error in event["errors"]],
        "logs": [line for line in event["logs"] if line["level"] == "info"],
    }


def masked_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the timeline without what partners were sent and answered."""
    data = {name: value for name, value in entry["data"].items() if name in _FACTS}
    if "failure" in entry["data"]:
        data["failure"] = masked_error(entry["data"]["failure"])
    return {**entry, "data": data}
