"""Waits until a campaign has come to rest, and puts together what the auditor found."""

import asyncio
import math
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.audit_partners import Calls, audited_calls
from benchmarks.audit_sources import (
    audited_log,
    differing_views,
    outlet_is_done,
    published,
    refused,
    statuses,
)
from benchmarks.audit_stuck import stage_lines, waits_for
from benchmarks.auditor import Audit
from benchmarks.disturbing import Nemesis
from benchmarks.load import TENANT, Sent
from benchmarks.operators import Operators
from benchmarks.partners import Partners
from benchmarks.stack import Stack
from projections.comparing import table_hashes
from projections.store import Store

ENDED = frozenset({"complete", "failed", "cancelled"})
AT_REST = ENDED | {"in_doubt", "paused", "queued"}
QUIET_S = 10.0
SHOWN = 5
CONFLICT = "external_id_conflict"


@dataclass
class Report:
    """What the auditor found. Lists hold what breaks a promise, one line each."""

    minutes: float = 0.0
    orders_acknowledged: int = 0
    orders_in_log: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    disturbances: dict[str, int] = field(default_factory=dict)
    ended_themselves: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    events: int = 0
    events_ignored: int = 0
    calls: int = 0
    calls_repeated: int = 0
    unknown_outcomes_keyless: int = 0
    at_rest: int = 0
    resolved_by_people: int = 0
    timers: dict[str, Any] = field(default_factory=dict)
    published_twice: int = 0
    refused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    lane_overtakings: list[str] = field(default_factory=list)
    lane_overlaps: list[str] = field(default_factory=list)
    duplicate_effects: list[str] = field(default_factory=list)
    unknown_not_told: list[str] = field(default_factory=list)
    blind_repeats: list[str] = field(default_factory=list)
    commands_lost: list[str] = field(default_factory=list)
    commands_unanswered: list[str] = field(default_factory=list)
    not_published: list[str] = field(default_factory=list)
    published_wrongly: list[str] = field(default_factory=list)
    views_differ: list[str] = field(default_factory=list)
    rebuilt_differently: list[str] = field(default_factory=list)

    @property
    def broken(self) -> dict[str, list[str]]:
        """Promises that did not hold."""
        return {name: lines for name, lines in vars(self).items() if lines and _is_list(lines)}

    @property
    def clean(self) -> bool:
        """Whether every promise held."""
        return not self.broken

    @property
    def kills(self) -> int:
        """How often a process was killed with SIGKILL."""
        return sum(n for what, n in self.disturbances.items() if what.startswith("KILL"))

    def table(self) -> str:
        """For people: counts, then the first lines of whatever broke."""
        rows = []
        for name, value in (*vars(self).items(), ("kills", self.kills)):
            shown = len(value) if _is_list(value) else value
            rows.append(f"{name.replace('_', ' '):26} {shown}")
        for name, lines in self.broken.items():
            rows += [f"  {name}: {line}" for line in lines[:SHOWN]]
        return "\n".join(rows)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


async def settle(store: Store, operators: Operators, nemesis: Nemesis, patience_s: float) -> None:
    """Until every order is at an end or waits for a person, and all is published.

    It waits for as long as orders come to their ends, and gives up when none has for `patience_s`.
    """
    now = time.monotonic
    ended_since = quiet_since = now()
    before: dict[str, int] = {}
    fewest: float = math.inf
    while now() - ended_since < patience_s:
        nemesis.restart_ended()
        await operators.tidy_up()
        found = await asyncio.to_thread(statuses, store)
        moving = {status for status, count in found.items() if count} - AT_REST
        done = await asyncio.to_thread(outlet_is_done, store)
        if found != before or moving or not done:
            quiet_since, before = now(), found
        if now() - quiet_since > QUIET_S:
            return
        unfinished = sum(count for status, count in found.items() if status not in ENDED)
        if unfinished < fewest:
            fewest, ended_since = unfinished, now()
        await asyncio.sleep(1)
    print("not settled:", before, *stage_lines(store, TENANT), sep="\n  ", flush=True)


