"""Acme's hooks: where a buyer came from goes into what is billed."""

from dataclasses import replace
from typing import Any

from plugins.api import Request, Step


def campaign_in_zuora(step: Step[Any], request: Request) -> Request:
    """The order's campaign as a custom field of Zuora's order."""
    campaign = step.order.get("tracking", {}).get("campaign")
    if campaign is None:
        return request
    body = dict(request.body or {})
    body["customFields"] = {**body.get("customFields", {}), "Campaign__c": campaign}
    return replace(request, body=body)


def campaign_in_stripe(step: Step[Any], request: Request) -> Request:
    """Stripe takes forms: names in brackets, values that are texts."""
    campaign = step.order.get("tracking", {}).get("campaign")
    if campaign is None:
        return request
    return replace(request, body={**(request.body or {}), "metadata[campaign]": campaign})
