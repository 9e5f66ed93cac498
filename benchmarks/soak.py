"""A campaign: everything misbehaves for as long as asked, then an auditor compares all there is.

`python -m benchmarks.soak --minutes 60 --seed 1`; see docs/how-to/run-a-soak.md.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.audit import Report, audited, settle
from benchmarks.breaking import break_brokers
from benchmarks.cluster import Cluster, three_brokers
from benchmarks.databases import postgresql
from benchmarks.disturbing import Nemesis
from benchmarks.load import CHANGES, Shops
from benchmarks.operators import Operators
from benchmarks.partners import Partners, partners
from benchmarks.stack import Stack, stack, stack_on
from benchmarks.stub import free_port
from projections.store import Store

WORKERS = 3
SAY_EVERY_S = 30.0
HARVEST_EVERY_S = 10.0
STEP_S = 4.0
ATTEMPTS = 8
"""A partner that keeps a failure under its key answers so for a day: a person is asked soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is asked for. `every` are the bounds of the pauses between two disturbances.

    `longest_s` bounds the pauses between the attempts of a step. It settles until no order has
    ended for `settle_s`.
    """

    seconds: float
    seed: int
    rate: float = 10.0
    faults: float = 0.05
    latency_ms: int = 60
    every: tuple[float, float] = (4.0, 10.0)
    brokers: int = 1
    longest_s: float = 20.0
    settle_s: float = 600.0
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="soak-")))


def configuration(longest_s: float) -> dict[str, object]:
    """Steps for new orders and for changes; `letter` and `parcel` go to partners without keys."""
    retry = {"attempts": ATTEMPTS, "first_s": 0.5, "longest_s": longest_s}
    patient = {"timeout": STEP_S, "retry": retry}
    ledger = _callout("ledger", "/ledger", retry=retry, on_unknown="repeat")
    letter = _callout("letter", "/keyless/letter", retry=retry, critical=False)
    parcel = _callout("parcel", "/keyless/parcel", retry=retry, on_unknown="rest")
    return {
        "version": 1,
        "sequence": [
            {"name": "salesforceV3", **patient},
            {"name": "zuora", **patient},
            ledger,
            letter,
            {"name": "platformEvents", **patient},
        ],
        "post": [{"name": "entitlements", "critical": False, "timeout": STEP_S}],
        "overrides": [{"order_type": list(CHANGES), "sequence": [ledger, parcel]}],
    }


def _callout(name: str, path: str, **more: object) -> dict[str, object]:
    options = {"endpoint": path, "timeoutValue": 3000, "response": {"made": "id"}}
    return {"name": "calloutPlugin", "id": name, "options": options, **more}


def main(campaign: Campaign) -> Report:
    """One campaign."""
    with ExitStack() as around:
        url = around.enter_context(postgresql(campaign.folder / "postgresql"))
        ports = {"WAYBILL_SANDBOX": free_port(), "WAYBILL_HTTP": free_port()}
        more = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        more["WAYBILL_DATABASE"] = url
        running, cluster = around.enter_context(_brokers(campaign, more))
        world = around.enter_context(partners(running, campaign.latency_ms))
        names = [running.start("worker", f"worker-{number}") for number in range(WORKERS)]
        names += [running.start(program, f"{program}-0") for program in ("projector", "outlet")]
        running.start("api", "api-0")
        running.ready(*names)
        running.answers(f"http://{more['WAYBILL_HTTP']}/livez")
        return asyncio.run(_Run(campaign, running, world, cluster, Store.open(url)).run())


@contextmanager
def _brokers(campaign: Campaign, more: dict[str, str]) -> Iterator[tuple[Stack, Cluster | None]]:
    folder = campaign.folder / "stack"
    if campaign.brokers == 1:
        with stack(folder, configuration(campaign.longest_s), **more) as running:
            yield running, None
        return
    with (
        three_brokers(campaign.folder) as cluster,
        stack_on(cluster.bootstrap, folder, configuration(campaign.longest_s), **more) as running,
    ):
        yield running, cluster


@dataclass
class _Run:
    campaign: Campaign
    running: Stack
    world: Partners
    cluster: Cluster | None
    store: Store

    def __post_init__(self) -> None:
        """Everybody who acts in a campaign, each with dice of its own."""
        dice = random.Random(self.campaign.seed)
        api = f"http://{self.running.environment['WAYBILL_HTTP']}"
        self.shops = Shops(self.running.bootstrap, api, random.Random(dice.random()))
        self.operators = Operators(
            api, self.running.bootstrap, self.store, random.Random(dice.random())
        )
        self.nemesis = Nemesis(self.running, random.Random(dice.random()), self.campaign.every)

    async def run(self) -> Report:
        """Load, faults, kills and operators at once; then quiet, and the audit."""
        campaign, began = self.campaign, time.monotonic()
        self.world.misbehave(campaign.faults)
        background = [asyncio.ensure_future(self._harvest()), asyncio.ensure_future(self._say())]
        acting = [
            self.shops.run(campaign.rate, campaign.seconds),
            self.nemesis.run(campaign.seconds),
            self.operators.run(campaign.seconds),
        ]
        if self.cluster is not None:
            acting.append(break_brokers(self.cluster, campaign.seconds, self.nemesis.done))
        await asyncio.gather(*acting)
        struck = self.world.struck()
        self.world.behave()
        await settle(self.store, self.operators, self.nemesis, campaign.settle_s)
        await self.operators.close()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        self.world.harvest()
        report = await audited(self.running, self.world, self.shops.sent, self.operators)
        report.disturbances = dict(self.nemesis.counts())
        report.ended_themselves = dict(self.nemesis.ended_themselves)
        report.faults = struck
        report.commands = dict(self.operators.counts)
        report.minutes = round((time.monotonic() - began) / 60, 1)
        return report

    async def _harvest(self) -> None:
        while True:
            await asyncio.sleep(HARVEST_EVERY_S)
            await asyncio.to_thread(self.world.harvest)

    async def _say(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(SAY_EVERY_S)
            done, sent = self.nemesis.counts(), self.shops.sent
            kills = sum(n for what, n in done.items() if what.startswith("KILL"))
            views = await asyncio.to_thread(self.operators.statuses)
            disk = shutil.disk_usage(self.campaign.folder).free >> 30
            print(
                f"{time.monotonic() - began:6.0f} s  {len(sent.acknowledged)} orders acknowledged,"
                f" {kills} kills, {sum(done.values()) - kills} others,"
                f" views {views}, {disk} GB free",
                flush=True,
            )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=10.0, help="new orders a second")
    parser.add_argument("--faults", type=float, default=0.05, help="share of calls that misbehave")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--every", type=float, nargs=2, default=(4.0, 10.0), metavar="S")
    parser.add_argument("--folder", type=Path, help="where logs and data go; default: a new one")
    parser.add_argument("--json", type=Path, help="a file that keeps the report")
    return parser.parse_args()


def command() -> int:
    """Runs the campaign that the command line asks for; 0 where every promise held."""
    given = arguments()
    folder = {"folder": given.folder.absolute()} if given.folder else {}
    campaign = Campaign(
        seconds=given.minutes * 60,
        seed=given.seed,
        rate=given.rate,
        faults=given.faults,
        every=tuple(given.every),
        brokers=given.brokers,
        **folder,
    )
    print(f"logs and data: {campaign.folder}", flush=True)
    report = main(campaign)
    print(report.table())
    if given.json:
        given.json.write_text(json.dumps(asdict(report), indent=2, default=str))
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(command())
