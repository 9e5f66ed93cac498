"""The processes beside the API: worker, projector and outlet, from start to end."""

import asyncio
import logging
from collections.abc import Awaitable

from plugins.registry import Registry
from streams.agents.fate import guarded
from streams.agents.outlet import Outlet
from streams.agents.projecting import ProjectingReader
from streams.agents.projector import Projector
from streams.agents.webhooks.endpoints import EndpointBook
from streams.app import build_app
from streams.kafka.writer import Headers
from waybill import clock
from waybill.core import open_core
from waybill.groups import PROJECTORS
from waybill.publishing import published
from waybill.running import Ending, run
from waybill.serving import serve_probes
from waybill.settings import Settings
from waybill.worker import DRAIN_S, work

log = logging.getLogger(__name__)


def run_worker(settings: Settings) -> int:
    """Intake, orchestrator and stages, until a signal."""
    return run(lambda ending: work(settings, ending))


def run_projector(settings: Settings) -> int:
    """From the log to the views, until a signal."""
    return run(lambda ending: _projector(settings, ending))


def run_outlet(settings: Settings) -> int:
    """From the store's timeline to the outgoing topics, until a signal."""
    return run(lambda ending: _outlet(settings, ending))


async def _projector(settings: Settings, ending: Ending) -> None:
    core = await open_core(settings)
    reader = ProjectingReader(Projector(core.store), ending.fatal)
    reading = core.reader_settings(PROJECTORS, gathers=True)
    app = build_app(reading, {core.topics.order_events: reader})
    probes = await serve_probes(settings.metrics, lambda: reader.ready)
    reader.start()
    await app.begin(ending.fatal, clock.monotonic)
    ending.begun()
    log.info("projector started")
    await ending.wait()
    await app.end()
    if probes is not None:
        await probes.cleanup()
    core.store.close()


async def _outlet(settings: Settings, ending: Ending) -> None:
    core = await open_core(settings)
    writer = core.writer()
    await writer.start()

    async def send(topic: str, key: bytes, value: bytes, headers: Headers) -> Awaitable[object]:
        return writer.append(topic, key, value, headers)

    book = EndpointBook(core.cluster, core.topics.webhook_endpoints, core.keys)
    book.start()
    await book.caught_up()
    outlet = Outlet(core.store, core.topics, send, published(settings, Registry.found(), book))
    stop = asyncio.Event()
    probes = await serve_probes(settings.metrics, lambda: True)
    publishing = guarded(outlet.run(stop), ending.fatal)
    ending.begun()
    log.info("outlet started")
    await ending.wait()
    stop.set()
    await asyncio.wait({publishing}, timeout=DRAIN_S)
    await book.close()
    await writer.stop()
    if probes is not None:
        await probes.cleanup()
    core.store.close()
