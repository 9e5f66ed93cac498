"""Whether the process lives, whether requests should come, and its figures."""

import asyncio
from collections.abc import Mapping

from aiohttp import web
from aiokafka.errors import KafkaError

from waybill.api.call import Api, Call, answered
from waybill.api.problems import ApiProblem

_AGAIN_S = 0.5


async def livez(_call: Call) -> web.Response:
    """The loop answers; says nothing about Kafka, whose outage must not cause restarts."""
    return answered({"status": "live"})


async def readyz(call: Call) -> web.Response:
    """200 when ready, else 503 and what is missing."""
    api = call.api
    store, kafka = await asyncio.gather(_store(api), api.services.kafka.answers())
    checks = [
        {"name": "store", "ok": store, "detail": "answers" if store else "does not answer"},
        {"name": "kafka", "ok": kafka, "detail": "answers" if kafka else "does not answer"},
        _views(api, store=store),
    ]
    missing = [check["name"] for check in checks if not check["ok"]]
    body = {"status": "not_ready" if missing else "ready", "missing": missing, "checks": checks}
    return answered(body, status=503 if missing else 200)


async def metrics(call: Call) -> web.Response:
    """Prometheus' text format."""
    return web.Response(
        body=call.api.metrics.text(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def openapi(call: Call) -> web.Response:
    """The OpenAPI document of this very application."""
    return web.Response(body=call.api.openapi, content_type="application/json")


async def learn_log_end(api: Api) -> None:
    """The end of the log at start-up: until the views are there, answers may be old."""
    while True:
        try:
            api.log_end = await api.services.kafka.log_end()
        except (KafkaError, TimeoutError):
            await asyncio.sleep(_AGAIN_S)
        else:
            return


async def _store(api: Api) -> bool:
    try:
        await api.reader.ask(lambda _: None)
    except ApiProblem:
        return False
    return True


def _views(api: Api, *, store: bool) -> dict[str, object]:
    if not api.caught_up and store and api.log_end is not None:
        api.caught_up = behind(api.log_end, api.reader.applied) == 0
    if api.caught_up:
        detail = "have caught up"
    elif api.log_end is None:
        detail = "the end of order-events is not known yet"
    else:
        detail = f"{behind(api.log_end, api.reader.applied)} events behind the log's end at start"
    return {"name": "views", "ok": api.caught_up, "detail": detail}


def behind(log_end: Mapping[int, int], applied: Mapping[int, int]) -> int:
    """How many records the views have not applied yet, up to that end."""
    return sum(max(0, end - 1 - applied.get(part, -1)) for part, end in log_end.items())
