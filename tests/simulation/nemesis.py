"""Whatever befalls processes, clocks, the store and partners, until the world is healed."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.group import Member
from tests.simulation.partners import PARTNERS

if TYPE_CHECKING:
    from tests.simulation.log import Link
    from tests.simulation.loop import Host
    from tests.simulation.world import World

TICK_S = 0.4

log = logging.getLogger("simulation")


class Nemesis:
    """Each tick it draws one kind of trouble, and whether it happens in this run."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.around.chance
        self._kinds: tuple[tuple[str, Callable[[], None]], ...] = (
            ("crash", lambda: self._crash(self._workers())),
            ("stop", lambda: self._stop(self._workers())),
            ("cut_from_group", lambda: self._cut(self._workers(), log=False)),
            ("cut_from_log", lambda: self._cut(self._workers(), log=True)),
            ("rebalance", world.group.rebalance),
            ("clock_jump", self._clock),
            ("projector_crash", lambda: self._crash(self._projectors())),
            ("projector_stop", lambda: self._stop(self._projectors())),
            ("projector_cut", lambda: self._cut(self._projectors(), log=False)),
            ("store_down", self._store),
            ("partner_down", self._partner),
            ("joins", world.add_worker),
            ("leaves", self._leaves),
            ("hold_stage", self._hold),
            ("configured_anew", self._configured),
        )

    def tick(self) -> None:
        """One chance for trouble."""
        kind, befall = self._chance.one_of(self._kinds)
        if self._chance.hits(kind):
            log.info("%9.3f nemesis: %s", self._world.loop.time(), kind)
            befall()

    def _workers(self) -> list[Member]:
        """Those that live and do not leave."""
        world = self._world
        alive = [member for member in world.members if member.host.alive]
        return [member for member in alive if member.host not in world.leaving]

    def _projectors(self) -> list[Member]:
        return [member for member in self._world.projecting if member.host.alive]

    def _crash(self, members: list[Member]) -> None:
        if members:
            self._chance.one_of(members).host.dies_soon(self._chance.below(150))

    def _stop(self, members: list[Member]) -> None:
        """As by SIGSTOP; some are gone for longer than their session lasts."""
        if not members:
            return
        host: Host = self._chance.one_of(members).host
        host.stopped = True
        self._later(self._chance.between(0.2, 8), lambda: self._world.loop.thaw(host))

    def _cut(self, members: list[Member], *, log: bool) -> None:
        """A zombie: others get its partitions, and it goes on until it notices."""
        if not members:
            return
        link: Link = self._chance.one_of(members).link
        if log:
            link.cut = True
        else:
            link.cut_from_group = True

        def mend() -> None:
            link.cut = link.cut_from_group = False

        self._later(self._chance.between(0.5, 9), mend)

    def _clock(self) -> None:
        world, chance = self._world, self._chance
        members = self._workers()
        if not members:
            return
        name = chance.one_of(members).host.name
        world.offsets[name] = chance.one_of((-3600.0, -5.0, 5.0, 3600.0, 34_560_000.0))
        self._later(chance.between(0.5, 6), lambda: world.offsets.pop(name, None))

    def _store(self) -> None:
        store = self._world.around.store
        store.down = True

        def up() -> None:
            store.down = False

        self._later(self._chance.between(0.3, 4), up)

    def _partner(self) -> None:
        partner = self._chance.one_of(list(self._world.around.partners.by_name.values()))
        partner.down = True

        def up() -> None:
            partner.down = False

        self._later(self._chance.between(0.5, 8), up)

    def _leaves(self) -> None:
        if len(self._workers()) > 1:
            self._world.retire(self._chance.one_of(self._workers()).host)

    def _hold(self) -> None:
        world, name = self._world, self._chance.one_of(list(PARTNERS))
        world.outside.append(world.loop.create_task(world.operators.hold(f"{name}@{name}.test")))

    def _configured(self) -> None:
        """Workers that start from now on have another configuration."""
        self._world.version = 1

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._world.loop.call_later(seconds, call)
