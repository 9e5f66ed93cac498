"""Keeps in the audit which API keys are made and taken away, as their file tells at each start."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from projections.audit import Audit, AuditEntry, AuditKind, AuditOutcome, derived_act
from waybill.api.auth import ApiKey, KeyAct

FROM_FILE = "file"
"""Who did it where only the file of keys shows that it was done."""
_GONE = frozenset({"revoked", "removed"})
_PRINT = 12

_Name: TypeAlias = tuple[str, str]
"""Tenant and id of a key."""


class _Act(NamedTuple):
    """What became of a key, and how it is then."""

    action: str
    by: KeyAct
    details: Mapping[str, Any]


def keep_keys(audit: Audit, keys: Iterable[ApiKey], now: datetime) -> None:
    """Writes what became of keys since the audit was last told; blocking.

    Several processes that start at once with one file write each entry once.
    """
    known: dict[_Name, list[dict[str, Any]]] = {}
    for tenant, shape in audit.of_kind(AuditKind.API_KEY):
        known.setdefault((tenant, shape["subject"]), []).append(shape)
    present = {(key.tenant, key.id): key for key in keys}
    unseen = KeyAct(at=now, by=FROM_FILE)
    for name in [*present, *(known.keys() - present.keys())]:
        told = known.get(name, ())
        for number, act in enumerate(_since(told, present.get(name), unseen), len(told)):
            audit.record(_entry(name, number, act))


def _since(told: Sequence[Mapping[str, Any]], key: ApiKey | None, unseen: KeyAct) -> Iterator[_Act]:
    """What the audit was not told of yet."""
    last = told[-1] if told else None
    held = None if last is None or last["action"] in _GONE else last["details"]
    if key is None:
        if held is not None:
            yield _Act("removed", unseen, {})
        return
    details = _details(key)
    if key.revoked is not None and told and held is None:
        return
    if held is None:
        yield _Act("made", unseen if told or key.made is None else key.made, details)
    elif held != details:
        yield _Act("changed", unseen, details)
    if key.revoked is not None:
        yield _Act("revoked", key.revoked, {})


def _details(key: ApiKey) -> dict[str, Any]:
    """What the key allows; `print` tells two keys of one id apart, and opens nothing."""
    return {
        "scopes": sorted(scope.value for scope in key.scopes),
        "expires": None if key.expires is None else key.expires.isoformat(),
        "actor": key.actor,
        "print": key.hash[:_PRINT],
    }


def _entry(name: _Name, number: int, act: _Act) -> AuditEntry:
    tenant, subject = name
    return AuditEntry(
        id=derived_act("api-key", tenant, subject, str(number), act.action),
        tenant=tenant,
        at=act.by.at,
        kind=AuditKind.API_KEY,
        action=act.action,
        subject=subject,
        actor=act.by.by,
        reason=act.by.reason,
        outcome=AuditOutcome.DONE,
        details=act.details,
    )
