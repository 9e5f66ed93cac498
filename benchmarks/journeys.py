"""Orders of every type through the whole stack, while their partners misbehave: who ends wrong?

`python -m benchmarks.journeys --orders 1000 --faults 0.05`. The orders are those of the files in
tests/journeys. Each file is made once without faults; what the partners hold of it then is what
they should hold of each of its copies. An order is wrong where they hold something else, or where
it has come to no end although no person is needed.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.audit_sources import audited_log, statuses
from benchmarks.auditor import Audit
from benchmarks.journey_copies import (
    METHOD,
    Copy,
    Link,
    configuration,
    document_of,
    links_of,
    tales,
)
from benchmarks.measuring import show
from benchmarks.partners import Partners, partners
from benchmarks.stack import Stack, stack
from benchmarks.stub import free_port
from projections.store import Store
from streams.core.order import State
from tests.journeys.comparing import bare
from tests.journeys.partners import STATEFUL
from waybill.sandbox.testing import CREDENTIALS

SETTLE_S = 900.0
_OF_STRIPE = re.compile(r"\b(?:cus|sub|in|si|pi)_\w+|\b1[789]\d{8}\b")
"""Its ids, and moments as it writes them."""
AT_REST = frozenset({"complete", "failed", "cancelled", "in_doubt"})
_REFERENCE = re.compile(r"(?<![A-Z2-9])[A-HJ-NP-Z2-9]{12}(?![A-Z2-9])")
_ID = re.compile(r"[0-9a-f]{32}")


def main(orders: int, faults: float) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    chains = {path_name: list(links_of(told)) for path_name, told in tales()}
    each = sum(len(links) for links in chains.values())
    copies = max(1, round(orders / each))
    with tempfile.TemporaryDirectory() as name:
        more = {"WAYBILL_SANDBOX": f"127.0.0.1:{free_port()}"}
        with (
            stack(Path(name) / "stack", configuration(chains), **more) as running,
            partners(running, 0) as world,
        ):
            running.start("projector")
            running.start("worker")
            running.ready("projector", "worker")
            run = _Run(running, world, chains)
            return asyncio.run(run.figures(copies, faults))


class _Run:
    def __init__(self, running: Stack, world: Partners, chains: Mapping[str, list[Link]]) -> None:
        self._running = running
        self._world = world
        self._chains = chains
        self._sent = 0
        self._known: Mapping[str, Any] = {}
        self._store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")

    async def figures(self, copies: int, faults: float) -> dict[str, Any]:
        """The example of each file, then its copies with faults, then the comparison."""
        examples = [Copy(name, 0, links) for name, links in self._chains.items()]
        await self._make(examples)
        self._known = self._catalogue()
        good = [copy for copy in examples if copy.orders[-1].state is State.COMPLETED]
        left_out = [copy for copy in examples if copy not in good]
        for copy in left_out:
            print(f"left out: {copy.name}: {_problem(copy, [], [])}", flush=True)
        began = time.monotonic()
        if faults > 0:
            self._world.misbehave(faults)
        made = [
            Copy(name, number, links)
            for name, links in ((copy.name, copy.links) for copy in good)
            for number in range(1, copies + 1)
        ]
        await self._make(made)
        seconds = time.monotonic() - began
        struck = self._world.struck()
        self._world.behave()
        return self._compared(good, made, seconds, struck)

    async def _make(self, copies: list[Copy]) -> None:
        """Order after order; those of one place in their copies together."""
        for at in range(max(len(copy.links) for copy in copies)):
            having = [copy for copy in copies if len(copy.links) > at]
            names = self._known or self._catalogue()
            for copy in having:
                copy.sent.append(document_of(copy, at, names))
            await self._submit([copy.sent[at] for copy in having])
            await self._settled()
            audit = await audited_log(self._running.bootstrap)
            for copy in having:
                _note(copy, at, audit)

    async def _submit(self, documents: list[Mapping[str, Any]]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._running.bootstrap) as producer:
            for document in documents:
                key, value = str(document["external_id"]), json.dumps(document).encode()
                await producer.send("orders", value, key=key.encode())
            await producer.flush()
        self._sent += len(documents)

    async def _settled(self) -> None:
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            found = await asyncio.to_thread(statuses, self._store)
            if sum(count for status, count in found.items() if status in AT_REST) >= self._sent:
                return
            await asyncio.sleep(0.5)
        print("not settled:", found, flush=True)

    def _catalogue(self) -> dict[str, dict[str, str]]:
        token = self._ask("/zuora/oauth/token", urllib.parse.urlencode(CREDENTIALS).encode())
        listed = self._ask("/zuora/v1/catalog/products", None, token["access_token"])
        plans = [plan for one in listed["products"] for plan in one["productRatePlans"]]
        charges = {
            plan["name"]: plan["productRatePlanCharges"][0]["id"]
            for plan in plans
            if plan["productRatePlanCharges"]
        }
        return {"plan": {plan["name"]: plan["id"] for plan in plans}, "charge": charges}

    def _ask(self, path: str, data: bytes | None = None, token: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self._world.base + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read())

    def _compared(
        self, examples: list[Copy], made: list[Copy], seconds: float, struck: Mapping[str, int]
    ) -> dict[str, Any]:
        states = {name: self._ask(f"/_state?partner={name}") for name in STATEFUL}
        held = _by_copy(states, [*examples, *made])
        wanted = {copy.name: held.get((copy.name, 0), []) for copy in examples}
        wrong: dict[str, list[str]] = defaultdict(list)
        counts: Counter[str] = Counter()
        for copy in made:
            counts[copy.order_type] += len(copy.links)
            problem = _problem(copy, wanted[copy.name], held.get((copy.name, copy.number), []))
            if problem is not None:
                wrong[copy.order_type].append(f"{copy.name}/{copy.number}: {problem}")
        return _shown(counts, wrong, seconds, struck)


def _note(copy: Copy, at: int, audit: Audit) -> None:
    [order_id] = audit.by_external_id[copy.external_id(at)]
    order, link = audit.orders[order_id], copy.links[at]
    accepted = order.accepted
    copy.orders.append(order)
    copy.outputs.append(
        {
            **order.context.get(link.told.plugin, {}),
            "order_reference": accepted.order_reference,
            "subscriptionReference": accepted.subscription_reference,
            "id": order.id,
            "owner": accepted.owner,
            "order": copy.sent[at],
            "outputs": order.context,
        }
    )


def _by_copy(states: Mapping[str, Any], copies: list[Copy]) -> dict[tuple[str, int], list[str]]:
    """What the partners hold of each copy: the records that name its numbers, or their accounts."""
    owner = {
        token: (copy.name, copy.number)
        for copy in copies
        for order in copy.orders
        for token in (
            order.accepted.order_reference,
            order.accepted.subscription_reference,
            order.accepted.owner.removeprefix("id-"),
            order.id.removeprefix("order-"),
        )
    }
    records = [
        (f"{partner}.{kind}", record)
        for partner, state in states.items()
        for kind, held in state.items()
        if isinstance(held, Mapping | list)
        for record in (held.values() if isinstance(held, Mapping) else held)
    ]
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    texts = [(kind, json.dumps(record, sort_keys=True), record) for kind, record in records]
    for tokens in (_REFERENCE, _ID):
        left = []
        for kind, text, record in texts:
            whose = {owner[one] for one in tokens.findall(text) if one in owner}
            if len(whose) != 1:
                left.append((kind, text, record))
                continue
            [copy] = whose
            owner |= dict.fromkeys(_ID.findall(_own_ids(record)), copy)
            found[copy].append(f"{kind} {_plain(record)}")
        texts = left
    return {copy: sorted(lines) for copy, lines in found.items()}


def _own_ids(record: Any) -> str:
    """The ids that a record is called by, or whose account it is."""
    if not isinstance(record, Mapping):
        return ""
    return " ".join(str(record.get(name)) for name in ("id", "accountId"))


def _plain(record: Any) -> str:
    text = json.dumps(bare(record), sort_keys=True)
    for own in (re.compile(r"(?<=maren)\.[\d.]+(?=@)"), _REFERENCE, METHOD, _OF_STRIPE):
        text = own.sub("*", text)
    return text


def _problem(copy: Copy, wanted: list[str], held: list[str]) -> str | None:
    last = copy.orders[-1]
    if last.state is not State.COMPLETED:
        failures = [one.failure for one in last.progress if one.failure is not None]
        return f"is {last.state.value}: {failures[-1:]}"
    if wanted == held:
        return None
    surplus = Counter(held) - Counter(wanted)
    absent = Counter(wanted) - Counter(held)
    return f"holds {list(surplus)[:2]} instead of {list(absent)[:2]}"


def _shown(
    counts: Counter[str],
    wrong: Mapping[str, list[str]],
    seconds: float,
    struck: Mapping[str, int],
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "orders": counts.total(),
        "seconds": seconds,
        "faults": sum(struck.values()),
        "wrong end states": sum(map(len, wrong.values())),
    }
    figures |= {f"orders {name}": count for name, count in sorted(counts.items())}
    figures |= {f"wrong {name}": len(lines) for name, lines in sorted(wrong.items())}
    show(figures)
    for lines in wrong.values():
        for line in lines[:3]:
            print(f"  {line[:1500]}")
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--faults", type=float, default=0.05, help="share of calls that misbehave")
    given = parser.parse_args()
    found = main(given.orders, given.faults)
    sys.exit(1 if found["wrong end states"] else 0)
