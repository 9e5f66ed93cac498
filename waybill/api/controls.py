"""Follows `stage-controls`, so that the API obeys operators and can say who holds which stage."""

from collections.abc import Mapping
from typing import Protocol

from plugins.stages import StageBook
from streams.agents.stage_controls import StageControls
from streams.kafka.admin import Cluster
from streams.kafka.following import Following


class Controls(Protocol):
    """Who holds which stage."""

    @property
    def known(self) -> bool:
        """Whether all that was ever said is known."""

    def holds(self, tenant: str) -> Mapping[str, Mapping[str, str | None]]:
        """Actor, reason and moment, by stage (or plugin, for all of its stages) that is held."""


class FollowedControls:
    """Reads the topic from its beginning and stays at its end; `stages` are those of previews."""

    def __init__(self, cluster: Cluster, topic: str, stages: StageBook) -> None:
        self._controls = StageControls(stages)
        self._following = Following(
            topic, cluster.bootstrap, cluster.security.client_options(), self._controls.take
        )
        self.start = self._following.start
        self.close = self._following.stop

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
