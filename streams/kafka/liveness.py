"""Whether a consumer that says nothing is at rest or dead: Faust's silent deaths, found."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP

LOOK_S = 5.0
ANSWER_S = 5.0
SURE = 2
STUCK = 6
NOT_PLACED = 12
"""So many looks in a row, 5 s apart, until a suspicion is believed: 10, 30 and 60 s."""


class ConsumerDeadError(Exception):
    """The consumer will not go on by itself; the process has to be started again."""


@dataclass(slots=True)
class Pulse:
    """What the consumer's loops leave behind as they go round.

    `drained` counts the rounds of the loop that fetches, `placing` says that readers are being
    asked where to start, `taken` is the offset behind the last record that a reader took.
    """

    drained: int = 0
    placing: bool = False
    taken: dict[TP, int] = field(default_factory=dict)


class Signs(NamedTuple):
    """One look at a consumer. `unread` has the places where a record waits and is not read."""

    answers: bool
    crashed: str | None
    ended: tuple[str, ...]
    drained: int
    moving: bool
    placing: bool
    member: bool
    unread: Mapping[TP, int]


class Judge:
    """Believes a suspicion once it was there for so many looks in a row.

    Looks are counted, not seconds: a process that was stopped for a minute has missed nothing.
    What can be Kafka's fault is forgotten whenever Kafka does not answer: an outage is waited
    out, however long, and what then does not come back within a minute is dead.
    """

    def __init__(self) -> None:
        self._looks: dict[str, int] = {}
        self._drained = -1

    def dead(self, signs: Signs) -> str | None:
        """What is dead, in words, if anything is."""
        found = self._suspicions(signs)
        self._drained = signs.drained
        self._looks = {what: self._looks.get(what, 0) + 1 for what in found}
        return next((what for what, sure in found.items() if self._looks[what] >= sure), None)

    def _suspicions(self, signs: Signs) -> dict[str, int]:
        found = {f"{loop} has ended": SURE for loop in signs.ended}
        if signs.crashed is not None:
            found[f"the consumer has crashed: {signs.crashed}"] = SURE
        if signs.drained == self._drained and not signs.moving:
            found["the loop that fetches stands still"] = STUCK
        return found | _while_kafka_answers(signs) if signs.answers else found


def _while_kafka_answers(signs: Signs) -> dict[str, int]:
    found = {}
    if signs.moving and not signs.placing:
        found["partitions are being moved and never come"] = NOT_PLACED
    if not signs.member:
        found["the consumer does not get into its group"] = NOT_PLACED
    for tp, offset in () if signs.moving else signs.unread.items():
        found[f"{tp.topic}/{tp.partition} is not read on from {offset}"] = NOT_PLACED
    return found


async def watch(app: Any, monotonic: Callable[[], float]) -> None:
    """Looks every few seconds; `ConsumerDeadError` once the app's consumer is dead."""
    judge = Judge()
    while True:
        began = monotonic()
        signs = await look(app)
        verdict = judge.dead(signs)
        if verdict is not None and await _is_so(app, signs):
            raise ConsumerDeadError(verdict)
        await asyncio.sleep(max(0.0, LOOK_S - (monotonic() - began)))


async def look(app: Any) -> Signs:
    """What there is to see now."""
    client = _client(app)
    coordinator = client._coordinator  # noqa: SLF001 (nobody tells of these deaths by itself)
    loops = {
        "the fetcher of Kafka's client": client._fetcher._fetch_task,  # noqa: SLF001 (as above)
        "the coordination with the group": coordinator._coordination_task,  # noqa: SLF001 (as above)
    }
    heartbeat = coordinator._heartbeat_task  # noqa: SLF001 (as above)
    if heartbeat is not None and _failed(heartbeat):
        loops["the heartbeat"] = heartbeat
    ends = await _ends(client)
    pulse: Pulse = app.pulse
    return Signs(
        answers=ends is not None,
        crashed=repr(app.crash_reason) if app.crashed else None,
        ended=tuple(name for name, task in loops.items() if task.done()),
        drained=pulse.drained,
        moving=app.rebalancing,
        placing=pulse.placing,
        member=coordinator.generation >= 0,
        unread={
            tp: pulse.taken[tp]
            for tp, end in (ends or {}).items()
            if tp in pulse.taken and end > pulse.taken[tp] and app.has_room(tp.topic)
        },
    )


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def _client(app: Any) -> AIOKafkaConsumer:
    return app.consumer._thread._ensure_consumer()  # noqa: SLF001 (Faust hides it)


async def _ends(client: AIOKafkaConsumer) -> dict[TP, int] | None:
    """Where the assigned partitions end; None where Kafka does not answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            assigned = client.assignment()
            if not assigned:
                await client.topics()
                return {}
            ends = await client.end_offsets(assigned)
    except Exception:  # noqa: BLE001 (whatever it is, Kafka has not answered)
        return None
    return {TP(place.topic, place.partition): end for place, end in ends.items()}


async def _is_so(app: Any, signs: Signs) -> bool:
    """Whether really a record waits: the end of a transaction looks like one and is none."""
    if signs.crashed is not None or signs.ended or signs.moving or not signs.unread:
        return True
    for tp, offset in signs.unread.items():
        if await _has_record(app, tp, offset):
            return True
        app.pulse.taken.pop(tp, None)
    return False


async def _has_record(app: Any, tp: TP, offset: int) -> bool:
    place = TopicPartition(tp.topic, tp.partition)
    reader = app.lone_reader()
    try:
        async with asyncio.timeout(2 * ANSWER_S):
            await reader.start()
            reader.assign([place])
            reader.seek(place, offset)
            await reader.getone()
    except Exception:  # noqa: BLE001 (no proof is no proof, whatever the reason)
        return False
    else:
        return True
    finally:
        await reader.stop()
