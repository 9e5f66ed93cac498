"""Consumer groups: eager rebalances, generations, sessions, and members that notice too late."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.kafka.reader import Reader
from tests.simulation.chance import Chance
from tests.simulation.log import Entry, Link, SimLog
from tests.simulation.loop import Host, SimLoop

BEAT_S = 0.5
SESSION_S = 1.2
COMMIT_S = (0.5, 0.05)
"""How often a process commits; one of these holds for a run."""
FULL_S = 0.05

Place = tuple[str, int]


@dataclass(eq=False, slots=True)
class Member:
    """A process in a group: its readers by topic, and where it stands."""

    host: Host
    link: Link
    readers: Mapping[str, Reader]
    seen: float = 0.0
    generation: int = -1
    assigning: bool = False
    positions: dict[Place, int] = field(default_factory=dict)
    fetching: set[Place] = field(default_factory=set)
    sent: dict[Place, int] = field(default_factory=dict)

    @property
    def in_touch(self) -> bool:
        link = self.link
        return self.host.alive and not (self.host.stopped or link.cut or link.cut_from_group)


class Group:
    """The coordinator. `committed` outlives everybody."""

    def __init__(self, loop: SimLoop, log: SimLog, chance: Chance, topics: list[str]) -> None:
        self._loop = loop
        self._log = log
        self._chance = chance
        self._places = [(t, p) for t in topics for p in range(len(log.topics[t]))]
        self.committed: dict[Place, int] = {}
        self.commits: list[Any] = []
        self.members: list[Member] = []
        self._strays: list[Member] = []
        self._generation = 0
        self._waiting_for: list[Member] | None = None
        self.rebalances = 0
        self._commit_s = chance.one_of(COMMIT_S)
        log.landed.append(self._landed)

    def start(self) -> None:
        """Starts to look after heartbeats."""
        self._loop.within(None, lambda: self._loop.call_later(BEAT_S, self._beat))

    def join(self, member: Member) -> None:
        """A new process asks for partitions."""
        member.seen = self._loop.time()
        self.members.append(member)
        self._own(member, self._commit_s, lambda: self._commit_loop(member))
        self.rebalance()

    def leave(self, member: Member) -> None:
        """The process goes in good order."""
        if member in self.members:
            self._revoke(member)
            self.members.remove(member)
            self.rebalance()

    def owner(self, place: Place) -> Member | None:
        """Who was given the partition, be it dead by now."""
        return next((m for m in self.members if place in m.positions), None)

    def rebalance(self) -> None:
        """Everybody gives up everything first; then all is dealt anew."""
        self.rebalances += 1
        self._generation += 1
        self._waiting_for = list(self.members)
        generation = self._generation
        for member in self.members:
            self._soon(member, lambda member=member: self._answers(member, generation))
        self._deal_if_all_answered()

    def _own(self, member: Member, seconds: float, call: Any) -> None:
        self._loop.within(member.host, lambda: self._loop.call_later(seconds, call))

    def _soon(self, member: Member, call: Any) -> None:
        self._own(member, self._chance.between(0.001, 0.1), call)

    def _answers(self, member: Member, generation: int) -> None:
        if member not in self.members or generation != self._generation:
            return
        if member.assigning or not member.in_touch:
            self._own(member, BEAT_S / 5, lambda: self._answers(member, generation))
            return
        self._revoke(member)
        if self._waiting_for is not None:
            self._waiting_for = [other for other in self._waiting_for if other is not member]
            self._loop.within(None, self._deal_if_all_answered)

    def _revoke(self, member: Member) -> None:
        self._commit(member)
        member.generation = -1
        member.positions.clear()
        member.sent.clear()
        for reader in member.readers.values():
            reader.revoked()

    def _deal_if_all_answered(self) -> None:
        if self._waiting_for is None or self._waiting_for or not self.members:
            return
        self._waiting_for = None
        generation = self._generation
        shares: list[list[Place]] = [[] for _ in self.members]
        start = self._chance.below(len(self.members))
        for number, place in enumerate(self._chance.shuffled(self._places)):
            shares[(start + number) % len(shares)].append(place)
        for member, share in zip(self.members, shares, strict=True):
            self._soon(member, lambda m=member, s=share: self._dealt(m, s, generation))

    def _dealt(self, member: Member, share: list[Place], generation: int) -> None:
        if generation == self._generation and member in self.members:
            member.assigning = True
            task = self._loop.create_task(self._assigned(member, share, generation))
            task.add_done_callback(self._told)

    def _told(self, task: Any) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._loop.problems.append({"message": "assigned", "exception": task.exception()})

    async def _assigned(self, member: Member, share: list[Place], generation: int) -> None:
        committed = {place: self.committed.get(place, 0) for place in share}
        ends = {place: self._log.end(*place) for place in share}
        starts: dict[Place, int] = {}
        for topic, reader in member.readers.items():
            begun = await reader.assigned(
                {p: offset for (t, p), offset in committed.items() if t == topic},
                {p: end for (t, p), end in ends.items() if t == topic},
            )
            starts.update({(topic, p): offset for p, offset in begun.items()})
        member.assigning = False
        if generation != self._generation or member not in self.members:
            return
        member.generation = generation
        member.positions = starts
        member.fetching.clear()
        for place in starts:
            self._fetch_soon(member, place)

    def _landed(self, topic: str, partition: int, entries: list[Entry]) -> None:
        del entries
        place = (topic, partition)
        for member in (*self.members, *self._strays):
            if place in member.positions:
                self._fetch_soon(member, place)

    def _fetch_soon(self, member: Member, place: Place, seconds: float | None = None) -> None:
        if place in member.fetching:
            return
        member.fetching.add(place)
        if seconds is None:
            slow = self._chance.hits("fetch_slow")
            seconds = self._chance.between(0.0005, 1.5 if slow else 0.006)
        generation = member.generation
        self._own(member, seconds, lambda: self._fetch(member, place, generation))

    def _fetch(self, member: Member, place: Place, generation: int) -> None:
        if generation != member.generation:
            return
        member.fetching.discard(place)
        if member.link.cut:
            self._fetch_soon(member, place, BEAT_S)
            return
        topic, partition = place
        reader = member.readers[topic]
        if not reader.has_room:
            self._fetch_soon(member, place, FULL_S)
            return
        position = member.positions[place]
        entries = self._log.topics[topic][partition]
        if position >= len(entries):
            return
        taken = entries[position : position + self._chance.one_of((1, 3, 30))]
        member.positions[place] = position + len(taken)
        reader.take(partition, taken)
        if position + len(taken) < len(entries):
            self._fetch_soon(member, place)

    def _commit_loop(self, member: Member) -> None:
        self._commit(member)
        self._own(member, self._commit_s, lambda: self._commit_loop(member))

    def _commit(self, member: Member) -> None:
        for place in member.positions:
            topic, partition = place
            offset = member.readers[topic].committable(partition)
            if offset is None or member.sent.get(place) == offset:
                continue
            if not self._takes_commits_of(member) or self._chance.hits("commit_lost"):
                continue
            member.sent[place] = offset
            self.committed[place] = offset
            for listener in self.commits:
                listener(place, offset, member.host.name)

    def _takes_commits_of(self, member: Member) -> bool:
        """Of its own generation, and while a rebalance is being prepared of the one before."""
        current = member.generation in {self._generation, self._generation - 1}
        return member in self.members and member.in_touch and current

    def _beat(self) -> None:
        lost = [member for member in list(self.members) if self._is_lost(member)]
        self._greet_strays()
        if lost:
            self.rebalance()
        elif self._waiting_for is not None:
            self._waiting_for = [m for m in self._waiting_for if m in self.members]
            self._deal_if_all_answered()
        self._loop.call_later(BEAT_S, self._beat)

    def _is_lost(self, member: Member) -> bool:
        now = self._loop.time()
        if member.in_touch:
            member.seen = now
            return False
        if now - member.seen <= SESSION_S:
            return False
        self.members.remove(member)
        if member.host.alive:
            self._strays.append(member)
        return True

    def _greet_strays(self) -> None:
        for member in list(self._strays):
            if not member.host.alive:
                self._strays.remove(member)
            elif member.in_touch:
                self._strays.remove(member)
                self._soon(member, lambda member=member: self._returns(member))

    def _returns(self, member: Member) -> None:
        self._revoke(member)
        member.seen = self._loop.time()
        self.members.append(member)
        self._loop.within(None, self.rebalance)
