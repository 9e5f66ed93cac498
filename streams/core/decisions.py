"""What can be next for an order: perform an attempt, write a fact, or rest."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, TypeAlias

from schemas.events import Fact
from streams.core.order import Order


class RunStep(NamedTuple):
    """Perform this attempt; its result must name it, and a task is registered under it.

    `recover` says that another process announced the attempt before it went away: what became of
    it is looked up before anything is sent. `doubt` says the same of an attempt before this one.
    `compensate`: undo the step.
    """

    order_id: str
    run: int
    step: str
    attempt: int
    recover: bool = False
    compensate: bool = False
    doubt: bool = False

    @property
    def attempt_id(self) -> tuple[str, int, str, int]:
        """What a task in flight is registered under."""
        return (self.order_id, self.run, self.step, self.attempt)


class Append(NamedTuple):
    """Write this fact; about `order`, which may be another one of the lane."""

    fact: Fact
    order: Order


class Rest(NamedTuple):
    """Nothing to do now.

    The order waits until `due`, for `stage` to take deferred steps again, for an event of the
    log, or is at its end.
    """

    due: datetime | None = None
    stage: str | None = None


Decision: TypeAlias = RunStep | Append | Rest


class Surroundings(NamedTuple):
    """What a decision depends on beside the order.

    `worker` names the process that asks: an attempt that another one announced may have been
    sent. `now` is UTC. `lane` are the unfinished orders of its lane. `admitted`: the stage that
    the order waits for takes it now.
    """

    worker: str
    now: datetime
    lane: Iterable[Order] = ()
    admitted: bool = False
