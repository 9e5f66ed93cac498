"""Puts a worker together: intake, orchestrator and stages on one loop."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from plugins.addressing import Addressing
from plugins.perform import Performer
from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from projections.deaths import Deaths
from projections.order_book import OrderBook
from projections.snapshots import Snapshots
from schemas.codec import Memo
from streams.agents.commands import CommandAgent, CommandDesk
from streams.agents.fate import StoreCalls
from streams.agents.in_hand import InHand, Slot
from streams.agents.intake import Desk, IntakeAgent
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.means import Means
from streams.agents.orchestrator import Orchestrator
from streams.agents.rejections import Rejections
from streams.agents.stages import Equipment, Stages
from streams.app import build_app
from streams.kafka.writer import LogWriter
from waybill import clock, rules
from waybill.configuring.book import ConfigurationBook
from waybill.configuring.keeping import ConfigurationKeeping
from waybill.core import Core, open_core
from waybill.groups import WORKERS
from waybill.running import Ending
from waybill.serving import serve_probes
from waybill.settings import Settings
from waybill.stage_keeping import StageKeeping

log = logging.getLogger(__name__)

DRAIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    core: Core
    ending: Ending
    registry: Registry
    writer: LogWriter
    transport: Transport
    calls: StoreCalls
    ring: KeyRing
    journal: Journal
    rejections: Rejections
    in_hand: InHand
    performer: Performer
    addressing: Addressing
    book: ConfigurationBook
    now: Callable[[], datetime]


async def work(settings: Settings, ending: Ending) -> None:
    """Runs a worker until the ending."""
    core = await open_core(settings)
    parts = _parts(core, ending)
    await parts.writer.start()
    topic = core.topics.processing_configs
    async with (
        StageKeeping(core, parts.performer.stages, parts.now),
        ConfigurationKeeping(parts.book, core.cluster, topic, ending.fatal) as configurations,
    ):
        await configurations.usable()
        await _serve(parts, configurations)
    await parts.writer.stop()
    await parts.transport.aclose()
    core.store.close()


async def _serve(parts: _Parts, configurations: ConfigurationKeeping) -> None:
    core, ending = parts.core, parts.ending
    orchestrator = _orchestrator(parts)
    intake = _intake(parts, orchestrator, configurations)
    commands = _commands(parts, orchestrator, configurations)
    topics = core.topics
    app = build_app(
        core.reader_settings(WORKERS),
        {
            topics.orders: intake,
            topics.order_commands: commands,
            topics.order_events: orchestrator,
        },
    )
    probes = await serve_probes(core.settings.metrics, lambda: orchestrator.ready)
    orchestrator.start()
    intake.start()
    commands.start()
    await app.begin(ending.fatal, clock.monotonic)
    ending.begun()
    log.info("worker %s started", core.name)
    await ending.wait()
    await orchestrator.drain(DRAIN_S)
    await app.end()
    await intake.stop()
    await commands.stop()
    if probes is not None:
        await probes.cleanup()


def _parts(core: Core, ending: Ending) -> _Parts:
    writer = core.writer()
    calls = StoreCalls(local=core.settings.database.startswith("sqlite"))
    ring = KeyRing(core.vault, calls)
    now, transport = clock.SteadyClock(), Transport.over_aiohttp()
    secrets, registry = SecretValues(os.environ), Registry.found()
    return _Parts(
        core=core,
        ending=ending,
        registry=registry,
        addressing=rules.addressing(core.settings, registry),
        book=rules.configurations(core.settings, registry, core.store),
        writer=writer,
        transport=transport,
        performer=Performer(transport, secrets, clock.utc_now, clock.monotonic),
        calls=calls,
        ring=ring,
        journal=Journal(
            worker=core.name,
            topic=core.topics.order_events,
            writer=writer,
            memo=Memo(),
            now=now,
        ),
        now=now,
        rejections=Rejections(
            topic=core.topics.orders_rejected,
            writer=writer,
            keys=core.keys,
            ring=ring,
            random_bytes=clock.random_bytes,
        ),
        in_hand=_in_hand(core, calls),
    )


def _in_hand(core: Core, calls: StoreCalls) -> InHand:
    folder = core.settings.data / "in-hand"
    slot = Slot(folder, core.name)
    return InHand(slot, folder, Deaths(core.store), calls, clock.utc_now)


def _orchestrator(parts: _Parts) -> Orchestrator:
    stages = Stages(
        Equipment(
            addressing=parts.addressing,
            performer=parts.performer,
            keys=parts.ring,
            now=parts.now,
            monotonic=clock.monotonic,
            random_bytes=clock.random_bytes,
            jitter=clock.jitter,
            in_hand=parts.in_hand,
        )
    )
    born = parts.core.store.birth()
    assert born is not None, "the store is opened with the topics checked"
    return Orchestrator(
        Means(
            journal=parts.journal,
            snapshots=Snapshots(parts.core.store),
            calls=parts.calls,
            stages=stages,
            reject=parts.rejections.contradiction,
            now=parts.now,
            monotonic=clock.monotonic,
            fatal=parts.ending.fatal,
            partitions=born.partitions,
        )
    )


def _intake(
    parts: _Parts, orchestrator: Orchestrator, configurations: ConfigurationKeeping
) -> IntakeAgent:
    core = parts.core
    return IntakeAgent(
        Desk(
            topic=core.topics.orders,
            intake=rules.intake(parts.book, core.keys, parts.addressing),
            journal=parts.journal,
            rejections=parts.rejections,
            ring=parts.ring,
            in_hand=parts.in_hand,
            now=clock.utc_now,
            random_bytes=clock.random_bytes,
            monotonic=clock.monotonic,
            held=lambda: orchestrator.held,
            behind=lambda: orchestrator.behind,
            fatal=parts.ending.fatal,
            ready=configurations.ready,
        )
    )


def _commands(
    parts: _Parts, orchestrator: Orchestrator, configurations: ConfigurationKeeping
) -> CommandAgent:
    core = parts.core
    taking = rules.intake(parts.book, core.keys, parts.addressing)
    return CommandAgent(
        CommandDesk(
            topic=core.topics.order_commands,
            controls_topic=core.topics.stage_controls,
            commanding=rules.commanding(taking, parts.registry),
            pinned=parts.book.pinned,
            book=OrderBook(core.store),
            calls=parts.calls,
            journal=parts.journal,
            rejections=parts.rejections,
            ring=parts.ring,
            in_hand=parts.in_hand,
            now=clock.utc_now,
            random_bytes=clock.random_bytes,
            monotonic=clock.monotonic,
            behind=lambda: orchestrator.behind,
            fatal=parts.ending.fatal,
            ready=configurations.ready,
        )
    )
