"""The webhooks process: from `order-updates` to subscribers' endpoints."""

import asyncio
import logging

from projections.snapshots import Snapshots
from projections.webhooks.queue import DeliveryQueue
from projections.webhooks.standings import Standings
from projections.webhooks.upkeep import Upkeep
from streams.agents.fate import guarded
from streams.agents.webhooks.consumer import Inlet, UpdateReader
from streams.agents.webhooks.dispatcher import Dispatcher, Means
from streams.agents.webhooks.egress import guarded_connector
from streams.agents.webhooks.endpoints import EndpointBook
from streams.agents.webhooks.housekeeping import Housekeeping
from streams.agents.webhooks.making import Maker
from streams.agents.webhooks.personal import PersonalSections
from streams.agents.webhooks.sender import Sender
from streams.app import build_app
from streams.kafka.admin import check_topics
from waybill import clock
from waybill.core import Core, open_core
from waybill.egress import allow_list
from waybill.groups import WEBHOOKS
from waybill.running import Ending, run
from waybill.serving import serve_probes
from waybill.settings import Settings
from waybill.worker import DRAIN_S

log = logging.getLogger(__name__)


def run_webhooks(settings: Settings) -> int:
    """From what becomes of orders to subscribers' endpoints, until a signal."""
    return run(lambda ending: _webhooks(settings, ending))


async def _webhooks(settings: Settings, ending: Ending) -> None:
    core = await open_core(settings)
    book = EndpointBook(core.cluster, core.topics.webhook_endpoints, core.keys)
    book.start()
    connector = guarded_connector(allow_list(settings))
    sender = Sender(connector, book, clock.utc_now, clock.monotonic)
    dispatcher, reader = await _engine(core, book, sender, ending)
    app = build_app(core.reader_settings(WEBHOOKS), {core.topics.order_updates: reader})
    probes = await serve_probes(settings.metrics, lambda: reader.ready)
    keeping = guarded(_housekeeping(core, book, dispatcher).run(), ending.fatal)
    dispatcher.start(ending.fatal)
    reader.start()
    await app.begin(ending.fatal, clock.monotonic)
    ending.begun()
    log.info("webhooks started")
    await ending.wait()
    keeping.cancel()
    await dispatcher.stop(DRAIN_S)
    await app.end()
    await sender.close()
    await book.close()
    if probes is not None:
        await probes.cleanup()
    core.store.close()


async def _engine(
    core: Core, book: EndpointBook, sender: Sender, ending: Ending
) -> tuple[Dispatcher, UpdateReader]:
    report = await check_topics(core.cluster, core.topics)
    queue, writing = DeliveryQueue(core.store), asyncio.Lock()
    personal = PersonalSections(Snapshots(core.store), core.vault)
    dispatcher = Dispatcher(
        Means(
            queue=queue,
            standings=Standings(core.store),
            book=book,
            sender=sender,
            opened=personal.opened,
            writing=writing,
            partitions=report.facts[core.topics.order_updates].partitions,
            now=clock.utc_now,
            monotonic=clock.monotonic,
            jitter=clock.jitter,
        )
    )
    inlet = Inlet(
        queue=queue,
        maker=Maker(book, personal, clock.random_bytes),
        dispatcher=dispatcher,
        writing=writing,
        known=book.caught_up,
        now=clock.utc_now,
    )
    return dispatcher, UpdateReader(inlet, ending.fatal)


def _housekeeping(core: Core, book: EndpointBook, dispatcher: Dispatcher) -> Housekeeping:
    return Housekeeping(
        upkeep=Upkeep(core.store), book=book, owned=lambda: dispatcher.owned, now=clock.utc_now
    )
