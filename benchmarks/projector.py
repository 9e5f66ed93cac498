"""How fast the projector is: orders of six events, made in memory, into SQLite or PostgreSQL.

    .venv/bin/python benchmarks/projector.py [--orders 10000] [--url sqlite:////tmp/x.sqlite]

A worker writes the events of many orders in turn, so the log here does as well: `--moving` orders
are under way at once in each partition.
"""

import argparse
import cProfile
import gc
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.orders import document
from projections.store import Store
from projections.writing import Record
from schemas.codec import encode
from schemas.envelope import Envelope
from schemas.events import (
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderCompleted,
    StepSucceeded,
)
from schemas.steps import Body, Callout, Sealed, WaybillStep
from streams.agents.projector import Projector

START = datetime(2026, 1, 1, tzinfo=UTC)
SYSTEMS = (("salesforceV3", "crm"), ("zuora", "billing"), ("platformEvents", "events"))
WAYBILL = tuple(
    WaybillStep(id=name, plugin=name, service=service, options='{"shouldRejectOn": {"status": []}}')
    for name, service in SYSTEMS
)
PERSONAL = ("customerDetails", "payment")
DOCUMENT = json.dumps({name: value for name, value in document().items() if name not in PERSONAL})


def accepted(number: int) -> OrderAccepted:
    """An acceptance of the size that the seed's order gives."""
    sealed = Sealed(
        paths=("/customerDetails", "/payment"),
        key_id=f"{number:032x}",
        subject=f"{number:032x}",
        nonce=b"n" * 12,
        ciphertext=bytes(range(256)) * 5,
    )
    return OrderAccepted(
        order_type="new",
        mode="production",
        external_id=f"EXT-{number:08d}",
        order_reference=f"R{number * 7919 % 10**11:011d}",
        subscription_reference=f"S{number:011d}",
        owner="shop",
        effective_date="2026-01-01",
        config_version=1,
        axes={"order_type": "new", "processing_type": "standard", "offer_type": "standard"},
        waybill=WAYBILL,
        document=f'{DOCUMENT[:-1]}, "number": {number}}}',  # no two orders are alike
        sealed=(sealed,),
        fingerprint=number.to_bytes(32),
    )


def succeeded(step: str, at: datetime) -> StepSucceeded:
    """A result with one callout."""
    answer = json.dumps({"success": True, "id": "z" * 60, "accountNumber": "A00012345"})
    callout = Callout(
        call="create",
        attempt=1,
        method="POST",
        url=f"http://127.0.0.1:8490/{step}/v1/orders",
        status=200,
        started_at=at,
        duration_ms=12.5,
        request=Body(of="order", length=6100, sha256="a" * 64),
        response=Body(text=answer, length=len(answer), sha256="b" * 64),
        key="c" * 36,
    )
    output = {"accountId": "0015400000k3Y70AAE", "contactId": "0035400000kbH8CAAU"}
    return StepSucceeded(step=step, attempt=1, output=output, callouts=(callout,))


def history(number: int) -> list[bytes]:
    """The six records of one order."""
    at = START + timedelta(milliseconds=number)
    facts: list[Fact] = [
        accepted(number),
        *(succeeded(step.id, at) for step in WAYBILL),
        MainPhaseCompleted(expected=4),
        OrderCompleted(expected=5, completion="order complete"),
    ]
    return [
        encode(
            Event(
                Envelope(
                    event_id=f"{number:08x}-0000-5000-8000-{place:012x}",
                    tenant="default",
                    lane=f"default/S{number:011d}",
                    order_id=f"order-{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}",
                    run=1,
                    occurred_at=at + timedelta(milliseconds=20 * place),
                    actor="worker",
                    trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
                    origin="worker-1",
                ),
                fact,
            )
        )
        for place, fact in enumerate(facts)
    ]


def log(orders: int, partitions: int, moving: int) -> dict[int, list[Record]]:
    """Orders in rounds: `moving` of a partition are under way at once."""
    records: dict[int, list[Record]] = {partition: [] for partition in range(partitions)}
    for partition, into in records.items():
        mine = list(range(partition, orders, partitions))
        for first in range(0, len(mine), moving):
            together = [history(number) for number in mine[first : first + moving]]
            for events in zip(*together, strict=True):
                into += [Record(len(into) + n, value) for n, value in enumerate(events)]
    return records


def rounds(records: dict[int, list[Record]], chunk: int) -> Iterator[dict[int, list[Record]]]:
    """A fetch from every partition at a time."""
    longest = max(len(of_partition) for of_partition in records.values())
    for start in range(0, longest, chunk):
        yield {
            partition: part
            for partition, of_partition in records.items()
            if (part := of_partition[start : start + chunk])
        }


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--moving", type=int, default=50)
    parser.add_argument("--chunk", type=int, default=100, help="records of one fetch and partition")
    parser.add_argument("--url", help="SQLAlchemy URL of an empty database; default: SQLite")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    records = log(given.orders, given.partitions, given.moving)
    work = list(rounds(records, given.chunk))
    # As the projector's process does: the log above is no garbage to look through.
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(given.url or f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        projector = Projector(store)
        projector.assign(range(given.partitions))
        took, cpu = measured(projector, work, profile=given.profile)
        store.close()
    size = sum(len(record.value or b"") for part in records.values() for record in part)
    print(
        f"{given.orders * 6 / took:,.0f} events/s, {given.orders / took:,.0f} orders/s, "
        f"{cpu / given.orders * 1e6:.0f} us CPU per order "
        f"({given.orders} orders, {size / given.orders:,.0f} bytes each, chunk {given.chunk})"
    )


def measured(
    projector: Projector, work: list[dict[int, list[Record]]], *, profile: bool
) -> tuple[float, float]:
    """Seconds on the wall and of CPU to apply it all."""
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    began, cpu = time.perf_counter(), time.process_time()
    for chunks in work:
        projector.apply_all(chunks)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    if profile:
        profiler.disable()
        profiler.print_stats("tottime")
    return took, cpu


if __name__ == "__main__":
    main()
