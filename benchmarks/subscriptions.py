"""How long lists of subscriptions and statistics take, with very many of them in the store.

    .venv/bin/python -m benchmarks.subscriptions [--subscriptions 200000] [--json]

Fills SQLite and PostgreSQL straight through the table writers, with statistics of four stages over
90 days, and asks what the API would ask, each question many times. Milliseconds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.databases import postgresql
from benchmarks.measuring import percentiles
from projections.customers import CustomerQueries
from projections.moments import EPOCH
from projections.statistics import COUNTS, DURATIONS, statistics_bulks
from projections.statistics_queries import HOUR, Span, StatisticsQueries
from projections.store import Store
from projections.subscription_queries import SubscriptionFilters, SubscriptionQueries
from projections.subscriptions import Key, subscription_row, subscriptions_bulk
from projections.tables import place_of
from projections.viewset import view_set
from streams.core.subscribed import Item
from streams.core.subscription import Subscription

PARTITIONS = 8
START = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = "2026-12-31"
DAYS = 90
STAGES = ("salesforceV3", "zuora", "platformEvents", "entitlements")
AT_ONCE = 5_000
REPEATS = 100

_TENANT = "default"


def main() -> None:
    """Measures both databases and prints a row for each question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=200_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        sqlite = f"sqlite:///{Path(folder) / 'bench.sqlite'}"
        figures["sqlite"] = measured(sqlite, given.subscriptions)
        with postgresql(Path(folder) / "postgresql") as url:
            figures["postgresql"] = measured(url, given.subscriptions)
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'question':<34}" + "".join(f"{name + ' p50':>18}{'p99':>9}" for name in figures))
    for question in figures["sqlite"]:
        shown = (figures[name][question] for name in figures)
        print(
            f"{question:<34}" + "".join(f"{one['p50']:>18.1f}{one['p99']:>9.1f}" for one in shown)
        )


def measured(url: str, count: int) -> dict[str, dict[str, float]]:
    """p50 and p99 by question."""
    store = Store.open(url)
    try:
        _fill(store, count)
        return {name: _asked(ask) for name, ask in _questions(store, count)}
    finally:
        store.close()


def _asked(ask: Callable[[int], Any]) -> dict[str, float]:
    took = []
    for number in range(REPEATS):
        began = time.perf_counter()
        ask(number)
        took.append((time.perf_counter() - began) * 1000)
    return percentiles(took)


def _questions(store: Store, count: int) -> Iterator[tuple[str, Callable[[int], Any]]]:
    queries, customers = SubscriptionQueries(store), CustomerQueries(store)

    def listed(**filters: Any) -> Callable[[int], Any]:
        wanted = SubscriptionFilters(**filters)
        return lambda _: queries.subscriptions(_TENANT, wanted, TODAY)

    def by(make: Callable[[int], SubscriptionFilters]) -> Callable[[int], Any]:
        return lambda n: queries.subscriptions(_TENANT, make(n * 7919 % count), TODAY)

    yield "the newest", listed()
    for status in ("active", "cancelled", "expired", "suspended", "initial", "pending"):
        yield f"status={status}", listed(status=status)
    yield "an offer", listed(offer="/offers/3")
    yield "an offer, suspended", listed(offer="/offers/3", status="suspended")
    yield "mode=test", listed(mode="test")
    yield "until a day", by(lambda n: SubscriptionFilters(until=_created(n)))
    yield "an owner", by(lambda n: SubscriptionFilters(owner=f"id-{n // 3}"))
    yield "an account number", by(lambda n: SubscriptionFilters(account=f"A-{n // 3}"))
    yield "a CRM account", by(lambda n: SubscriptionFilters(crm=f"C-{n // 3}"))
    yield "the beginning of a reference", by(lambda n: SubscriptionFilters(q=_reference(n)[:6]))
    yield "one", lambda n: queries.subscription(_TENANT, _reference(n), TODAY)
    yield "customers", lambda _: customers.customers(_TENANT, None, 50)
    yield "a customer", lambda n: customers.customer(_TENANT, f"id-{n}")
    statistics = StatisticsQueries(store)
    for days in (1, 7, 31):
        span = Span(by="stage", since=START, until=START + timedelta(days=days))
        yield f"statistics of {days} days", lambda _, s=span: statistics.statistics(_TENANT, s)


def _fill(store: Store, count: int) -> None:
    tables = view_set(store.set_id())
    dialect = store.writer.dialect
    rows = (_row(number) for number in range(count))
    _write(store, subscriptions_bulk(tables.subscriptions, dialect), rows)
    _write(store, statistics_bulks(tables.statistics, dialect).stages, _hours())
    if dialect.name == "postgresql":
        with store.writer.begin() as connection:
            connection.execute(text("ANALYZE"))


def _write(store: Store, bulk: Any, rows: Iterator[tuple[Any, ...]]) -> None:
    while chunk := [row for _, row in zip(range(AT_ONCE), rows, strict=False)]:
        with store.writer.begin() as connection:
            bulk.write(connection, chunk)


def _row(number: int) -> tuple[Any, ...]:
    partition = number % PARTITIONS
    subscription = _subscription(number)
    key = Key(_TENANT, subscription.reference, partition)
    return subscription_row(key, place_of(partition, number // PARTITIONS), subscription)


def _reference(number: int) -> str:
    return f"S{number * 7919 % 10**11:011d}"


def _created(number: int) -> datetime:
    return START + timedelta(seconds=60 * number)


def _subscription(number: int) -> Subscription:
    """Most are active; of the other statuses there are few, and of some hardly any."""
    at = _created(number)
    order = f"order-{number:032x}"
    item = Item(
        name="Digital",
        offer=f"/offers/{number % 7}",
        offer_type="standard",
        quantity="1",
        amount="25",
        currency="GBP",
        rate_plan="UK Quarterly",
        products=("Harbour Journal Digital",),
        since=at.date().isoformat(),
        until=None,
        order=order,
    )
    return Subscription(
        reference=_reference(number),
        tenant=_TENANT,
        owner=f"id-{number // 3}",
        mode="test" if number % 9_973 == 0 else "production",
        created=at.isoformat(),
        first_order=order,
        status={1: "suspended", 2: "initial"}.get(number % 5_003, "active"),
        updated=at.isoformat(),
        start=item.since,
        ends="2026-06-01" if number % 500 == 0 else None,
        term_end="2026-09-01",
        auto_renew=number % 50 != 0,
        items=(item,),
        numbers={
            "zuora": {"accountNumber": f"A-{number // 3}"},
            "crm": {"crmId": f"C-{number // 3}"},
        },
        last_order=order,
        last_type="new",
        orders=1,
    )


def _hours() -> Iterator[tuple[Any, ...]]:
    first = (START - EPOCH) // HOUR
    for hour in range(first, first + 24 * DAYS):
        for stage in STAGES:
            for partition in range(PARTITIONS):
                key = (_TENANT, hour, stage, "production", partition)
                yield (*key, *[5] * len(COUNTS), *[1] * len(DURATIONS))


if __name__ == "__main__":
    main()
