"""Fields of the form of a webhook endpoint, as the API takes them and back."""

import re
from collections.abc import Mapping
from typing import Any

from streams.core.webhooks.endpoint import IN_FLIGHT
from waybill.api.problems import MALFORMED_MEMBER, ApiProblem

Fields = Mapping[str, str]


def given_of(endpoint: Mapping[str, Any] | None) -> dict[str, str]:
    """What the form shows: of the endpoint, else of a new one."""
    if endpoint is None:
        return {
            **dict.fromkeys(("url", "description", "rate_limit", "headers", "reason"), ""),
            "events": "*",
            "payload": "full",
            "max_in_flight": str(IN_FLIGHT),
            "secret_kind": "v1",
            "personal_data": "",
        }
    rate = endpoint["rate_limit"]
    return {
        "url": endpoint["url"],
        "description": endpoint["description"],
        "events": "\n".join(endpoint["events"]),
        "payload": endpoint["payload"],
        "personal_data": "yes" if endpoint["personal_data"] else "",
        "rate_limit": "" if rate is None else f"{rate:g}",
        "max_in_flight": str(endpoint["max_in_flight"]),
        "headers": "\n".join(f"{name}:" for name in endpoint["header_names"]),
        "reason": "",
    }


def endpoint_of(form: Fields) -> dict[str, Any]:
    """The endpoint that the form asks for."""
    headers = {name: value for name, value in _headers(form).items() if value}
    return {**_members(form), "headers": headers, "secret_kind": form.get("secret_kind", "v1")}


def changes_of(form: Fields, endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Those members that the form has otherwise.

    Headers that have no value stay as they are; those that are no longer named are taken away.
    """
    members = _members(form)
    changed = {name: value for name, value in members.items() if value != endpoint[name]}
    headers = _headers(form)
    wanted: dict[str, str | None] = {name: value for name, value in headers.items() if value}
    wanted |= {name: None for name in endpoint["header_names"] if name not in headers}
    return changed | ({"headers": wanted} if wanted else {})


def _members(form: Fields) -> dict[str, Any]:
    in_flight = number(form, "max_in_flight", int)
    return {
        "url": form.get("url", "").strip(),
        "description": form.get("description", "").strip(),
        "events": re.split(r"[\s,]+", form.get("events", "").strip() or "*"),
        "payload": form.get("payload", "full"),
        "personal_data": form.get("personal_data") == "yes",
        "rate_limit": number(form, "rate_limit", float),
        "max_in_flight": IN_FLIGHT if in_flight is None else in_flight,
    }


def number(form: Fields, name: str, kind: type[int] | type[float]) -> Any:
    """The field as a number, None where it is empty; a 422 problem where it is none."""
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise ApiProblem(
            MALFORMED_MEMBER, f"{text[:40]!r} is no number", "write a number", f"/{name}"
        ) from None


def _headers(form: Fields) -> dict[str, str]:
    """One per line, `Name: value`; names in small letters, as endpoints keep them."""
    found: dict[str, str] = {}
    for line in form.get("headers", "").splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon:
            raise ApiProblem(
                MALFORMED_MEMBER,
                "a line of the headers has no colon",
                "write one per line, as `Name: value`",
                "/headers",
            )
        found[name.strip().lower()] = value.strip()
    return found
