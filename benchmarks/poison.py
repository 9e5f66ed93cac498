"""What one poisonous record in 1,000 costs the others: their latencies without and with it.

`python -m benchmarks.poison [ORDERS]`. Poisonous are bytes that are no order,
in `orders`, and bytes that are no command, in `order-commands`.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.audit_sources import refused
from benchmarks.measuring import callouts, latencies, log_of, percentiles, show
from benchmarks.orders import produce
from benchmarks.partner import partner
from benchmarks.stack import Stack, stack
from benchmarks.throughput import wait_for
from projections.store import Store

ORDERS = 6_000
RATE = 50
ONE_IN = 1_000
ROUNDS = 2
WARM = 500
SEED = 5
TOPICS = ("orders", "orders", "order-commands")


def main(orders: int = ORDERS) -> dict[str, Any]:
    """Rounds without and with poison in turn; prints the figures and returns them."""
    with tempfile.TemporaryDirectory() as folder, partner() as stub:
        configuration = {"version": 1, "sequence": callouts(stub.base, "x")}
        with stack(Path(folder), configuration) as running:
            running.start("projector")
            running.start("worker")
            running.ready("projector", "worker")
            sent = asyncio.run(_rounds(running, orders))
            store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
            wait_for(store, WARM + 2 * ROUNDS * orders)
            found = latencies(log_of(running.bootstrap))
            quarantined = len(asyncio.run(refused(running.bootstrap)))
    figures: dict[str, Any] = {"poisonous": sent, "quarantined": quarantined}
    for kind in ("clean", "poisoned"):
        milliseconds = [ms for number in "abcd"[:ROUNDS] for _, ms in found[f"{kind}{number}"]]
        figures |= {f"{kind}_{n}_ms": value for n, value in percentiles(milliseconds).items()}
    figures["p99_change_percent"] = (figures["poisoned_p99_ms"] / figures["clean_p99_ms"] - 1) * 100
    show(figures)
    return figures


async def _rounds(running: Stack, orders: int) -> int:
    sent = 0
    await produce(running.bootstrap, WARM, RATE, "warm")
    for number in "abcd"[:ROUNDS]:
        await produce(running.bootstrap, orders, RATE, f"clean{number}")
        poisoned = produce(running.bootstrap, orders, RATE, f"poisoned{number}")
        _, more = await asyncio.gather(poisoned, _poison(running, orders))
        sent += more
    return sent


async def _poison(running: Stack, orders: int) -> int:
    producer: Any = AIOKafkaProducer(bootstrap_servers=running.bootstrap)
    await producer.start()
    dice, many = random.Random(SEED), max(1, orders // ONE_IN)
    for number in range(many):
        await asyncio.sleep(ONE_IN / RATE)
        topic = TOPICS[number % len(TOPICS)]
        await producer.send_and_wait(topic, dice.randbytes(300))
    await producer.stop()
    return many


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ORDERS)
