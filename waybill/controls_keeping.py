"""Keeps in the audit who held and released stages, as `stage-controls` tells."""

import asyncio
import logging

from projections.audit import Audit, AuditEntry, AuditKind, AuditOutcome, derived_act
from streams.agents.stage_controls import StageControl

AGAIN_S = 1.0

log = logging.getLogger(__name__)


class ControlsKeeping:
    """Writes each control once, however often it is read and by however many processes.

    Workers and API alike: of two controls that nobody has read in between, the topic may keep the
    last one only, and it is a worker that writes them there.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._heard: asyncio.Queue[AuditEntry] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def heard(self, control: StageControl) -> None:
        """A record of the topic; one without a moment is none of ours."""
        if control.at is not None:
            self._heard.put_nowait(_entry(control))

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._keep(), name="audit-of-stages")

    async def stop(self) -> None:
        """Ends it; what was not written yet is read again at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _keep(self) -> None:
        while True:
            entry = await self._heard.get()
            while True:
                try:
                    await asyncio.to_thread(self._audit.record, entry)
                except Exception as problem:  # noqa: BLE001 (each driver has its own; all mean: later)
                    log.warning("who controls a stage is not kept yet: %r", problem)
                    await asyncio.sleep(AGAIN_S)
                else:
                    break


def _entry(control: StageControl) -> AuditEntry:
    at, action = control.at, "hold" if control.held else "release"
    assert at is not None
    return AuditEntry(
        id=derived_act(
            "stage-control", control.tenant, control.stage, at.isoformat(), action, control.actor
        ),
        tenant=control.tenant,
        at=at,
        kind=AuditKind.STAGE,
        action=action,
        subject=control.stage,
        actor=control.actor,
        reason=control.reason or None,
        outcome=AuditOutcome.DONE,
    )
