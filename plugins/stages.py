"""The stages of a process: found by plugin and connection, held and shared out together."""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from plugins.stage import Stage, StageState
from schemas.connections import Connection


class StageBook:
    """One stage per tenant, plugin and host of the connection."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_url: dict[tuple[str, str, str], Stage] = {}
        self._stages: dict[tuple[str, str], Stage] = {}
        self._holds: set[tuple[str, str]] = set()
        self._share = 1.0

    def of(self, tenant: str, plugin: str, connection: Connection) -> Stage:
        """The stage of a step."""
        url = (tenant, plugin, connection.base_url)
        stage = self._by_url.get(url)
        if stage is None:
            stage = self._by_url[url] = self._made(tenant, plugin, connection)
        return stage

    def admits(self, stage: str, tenant: str, wanted: int) -> int:
        """How many of `wanted` deferred steps may go on now.

        A stage that no step of this process has met yet lets a single one find out.
        """
        known = self._stages.get((tenant, stage))
        if known is not None:
            return known.admits(wanted)
        return 0 if self._is_held(tenant, stage) else min(1, wanted)

    def deferred(self, tenant: str, stage: str, reason: str) -> None:
        """Counts a step that was turned away."""
        known = self._stages.get((tenant, stage))
        if known is not None:
            known.deferred(reason)

    def hold(self, tenant: str, stage: str, *, held: bool) -> None:
        """Hold a stage, or all stages of a plugin, by the stage's or the plugin's name."""
        (self._holds.add if held else self._holds.discard)((tenant, stage))
        for known in self._stages.values():
            known.hold(held=self._is_held(known.tenant, known.name))

    def share(self, fraction: float) -> None:
        """This process has so much of the work, and so much of the limits.

        Without any work, what it still has under way ends within the share that it had.
        """
        if fraction <= 0:
            return
        self._share = fraction
        for stage in self._stages.values():
            stage.scale(fraction)

    def states(self) -> Iterable[StageState]:
        """All of them as they are now."""
        return [stage.state() for stage in list(self._stages.values())]

    def _made(self, tenant: str, plugin: str, connection: Connection) -> Stage:
        name = stage_name(plugin, connection)
        known = self._stages.get((tenant, name))
        if known is not None:
            known.also_bound_by(connection.limits)
            return known
        stage = self._stages[tenant, name] = Stage(tenant, name, connection.limits, self._clock)
        stage.scale(self._share)
        if self._is_held(tenant, name):
            stage.hold(held=True)
        return stage

    def _is_held(self, tenant: str, stage: str) -> bool:
        plugin = stage.partition("@")[0]
        return not self._holds.isdisjoint({(tenant, stage), (tenant, plugin)})


def stage_name(plugin: str, connection: Connection) -> str:
    """How a stage is called everywhere: the plugin at the partner's host."""
    url = urlsplit(connection.base_url)
    port = "" if url.port is None else f":{url.port}"
    return f"{plugin}@{url.hostname or ''}{port}"
