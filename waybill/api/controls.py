"""Follows `stage-controls`, so that the API obeys operators and can say who holds which stage."""

from collections.abc import Mapping
from typing import Protocol

from plugins.stages import StageBook
from projections.audit import Audit
from streams.agents.stage_controls import StageControls
from streams.kafka.admin import Cluster
from streams.kafka.following import Following
from waybill.controls_keeping import ControlsKeeping


class Controls(Protocol):
    """Who holds which stage."""

    @property
    def known(self) -> bool:
        """Whether all that was ever said is known."""

    def holds(self, tenant: str) -> Mapping[str, Mapping[str, str | None]]:
        """Actor, reason and moment, by stage (or plugin, for all of its stages) that is held."""


class FollowedControls:
    """Reads the topic from its beginning and stays at its end; `stages` are those of previews.

    Each control is kept in the audit, whoever asked for it: the topic keeps the last one only.
    """

    def __init__(self, cluster: Cluster, topic: str, stages: StageBook, audit: Audit) -> None:
        self._keeping = ControlsKeeping(audit)
        self._controls = StageControls(stages, heard=self._keeping.heard)
        self._following = Following(
            topic, cluster.bootstrap, cluster.security.client_options(), self._controls.take
        )

    def start(self) -> None:
        """Begins."""
        self._following.start()
        self._keeping.start()

    async def close(self) -> None:
        """Ends it."""
        await self._following.stop()
        await self._keeping.stop()

    @property
    def known(self) -> bool:
        """Whether the end of the topic was seen."""
        return self._following.is_caught_up

    def holds(self, tenant: str) -> Mapping[str, Mapping[str, str | None]]:
        """Actor, reason and moment, by stage that is held."""
        return {
            control.stage: {
                "actor": control.actor,
                "reason": control.reason,
                "at": None if control.at is None else control.at.isoformat(),
            }
            for control in self._controls.held
            if control.tenant == tenant
        }
