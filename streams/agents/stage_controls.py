"""What operators said about stages: who is held; read from `stage-controls` by every worker."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

log = logging.getLogger(__name__)


class StageControl(BaseModel):
    """One record of the topic: the last one with its key (`tenant/stage`) holds.

    `stage` is a stage's name, or a plugin's for all of its stages.
    """

    model_config = ConfigDict(frozen=True)

    tenant: str = Field(min_length=1)
    stage: str = Field(min_length=1)
    held: bool
    actor: str = ""
    reason: str = ""
    at: AwareDatetime | None = None


class Holdable(Protocol):
    """Whose stages can be held."""

    def hold(self, tenant: str, stage: str, *, held: bool) -> None:
        """Hold it, or let it go on."""


class StageControls:
    """Keeps the stages as operators want them; `take` is given every record."""

    def __init__(
        self,
        stages: Holdable,
        told: Callable[[int], None] = lambda _: None,
        heard: Callable[[StageControl], None] = lambda _: None,
    ) -> None:
        self._stages = stages
        self._heard = heard
        self._held: dict[tuple[str, str], StageControl] = {}
        self._last: dict[tuple[str, str], datetime] = {}
        self._told = told

    @property
    def held(self) -> tuple[StageControl, ...]:
        """What is held now, and by whom."""
        return tuple(self._held.values())

    def take(self, value: bytes | None) -> None:
        """Obeys; what cannot be read changes nothing."""
        if value is None:
            return
        try:
            control = StageControl.model_validate_json(value)
        except ValidationError as problem:
            log.error("a record of stage-controls is not understood: %s", problem.errors()[0])  # noqa: TRY400 (the record is at fault, not the code)
            return
        self._heard(control)
        place = (control.tenant, control.stage)
        if self._is_late(place, control.at):
            return
        was = place in self._held
        if control.held:
            self._held[place] = control
        else:
            self._held.pop(place, None)
        if was is not control.held:
            log.info(
                "stage %s of %s is %s by %s: %s",
                control.stage,
                control.tenant,
                "held" if control.held else "released",
                control.actor,
                control.reason,
            )
        self._stages.hold(control.tenant, control.stage, held=control.held)
        self._told(len(self._held))

    def _is_late(self, place: tuple[str, str], at: datetime | None) -> bool:
        """Whether something was asked after that: a record that is written again lands late."""
        last = self._last.get(place)
        if at is None:
            return False
        if last is not None and at < last:
            return True
        self._last[place] = at
        return False
