"""Keeps in the audit what is done on this machine past the API: to Kafka or to the store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from projections.audit import INSTALLATION, Audit, AuditEntry, AuditKind, AuditOutcome
from projections.store import Store, StoreError
from waybill import clock
from waybill.settings import Settings, operator_name


class UnkeptError(Exception):
    """Nothing is done, since nobody would know who did it."""

    code = "audit_unavailable"
    remedy = "set WAYBILL_DATABASE as the API and the workers have it, and see that it answers"
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAct:
    """What is done, and to what; without a tenant it is about the whole installation."""

    kind: AuditKind
    action: str
    subject: str
    tenant: str = INSTALLATION
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalActs:
    """Writes acts down before they are done."""

    audit: Audit

    @contextmanager
    def kept(self, act: LocalAct) -> Iterator[None]:
        """Around one act; `UnkeptError`, and nothing done, where it cannot be written down.

        What ends with an error is kept as refused, with the error's code.
        """
        entry = self._recorded(act)
        try:
            yield
        except Exception as problem:
            self.audit.settle(entry, AuditOutcome.REFUSED, _code(problem))
            raise
        self.audit.settle(entry, AuditOutcome.DONE)

    def _recorded(self, act: LocalAct) -> str:
        entry = AuditEntry(
            id=f"act_{clock.random_bytes(16).hex()}",
            tenant=act.tenant,
            at=clock.utc_now(),
            kind=act.kind,
            action=act.action,
            subject=act.subject,
            actor=f"cli:{operator_name()}",
            reason=act.reason,
            details=act.details,
        )
        try:
            self.audit.record(entry)
        except SQLAlchemyError as problem:
            raise UnkeptError(f"the store does not answer ({type(problem).__name__})") from problem
        return entry.id


@contextmanager
def local_acts(settings: Settings, *, may_be_new: bool = False) -> Iterator[LocalActs]:
    """The audit in the store that the settings name.

    `UnkeptError` where no worker has ever used that store, so that it is not the one that others
    read; but where what is done is done to that very store, which `may_be_new`.
    """
    url = make_url(settings.database)
    is_file = url.get_backend_name() == "sqlite"
    if is_file and not may_be_new and not Path(url.database or "").is_file():
        raise UnkeptError(f"there is no store at {url.database}")
    try:
        store = Store.open(settings.database)
    except (SQLAlchemyError, StoreError) as problem:
        raise UnkeptError(f"the store does not answer ({type(problem).__name__})") from problem
    try:
        if not may_be_new and store.birth() is None:
            raise UnkeptError("no worker has ever used the store")
        yield LocalActs(Audit(store))
    finally:
        store.close()


def _code(problem: Exception) -> str | None:
    """What the error calls itself; a problem document has it as a member."""
    told = getattr(problem, "problem", None)
    code = told.get("code") if isinstance(told, Mapping) else getattr(problem, "code", None)
    return code if isinstance(code, str) else None
