"""What one run is made of: configuration, orders, workers, and which faults there are."""

from dataclasses import dataclass
from random import Random
from typing import Any

from plugins.addressing import Addressing
from schemas.configuration import Configuration, PluginEntry
from streams.core import ids
from streams.core.intake import Intake
from streams.core.sealing import TenantKeys
from streams.core.sequence import Sequencer
from tests.simulation.chance import Chance
from tests.simulation.partners import (
    AFTER,
    BEFORE,
    KEEPS,
    KEEPS_AFTER,
    PARTNERS,
    REFUSALS,
    REGISTRY,
    STORING,
    connections,
)
from waybill.configuration import plugin_facts

KEYS = {"default": TenantKeys.derived_from(b"the simulated tenant's secret")}
PLUGINS = plugin_facts(REGISTRY)
ISOLATING_EVERY = 20
"""Every so many seeds nothing goes wrong but that one partner never answers."""
ISOLATED = Configuration.model_validate(
    {
        "version": 1,
        "sequence": [{"name": "keyed", "id": "s0"}],
        "overrides": [{"order_type": "renew", "sequence": [{"name": "blind", "id": "s0"}]}],
    }
)
SILENT = "blind"
STORED = 0.5
BY_CUSTOMER = 0.2
LEAVING = 0.2
CHANGES = ("change_offer", "change_address", "renew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order that the shop sends, and when."""

    at: float
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that is fixed before a run begins."""

    seed: int
    partitions: int
    workers: int
    projectors: int
    seconds: float
    local_store: bool
    configurations: tuple[Configuration, ...]
    orders: tuple[Ordered, ...]
    addressing: Addressing
    isolates: bool
    power_cut: bool

    def intake(self, version: int) -> Intake:
        sequencer = Sequencer(self.configurations[version], PLUGINS)
        return Intake({"default": sequencer}, KEYS, self.addressing.missing)

    def pinned(self, _tenant: str, number: int) -> Sequencer | None:
        found = [one for one in self.configurations if one.version == number]
        return Sequencer(found[0], PLUGINS) if found else None


def scene(seed: int, chance: Chance) -> Scene:
    """The run of that seed."""
    random = chance.stream("scene")
    isolates = seed % ISOLATING_EVERY == 0
    if not isolates:
        _allow_faults(chance)
    seconds = random.choice((5.0, 9.0, 14.0))
    limits: dict[str, Any] = {"connect_s": 1.0, "read_s": 2.5}
    if random.random() < 0.5:
        limits["breaker"] = {"at_least": 3, "failure_rate": 0.6, "window_s": 5, "open_s": 1.0}
        limits["breaker"]["longest_open_s"] = 4.0
    if random.random() < 0.3:
        limits["rate"] = {"per_second": random.choice((3.0, 10.0)), "burst": 1}
    if random.random() < 0.3:
        limits["max_in_flight"] = random.choice((1, 2))
    return Scene(
        seed=seed,
        partitions=random.choice((1, 2, 2, 3)),
        workers=random.choice((1, 2, 2, 3)),
        projectors=random.choice((2, 2, 3)),
        seconds=seconds,
        local_store=random.random() < 0.5,
        configurations=(ISOLATED, ISOLATED) if isolates else _configurations(random, chance),
        orders=tuple(_apart(seconds) if isolates else _orders(random, seconds)),
        isolates=isolates,
        power_cut=not isolates and random.random() < 0.6,
        addressing=Addressing(REGISTRY, connections(limits)),
    )


def _configurations(random: Random, chance: Chance) -> tuple[Configuration, ...]:
    """Two versions; lanes are by the same in both, as somebody who changes that is told to wait."""
    lane_by = "customer" if chance.stream("lanes").random() < BY_CUSTOMER else "subscription"
    leaves = chance.stream("left").random() < LEAVING
    drawn = [_configuration(random, chance.stream(f"storing/{n}"), n) for n in (1, 2)]
    for entry in (entry for plain in drawn for entry in (*plain["sequence"], *plain["post"])):
        if leaves and "options" in entry:
            entry["options"]["leaves"] = True
    return tuple(Configuration.model_validate(plain | {"lane_by": lane_by}) for plain in drawn)


def _configuration(random: Random, storing: Random, version: int) -> dict[str, Any]:
    names = [f"s{number}" for number in range(random.choice((1, 2, 2, 3)))]
    post = ["p0"] if random.random() < 0.4 else []
    return {
        "version": version,
        "sequence": [_stored(storing, _entry(random, name, post=False)) for name in names],
        "post": [_stored(storing, _entry(random, name, post=True)) for name in post],
    }


def _entry(random: Random, step: str, *, post: bool) -> dict[str, Any]:
    plugin = random.choices(list(PARTNERS), (5, 3, 2, 0))[0]
    entry: dict[str, Any] = {"name": plugin, "id": step, "timeout": random.choice((1.5, 3.0))}
    entry["critical"] = post or random.random() < 0.75
    if plugin == "keyed":
        entry["options"] = {"calls": random.choice((1, 1, 2))}
    entry["retry"] = "none" if random.random() < 0.2 else _retry(random)
    if plugin == "keyed" and random.random() < 0.5:
        entry["compensate"] = True
    if random.random() < 0.15:
        entry["on_unknown"] = random.choice(("rest", "fail"))
    return {name: value for name, value in entry.items() if name in PluginEntry.model_fields}


def _stored(random: Random, entry: dict[str, Any]) -> dict[str, Any]:
    """Some of the steps with keys are done by the partner that keeps its errors."""
    if entry["name"] != "keyed" or random.random() > STORED:
        return entry
    kept = {name: entry[name] for name in entry if name not in {"options", "compensate"}}
    return {"on_unknown": "look_up", **kept, "name": STORING}


def _retry(random: Random) -> dict[str, Any]:
    first = random.choice((0.2, 2.0, 8.0))
    return {
        "attempts": random.choice((2, 4, 6)),
        "first_s": first,
        "longest_s": random.choice((1, 5)) * first,
        "age_s": 600.0,
    }


def _orders(random: Random, seconds: float) -> list[Ordered]:
    orders: list[Ordered] = []
    latest = seconds * random.choice((0.6, 0.95))
    for number in range(random.choice((1, 2, 3, 4, 6))):
        document: dict[str, Any] = {
            "external_id": f"ext-{number}",
            "order_type": "new",
            "customerDetails": {"email": f"buyer-{number % 2}@example.com"},
            "note": "as ordered",
        }
        if orders and random.random() < 0.55:
            first = random.choice(orders).document
            document["order_type"] = random.choice(CHANGES)
            document["forSubscription"] = first.get(
                "forSubscription", ids.subscription_reference("default", first["external_id"])
            )
        orders.append(Ordered(at=random.uniform(0, latest), document=document))
    return orders


def _apart(seconds: float) -> list[Ordered]:
    """Orders of lanes of their own; every other one needs the partner that does not answer."""
    return [
        Ordered(
            at=number * seconds / 10,
            document={
                "external_id": f"ext-{number}",
                "order_type": "renew" if number % 2 == 0 else "new",
                "forSubscription": f"SUB-{number}",
                "note": "as ordered",
            },
        )
        for number in range(6)
    ]


def _allow_faults(chance: Chance) -> None:
    for fault in (*BEFORE, *AFTER):
        chance.allow(fault, 0.3, on=0.35)
    for fault in REFUSALS:
        chance.allow(fault, 0.25, on=0.3)
    for fault, highest in _FAULTS.items():
        chance.allow(fault, highest)
    chance.allow(KEEPS, 1.0, on=0.8)
    chance.allow(KEEPS_AFTER, 1.0, on=0.8)


_FAULTS = {
    "partner_slow": 0.3,
    "write_lost": 0.15,
    "write_ack_lost": 0.15,
    "write_late": 0.15,
    "write_twice": 0.15,
    "write_slow": 0.2,
    "fetch_slow": 0.2,
    "commit_lost": 0.5,
    "crash_on_reply": 0.15,
    "crash_on_ack": 0.08,
    "crash_on_landing": 0.08,
    "store_error": 0.1,
    "projector_error": 0.1,
    "order_twice": 0.5,
    "order_contradicted": 0.5,
    "command_twice": 0.5,
    "crash": 1.0,
    "stop": 1.0,
    "cut_from_group": 1.0,
    "cut_from_log": 0.7,
    "rebalance": 1.0,
    "clock_jump": 0.5,
    "projector_crash": 0.7,
    "projector_stop": 1.0,
    "projector_cut": 1.0,
    "store_down": 0.4,
    "partner_down": 0.5,
    "joins": 0.4,
    "leaves": 0.4,
    "configured_anew": 0.3,
    "hold_stage": 0.6,
}
"""How often at most: per record, call or request, else per tick of the nemesis."""
COMMANDS = {
    "retry": 1.0,
    "skip": 0.5,
    "resolve": 0.5,
    "pause": 1.0,
    "resume": 1.0,
    "cancel": 0.4,
    "amend": 0.6,
    "force_complete": 0.3,
    "release": 0.8,
}
"""Weights of operators' commands."""
