"""How a stage does, in one word with its why: the first condition that holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from waybill.console.rendering import duration_ms, number

ConditionName: TypeAlias = Literal[
    "held", "open", "half_open", "failing", "slow", "waiting", "flowing", "idle"
]

_WORST_FIRST = get_args(ConditionName)

_FAILING, _FAILURES = 0.2, 2
"""This share of failures is too much; one alone is not, among others that went well."""

_SLOW, _SLOW_MS, _SLOW_ATTEMPTS = 3.0, 100.0, 5
"""Half of these attempts, or more of them, take so many times, and so much, longer than usual."""

_Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a stage, or all stages of a plugin together, are in; `why` may be empty."""

    name: ConditionName
    why: str = ""

    @property
    def is_trouble(self) -> bool:
        """Whether nothing, or not everything, goes through as it should."""
        return self.name not in {"waiting", "flowing", "idle"}


def condition(
    stages: Sequence[_Json], counts: _Json | None = None, usual_ms: float | None = None
) -> Condition:
    """The worst one of these stages, which are as REST lists them.

    `counts` are the plugin's in this hour and the last one: they stand in where no worker tells.
    `usual_ms` is how long half of its steps took in a day.
    """
    found = [_of_stage(stage, usual_ms) for stage in stages]
    if counts is not None and all(stage["live"] is None for stage in stages):
        failed = counts["failed"] + counts["in_doubt"] + counts["compensation_failed"]
        found.append(
            _failing(counts["attempts"], failed, "in the last hours")
            or Condition("flowing" if counts["attempts"] else "idle")
        )
    return min(found, key=lambda one: _WORST_FIRST.index(one.name), default=Condition("idle"))


def _of_stage(stage: _Json, usual_ms: float | None) -> Condition:
    live = stage["live"]
    if stage["held"]:
        return Condition("held", _holder(stage["held"]))
    waiting = stage["waiting"] + (live["waiting"] if live else 0)
    waits = Condition("waiting", f"{number(waiting)} {'order' if waiting == 1 else 'orders'}")
    if live is None:
        return waits if waiting else Condition("idle")
    if live["breaker"] == "open":
        left = live["open_s"]
        return Condition("open", f"tries again in {left:.0f} s" if left >= 1 else "")
    if live["breaker"] == "half_open":
        return Condition("half_open", "a few calls find out")
    recent = live["recent"]
    moves = recent["attempts"] or live["in_flight"]
    return (
        _failing(recent["attempts"], recent["failed"], "in 5 min")
        or _slow(recent, usual_ms)
        or (waits if waiting else Condition("flowing" if moves else "idle"))
    )


def _holder(held: _Json) -> str:
    return f"by {held['actor'] or 'somebody'}: {held['reason']}"


def _failing(attempts: int, failed: int, when: str) -> Condition | None:
    if failed < _FAILING * attempts or failed < min(attempts, _FAILURES) or not failed:
        return None
    return Condition("failing", f"{number(failed)} of {number(attempts)} {when}")


def _slow(recent: _Json, usual_ms: float | None) -> Condition | None:
    now_ms = recent["median_ms"]
    if now_ms is None or usual_ms is None or recent["attempts"] < _SLOW_ATTEMPTS:
        return None
    if now_ms < _SLOW * usual_ms or now_ms - usual_ms < _SLOW_MS:
        return None
    return Condition("slow", f"{duration_ms(now_ms)}, usually {duration_ms(usual_ms)}")
