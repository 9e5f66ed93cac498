"""The org's duplicate rules: whom a new record may be, and what is said of it.

They watch e-mail addresses at `duplicate.test` and accounts whose name begins with `Duplicate`,
and let them pass where the caller allows it; `blocked.test` and `Blocked` never pass.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from waybill.sandbox.salesforce_fields import Fault

Record: TypeAlias = dict[str, Any]
Find: TypeAlias = Callable[[str, str, str], list[Record]]

_EMAILS = {"Account": "PersonEmail", "Contact": "Email"}
_ALERTS, _BLOCKS = ("@duplicate.test", "duplicate"), ("@blocked.test", "blocked")


class Match(NamedTuple):
    """Records that a new one resembles, and whether the rule lets it pass on request."""

    found: list[Record]
    passable: bool


def match(find: Find, kind: str, record: Record) -> Match | None:
    """What the rules say of a new record; None where they have nothing against it."""
    for (domain, name), passable in ((_ALERTS, True), (_BLOCKS, False)):
        for field, value in _watched(kind, record, domain, name):
            found = find(kind, field, value)
            if found:
                return Match(found, passable)
    return None


def detected(kind: str, found: Match) -> Fault:
    """The fault as Salesforce tells it, with the ids of the records that it means."""
    result = {
        "allowSave": found.passable,
        "duplicateRule": f"Standard_{kind}_Duplicate_Rule",
        "duplicateRuleEntityType": kind,
        "errorMessage": "You're creating a duplicate record.",
        "matchResults": [
            {
                "entityType": kind,
                "errors": [],
                "matchEngine": "FuzzyMatchEngine",
                "matchRecords": [
                    {
                        "additionalInformation": [],
                        "fieldDiffs": [],
                        "matchConfidence": 100.0,
                        "record": {"attributes": {"type": kind}, "Id": one["Id"]},
                    }
                    for one in found.found
                ],
                "rule": f"Standard_{kind}_Match_Rule_v1_0",
                "size": len(found.found),
                "success": True,
            }
        ],
    }
    message = "Use one of these records?"
    return Fault("DUPLICATES_DETECTED", message, (), {"duplicateResult": result})


def _watched(kind: str, record: Record, domain: str, name: str) -> list[tuple[str, str]]:
    email = record.get(_EMAILS.get(kind, ""))
    fields: list[tuple[str, str]] = []
    if isinstance(email, str) and email.lower().endswith(domain):
        fields.append((_EMAILS[kind], email))
    called = record.get("Name")
    if kind == "Account" and isinstance(called, str) and called.lower().startswith(name):
        fields.append(("Name", called))
    return fields
