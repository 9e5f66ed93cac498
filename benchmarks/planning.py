"""How long it takes to try a draft of a configuration on the last real orders.

    .venv/bin/python -m benchmarks.planning [--orders 10000] [--database sqlite|postgresql]

Fills a store with orders of the seed's size, each with a buyer whose data is sealed, that have
passed three steps. Then the draft is tried on all of them, as the API does it: it takes a step
from the gifts, and has conditions, a filter and mappings, one of which fails.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.databases import postgresql
from benchmarks.orders import document
from benchmarks.projector import START, succeeded
from plugins.registry import Registry
from projections.replaying import Replaying
from projections.store import Store
from projections.vault import Vault
from projections.writing import Record
from schemas.codec import encode
from schemas.configuration import Configuration
from schemas.envelope import Envelope
from schemas.events import Event, Fact, MainPhaseCompleted, OrderCompleted
from streams.agents.projector import Projector
from streams.core.intake import Intake, Prepared, Submission, acceptance
from streams.core.plan import ChangeKind, Plan
from streams.core.sealing import TenantKeys
from streams.core.sequence import Sequencer
from waybill.clock import random_bytes
from waybill.configuration import plugin_facts
from waybill.configuring.replays import Replays

ORDERS = 10_000
LIMIT_S = 30.0
_TENANT = "default"
_AT_ONCE = 500
_STEPS = ("salesforceV3", "zuora", "platformEvents")
CURRENT: dict[str, Any] = {
    "version": 1,
    "sequence": [{"name": name} for name in _STEPS],
    "post": [{"name": "entitlements", "critical": False}],
}
DRAFT: dict[str, Any] = {
    "version": 2,
    "sequence": [
        {"name": "salesforceV3", "when": "contains(order.customerDetails.email, '@')"},
        {
            "name": "zuora",
            "when": "context.salesforceV3.accountId",
            "items": "quantity != `0`",
            "map": {"crmId": "context.salesforceV3.accountId", "sum": "sum(order.external_id)"},
        },
        {"name": "platformEvents", "when": "ends_with(order.external_id, '7')"},
    ],
    "post": [{"name": "entitlements", "critical": True}],
    "overrides": [{"offer_type": "gift", "exclude": "zuora"}],
}


def main() -> None:
    """Fill, plan, and print a line for each database; exit code 1 where it takes too long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--database", action="append", choices=("sqlite", "postgresql"))
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    given = parser.parse_args()
    figures = {}
    for database in given.database or ("sqlite", "postgresql"):
        with (
            tempfile.TemporaryDirectory(prefix="waybill-planning-") as name,
            _store(database, Path(name)) as store,
        ):
            figures[database] = measured(store, given.orders)
        print(f"{database}: " + ", ".join(f"{k} {v}" for k, v in figures[database].items()))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))
    sys.exit(any(one["seconds"] * ORDERS > LIMIT_S * one["orders"] for one in figures.values()))


@contextmanager
def _store(database: str, folder: Path) -> Iterator[Store]:
    if database == "sqlite":
        store = Store.open(f"sqlite:///{folder / 'planning.sqlite'}")
        yield store
        store.close()
        return
    with postgresql(folder / "postgresql") as url:
        store = Store.open(url)
        yield store
        store.close()


def measured(store: Store, orders: int) -> dict[str, Any]:
    """Seconds of the plan and what it says in numbers."""
    facts = plugin_facts(Registry.found())
    before = Sequencer(Configuration.model_validate(CURRENT), facts)
    keys = {_TENANT: TenantKeys.derived_from(b"k" * 32)}
    intake = Intake({_TENANT: before}, keys, lambda *_: None)
    _fill(store, intake, Vault(store, keys, random_bytes, lambda: START), orders)
    replays = Replays(
        Replaying(store), Vault(store, keys, random_bytes, lambda: START), intake.examine
    )
    after = Sequencer(Configuration.model_validate(DRAFT), facts)
    began, cpu = time.perf_counter(), time.process_time()
    replay = replays.of(_TENANT, before, after, orders)
    while not replay.is_over:
        replay.go_on()
    plan = replay.plan()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"seconds": round(took, 2), "cpu seconds": round(cpu, 2), **_numbers(plan)}


def _numbers(plan: Plan) -> dict[str, int]:
    failing = sum(1 for use in plan.expressions if use.fails)
    return {
        "orders": plan.orders,
        "rerouted": plan.kinds[ChangeKind.ROUTE],
        "groups": plan.groups,
        "failing expressions": failing,
    }


def _fill(store: Store, intake: Intake, vault: Vault, orders: int) -> None:
    projector, offset = Projector(store), 0
    projector.assign([0])
    for first in range(0, orders, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, orders))
        taken = [_taken(intake, number) for number in numbers]
        records = [Record(offset + n, value) for n, value in enumerate(_events(taken, vault))]
        offset += len(records)
        projector.apply(0, records)


def _taken(intake: Intake, number: int) -> Prepared:
    order = {
        **document(),
        "external_id": f"EXT-{number:08d}",
        "customerDetails": {"email": f"ada{number}@example.test", "lastName": f"Byron{number}"},
    }
    if number % 10 == 0:
        order["orderItems"] = [
            {"offer": {"data": {"attributes": {"offer_type__limio": "gift"}}}, "quantity": 1}
        ]
    value = orjson.dumps(order)
    return intake.prepare(
        Submission(tenant=_TENANT, value=value, identity="", actor="shop", origin="orders/0/0")
    )


def _events(taken: Sequence[Prepared], vault: Vault) -> Iterator[bytes]:
    keys = vault.made(_TENANT, [one.subject for one in taken])
    for one in taken:
        first = acceptance(one, keys[one.subject], random_bytes(12), START)
        yield encode(first)
        done: list[Fact] = [succeeded(step, START) for step in _STEPS]
        done += [MainPhaseCompleted(expected=4)]
        done += [succeeded("entitlements", START), OrderCompleted(expected=6, completion="done")]
        for place, fact in enumerate(done):
            yield encode(Event(_envelope(first, place), fact))


def _envelope(first: Event, place: int) -> Envelope:
    known = first.envelope
    return Envelope(
        event_id=f"{known.event_id[:24]}{place:012x}",
        tenant=known.tenant,
        lane=known.lane,
        order_id=known.order_id,
        run=1,
        occurred_at=known.occurred_at,
        actor="worker",
    )


if __name__ == "__main__":
    main()
