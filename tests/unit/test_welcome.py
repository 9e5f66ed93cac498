"""The first order is followed to its end, and shown in words that a newcomer understands."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from rich.console import Console, RenderableType

from waybill.welcome import WelcomeError, show_first_order, steps_table, timeline_table

STEP = {
    "id": "salesforceV3",
    "service": "crm",
    "phase": "main",
    "status": "succeeded",
    "attempts": 1,
    "started": "2026-11-22T10:00:00.010+00:00",
    "ended": "2026-11-22T10:00:00.052+00:00",
}
WAITING = {
    **STEP,
    "id": "zuora",
    "status": "pending",
    "attempts": 0,
    "started": None,
    "ended": None,
}
TIMELINE = [
    {"type": "OrderAccepted", "at": "2026-11-22T10:00:00+00:00", "data": {}},
    {
        "type": "StepSucceeded",
        "at": "2026-11-22T10:00:00.052+00:00",
        "data": {"step": "salesforceV3"},
    },
]


def shown(what: RenderableType) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_step_shows_how_long_it_took() -> None:
    text = shown(steps_table({"id": "o", "status": "processing", "steps": [STEP, WAITING]}))
    assert "o: processing" in text
    assert [word for word in text.split() if word in {"42", "salesforceV3", "zuora"}] == [
        "salesforceV3",
        "42",
        "zuora",
    ]


def test_an_event_shows_its_step_and_the_time_since_the_order_came() -> None:
    text = shown(timeline_table(TIMELINE))
    row = next(line for line in text.splitlines() if "StepSucceeded" in line)
    assert ("52" in row, "salesforceV3" in row) == (True, True)


class StandIn:
    """An API whose view is a little behind."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.asked = 0
        self.refuses = False
        self.app = web.Application()
        self.app.router.add_post("/api/order", self.submit)
        self.app.router.add_get("/api/orders", self.orders)
        self.app.router.add_get("/api/orders/o1", self.order)
        self.app.router.add_get("/api/orders/o1/timeline", self.timeline)

    async def submit(self, request: web.Request) -> web.Response:
        if self.refuses:
            return web.json_response({"detail": "no configuration"}, status=422)
        self.ids.append((await request.json())["external_id"])
        return web.json_response({"id": "o1", "token": "oo1"}, status=202)

    async def orders(self, _: web.Request) -> web.Response:
        return web.json_response({"items": [], "next": None})

    async def order(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.asked == 1:
            return web.json_response({"title": "view_behind"}, status=503)
        status = "processing" if self.asked == 2 else "complete"
        return web.json_response({"id": "o1", "status": status, "steps": [STEP]})

    async def timeline(self, _: web.Request) -> web.Response:
        return web.json_response({"items": TIMELINE, "next": None})


@pytest.fixture
async def api() -> AsyncIterator[tuple[StandIn, str]]:
    stand_in = StandIn()
    runner = web.AppRunner(stand_in.app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    yield stand_in, f"http://{host}:{port}"
    await runner.cleanup()


async def test_the_first_order_is_followed_to_its_end(
    api: tuple[StandIn, str], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in, url = api
    await show_first_order(url)
    assert stand_in.asked == 3
    assert "OrderAccepted" in capsys.readouterr().out


async def test_every_run_submits_an_order_of_its_own(api: tuple[StandIn, str]) -> None:
    stand_in, url = api
    await show_first_order(url)
    await show_first_order(url)
    assert len(set(stand_in.ids)) == 2


async def test_a_refusal_is_shown_with_its_reason(api: tuple[StandIn, str]) -> None:
    stand_in, url = api
    stand_in.refuses = True
    with pytest.raises(WelcomeError, match="422, no configuration"):
        await show_first_order(url)
