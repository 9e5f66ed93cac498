"""What a worker does about its stages beside performing: obeys, keeps who asked, tells people."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from plugins.stages import StageBook
from projections.audit import Audit
from projections.stage_states import StageStates
from streams.agents.stage_controls import StageControls
from streams.agents.stage_report import StageReport
from streams.kafka.following import Following
from waybill.controls_keeping import ControlsKeeping
from waybill.core import Core


class StageKeeping:
    """Follows `stage-controls` and reports, while it is entered.

    Entered when all is known that operators have said: nothing may be sent before.
    """

    def __init__(self, core: Core, book: StageBook, now: Callable[[], datetime]) -> None:
        self._keeping = ControlsKeeping(Audit(core.store))
        controls = StageControls(book, heard=self._keeping.heard)
        self._following = Following(
            core.topics.stage_controls,
            core.cluster.bootstrap,
            core.cluster.security.client_options(),
            controls.take,
        )
        self._report = StageReport(core.name, book.states, StageStates(core.store), now)
        self._reporting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._following.start()
        self._keeping.start()
        self._reporting = asyncio.create_task(self._report.run(), name="stage-report")
        await self._following.caught_up()

    async def __aexit__(self, *_: object) -> None:
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.wait([self._reporting])
        await self._following.stop()
        await self._keeping.stop()
