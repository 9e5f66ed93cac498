"""Keeping who did what and why: written before it is done, so that nothing is done unseen."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from projections.audit import AuditEntry, AuditKind, AuditOutcome
from schemas.order_commands import MAX_REASON
from waybill.api.call import Call
from waybill.api.problems import ApiProblem
from waybill.api.shapes import NoQuery

log = logging.getLogger(__name__)


class ReasonQuery(NoQuery):
    """Why something is done that needs no body of its own."""

    reason: str | None = Field(
        default=None, max_length=MAX_REASON, description="Why; it stays in the audit"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody does, and to what."""

    kind: AuditKind
    action: str
    subject: str
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def reason_of(call: Call) -> str | None:
    """The reason that the query gives."""
    given: str | None = getattr(call.query, "reason", None)
    return given or None


@asynccontextmanager
async def audited(call: Call, act: Act) -> AsyncIterator[None]:
    """Around what is done: a 503 problem, and nothing done, where it cannot be written down.

    What ends with a problem is kept as refused, with the problem's code. Where the process dies
    in between the entry stays `asked`.
    """
    entry = await _recorded(call, act)
    try:
        yield
    except ApiProblem as problem:
        await _settled(call, entry, AuditOutcome.REFUSED, problem.kind.code)
        raise
    await _settled(call, entry, AuditOutcome.DONE)


async def _recorded(call: Call, act: Act) -> str:
    services = call.api.services
    entry = AuditEntry(
        id=f"act_{services.random_bytes(16).hex()}",
        tenant=call.tenant,
        at=services.now(),
        kind=act.kind,
        action=act.action,
        subject=act.subject,
        actor=call.principal.actor,
        reason=act.reason,
        details=act.details,
    )
    await call.api.reader.ask(lambda _: services.audit.record(entry))
    return entry.id


async def _settled(call: Call, entry: str, outcome: AuditOutcome, code: str | None = None) -> None:
    audit = call.api.services.audit
    try:
        await call.api.reader.ask(lambda _: audit.settle(entry, outcome, code))
    except ApiProblem as problem:
        # It is done, or it is not: that the entry says `asked` must not change the answer.
        log.warning("what came of %s is not in the audit: %s", entry, problem.detail)