async def audited(running: Stack, world: Partners, sent: Sent, operators: Operators) -> Report:
    """Reads everything and compares it; stops the processes and rebuilds the views on the way."""
    audit, store = await audited_log(running.bootstrap), operators.store
    refusals = await refused(running.bootstrap)
    report = _from_log(audit, sent, refusals)
    report.commands_lost = _lost_commands(audit, operators.accepted, refusals)
    report.commands_unanswered = [
        f"{order.id}: {one.command}" for order in audit.orders.values() for one in order.pending
    ]
    await _publications(report, audit, running.bootstrap)
    _calls(report, audited_calls(audit, world.entries()))
    running.stop()
    running.processes.clear()
    report.views_differ = differing_views(store, audit)
    report.rebuilt_differently = _rebuilt(running, store)
    return report


def _from_log(audit: Audit, sent: Sent, refusals: list[tuple[str, str]]) -> Report:
    origins = {origin for origin, _ in refusals}
    lost = [one for one in sent.acknowledged if one not in audit.by_external_id]
    lost += [f"garbage at {one}" for one in sent.garbage - origins - audit.origins]
    conflicts = sum(code == CONFLICT for _, code in refusals)
    report = Report(
        orders_acknowledged=len(sent.acknowledged),
        orders_in_log=len(audit.orders),
        sent={**sent.counts, "conflicts": len(sent.conflicts), "refused for it": conflicts},
        facts=dict(sorted(audit.facts.items())),
        events=audit.events,
        events_ignored=audit.ignored,
        at_rest=audit.at_rest(),
        resolved_by_people=audit.resolved.total() + audit.people_retried.total(),
        timers=timer_figures(audit.lateness_s),
        refused=sent.refused,
        lost=lost,
        doubled=[one for one, ids in audit.by_external_id.items() if len(ids) > 1],
        stuck=[waits_for(order) for order in audit.stuck()],
        out_of_order=audit.out_of_order,
        lane_overtakings=audit.overtaken,
    )
    for order in audit.orders.values():
        report.states[order.state.value] = report.states.get(order.state.value, 0) + 1
    return report


def timer_figures(lateness_s: list[float]) -> dict[str, Any]:
    """Seconds from a due time to the event that it leads to; negative ones were early."""
    late = sorted(lateness_s)
    if not late:
        return {}
    figures = {
        "count": len(late),
        "p50_s": late[len(late) // 2],
        "p99_s": late[int(len(late) * 0.99)],
        "max_s": late[-1],
        "early": sum(one < 0 for one in late),
    }
    return {name: round(value, 3) for name, value in figures.items()}


def _lost_commands(audit: Audit, accepted: set[str], refusals: list[tuple[str, str]]) -> list[str]:
    """Commands that are neither in the log nor refused; refusals do not name them."""
    known = {command for order in audit.orders.values() for command in order.commands}
    missing = sorted(accepted - known)
    refused_here = sum(origin.startswith("order-commands/") for origin, _ in refusals)
    return missing if len(missing) > refused_here else []


async def _publications(report: Report, audit: Audit, bootstrap: str) -> None:
    for topic, wanted in (("order-completed", audit.completed), ("order-failed", audit.failed)):
        got = await published(bootstrap, topic)
        report.published_twice += len(got) - len(set(got))
        report.not_published += [f"{topic}: {wanted[one]}" for one in wanted.keys() - set(got)]
        report.published_wrongly += [f"{topic}: {one}" for one in set(got) - wanted.keys()]


def _calls(report: Report, calls: Calls) -> None:
    report.calls = calls.calls
    report.calls_repeated = calls.repeated
    report.unknown_outcomes_keyless = calls.unknown_keyless
    report.duplicate_effects = calls.duplicate_effects
    report.unknown_not_told = calls.unaccounted
    report.blind_repeats = calls.blind_repeats
    report.lane_overlaps = calls.overlaps


def _rebuilt(running: Stack, store: Store) -> list[str]:
    """Tables that are not the same, byte for byte, after they were dropped and filled again."""
    before = table_hashes(store, store.set_id())
    done = subprocess.run(
        [sys.executable, "-m", "waybill", "rebuild", "--json"],
        env=running.environment,
        check=False,
        capture_output=True,
    )
    if done.returncode:
        return [f"rebuild ended with {done.returncode}: {done.stderr.decode()[-300:]}"]
    after = table_hashes(store, store.set_id())
    return [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
