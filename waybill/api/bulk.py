"""`POST /api/commands`: the same command to every order that a filter finds, at a bounded rate."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from schemas.order_commands import OrderCommand, checked_command
from schemas.problems import RefusedError
from waybill.api.bodies import fitting, json_of
from waybill.api.call import Api, Call, answered
from waybill.api.commanding import command_id, command_record
from waybill.api.foretelling import foretold_anyway, told
from waybill.api.operating_shapes import BulkBody
from waybill.api.problems import (
    BULK_ID_TAKEN,
    FILTER_MISSING,
    MALFORMED_MEMBER,
    TOO_MANY_BULKS,
    ApiProblem,
    command_refusal,
    not_found,
)
from waybill.api.producing import KafkaUnavailableError

MOST_AT_ONCE = 8
REMEMBERED = 200
PAGE = 1_000
SHOWN = 20
FORETOLD = 8
"""Orders of a preview of which is told what would happen."""

_ASKED = {"command", "step", "output", "config"}
_UNTOLD = {"refused": None, "code": None, "consequences": None}
_TICK_S = 0.02
_AGAIN_S = 1.0

log = logging.getLogger(__name__)

Tenanted = tuple[str, str]
"""Tenant and id of a bulk."""


@dataclass(eq=False, slots=True)
class BulkRun:
    """A bulk that this process sends, or has sent. Moments are of the monotonic clock."""

    call: Call
    id: str
    body: BulkBody
    matched: int
    began: float
    sent: int = 0
    all_sent: bool = False
    task: "asyncio.Task[None] | None" = None

    @property
    def is_sending(self) -> bool:
        """Whether it is under way."""
        return self.task is not None and not self.task.done()

    def allowed(self, now: float) -> float:
        """How many may be sent by now."""
        return 1 + self.body.rate_per_s * (now - self.began)

    def command(self, order: str, lane: str) -> OrderCommand:
        """The command to one order. Its id follows from the bulk's and the order's."""
        body = self.body
        return OrderCommand(
            id=f"{self.id}/{order}",
            order=order,
            lane=lane,
            command=body.command,
            step=body.step,
            reason=body.reason,
            output=body.output,
            config=body.config,
        )


@dataclass(eq=False, slots=True)
class Bulks:
    """The bulks of this process; what another one began is known by its answers alone."""

    runs: dict[Tenanted, BulkRun] = field(default_factory=dict)

    def sending(self) -> Iterator[BulkRun]:
        """Those under way."""
        return (run for run in self.runs.values() if run.is_sending)

    def add(self, run: BulkRun) -> None:
        """Remembers the run; the oldest ones that have ended give way."""
        ended = [key for key, old in self.runs.items() if not old.is_sending]
        for key in ended[: max(0, len(self.runs) - REMEMBERED)]:
            del self.runs[key]
        self.runs[run.call.tenant, run.id] = run

    async def close(self) -> None:
        """Stops sending; the same bulk id goes on where it stands."""
        tasks = [run.task for run in self.sending() if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


BULKS: web.AppKey[Bulks] = web.AppKey("bulks", Bulks)


async def bulk(call: Call) -> web.Response:
    """How many and which, or the bulk's id and its progress."""
    body: BulkBody = fitting(BulkBody, await json_of(call.request))
    if body.preview:
        return answered(await previewed(call, body))
    progress = await begun(call, body)
    location = {"Location": f"/api/commands/bulk/{progress['id']}"}
    return answered(progress, status=202, headers=location)


async def begun(call: Call, body: BulkBody) -> dict[str, Any]:
    """Begins the bulk, or lets it go on; its progress."""
    _check(call, body)
    bulk_id = command_id(call, body.id)
    run = _bulks(call).runs.get((call.tenant, bulk_id))
    if run is not None and run.body != body:
        raise ApiProblem(
            BULK_ID_TAKEN,
            f"the id {bulk_id} names a bulk that asks something else",
            "use an id of its own for every bulk",
            "/id",
        )
    if run is None or not run.is_sending:
        await _begun(call, bulk_id, body)
    return await progress_of(call, bulk_id)


async def bulk_progress(call: Call) -> web.Response:
    """How far a bulk is."""
    return answered(await progress_of(call, call.part("id")))


async def bulk_by_query(call: Call) -> web.Response:
    """The same, by `?bulk=`."""
    if call.query.bulk is None:
        raise not_found("a bulk without an id")
    return answered(await progress_of(call, call.query.bulk))


def _check(call: Call, body: BulkBody) -> None:
    """What no order would take is refused before it is sent to ten thousand."""
    if not body.filter.model_dump(exclude_none=True):
        raise ApiProblem(
            FILTER_MISSING, "the filter is empty", "say which orders are meant", "/filter"
        )
    plain = body.model_dump(mode="json", include={*_ASKED, "reason"}, exclude_none=True)
    try:
        checked_command({**plain, "order": "any"})
    except RefusedError as refusal:
        raise command_refusal(refusal.problem) from None
    if body.id is None and call.request.headers.get("Idempotency-Key") is None:
        return
    if "/" in str(command_id(call, body.id)):
        raise ApiProblem(MALFORMED_MEMBER, "a bulk's id has no slash", "choose another", "/id")


async def previewed(call: Call, body: BulkBody) -> dict[str, Any]:
    """How many orders the bulk is about, by status, plugin and code, and some of them."""
    _check(call, body)
    filters = body.filter.filters()
    groups, page = await call.api.reader.ask(
        lambda reading: (
            reading.groups(call.tenant, filters),
            reading.orders(call.tenant, filters, None, SHOWN),
        )
    )
    members = ("id", "external_id", "status", "order_type", "next_action")
    some = [{**_UNTOLD, **{name: order[name] for name in members}} for order in page["items"]]
    asked = body.model_dump(mode="json", include=_ASKED, exclude_none=True)
    for order in some[:FORETOLD]:
        order.update(told(await foretold_anyway(call, order["id"], asked)))
    return {
        "matched": sum(group["orders"] for group in groups),
        "groups": groups,
        "some": some,
    }


async def _begun(call: Call, bulk_id: str, body: BulkBody) -> None:
    bulks = _bulks(call)
    if sum(1 for _ in bulks.sending()) >= MOST_AT_ONCE:
        raise ApiProblem(
            TOO_MANY_BULKS,
            f"{MOST_AT_ONCE} bulks are under way",
            "wait until one of them is through",
            headers={"Retry-After": "10"},
        )
    filters = body.filter.filters()
    groups = await call.api.reader.ask(lambda reading: reading.groups(call.tenant, filters))
    matched = sum(group["orders"] for group in groups)
    run = BulkRun(call, bulk_id, body, matched, call.api.services.monotonic())
    log.warning(
        "bulk %s: %s %d orders, asked by %s: %s",
        bulk_id,
        body.command.value,
        matched,
        call.principal.actor,
        body.reason,
    )
    run.task = asyncio.create_task(_run(call.api, run), name=f"bulk-{bulk_id}")
    bulks.add(run)


def _bulks(call: Call) -> Bulks:
    return call.request.app[BULKS]


async def _run(api: Api, run: BulkRun) -> None:
    try:
        await _send(api, run)
    except Exception:
        log.exception("bulk %s is interrupted: the same id goes on where it stands", run.id)


async def _send(api: Api, run: BulkRun) -> None:
    """Page by page behind a cursor: what leaves the filter meanwhile moves no other order."""
    tenant, filters, cursor = run.call.tenant, run.body.filter.filters(), None
    pending: set[asyncio.Task[None]] = set()
    while True:
        found = await _patiently(
            api, lambda reading, c=cursor: reading.matching(tenant, filters, c, PAGE)
        )
        for order, lane in found.orders:
            while run.sent >= run.allowed(api.services.monotonic()):  # noqa: ASYNC110 (a pace)
                await asyncio.sleep(_TICK_S)
            run.sent += 1
            task = asyncio.create_task(_send_one(api, run, run.command(order, lane)))
            pending.add(task)
            task.add_done_callback(pending.discard)
        cursor = found.following
        if cursor is None:
            break
    await asyncio.gather(*pending)
    run.matched, run.all_sent = run.sent, True


async def _patiently(api: Api, question: Any) -> Any:
    while True:
        try:
            return await api.reader.ask(question)
        except ApiProblem as problem:
            log.warning("a bulk waits for the store: %s", problem.detail)
            await asyncio.sleep(_AGAIN_S)


async def _send_one(api: Api, run: BulkRun, command: OrderCommand) -> None:
    """Until Kafka has it: sent twice, it counts once."""
    record = command_record(run.call, command)
    while True:
        try:
            return await api.services.kafka.send(record)
        except KafkaUnavailableError:
            await asyncio.sleep(_AGAIN_S)


async def progress_of(call: Call, bulk_id: str) -> dict[str, Any]:
    """How far the bulk is; a 404 problem where nothing of it is known."""
    run = _bulks(call).runs.get((call.tenant, bulk_id))
    view = await call.api.reader.ask(lambda reading: reading.bulk_progress(call.tenant, bulk_id))
    if run is None and view is None:
        raise not_found("the bulk")
    counts = view or {"received": 0, "applied": 0, "rejected": 0, "rejections": {}}
    decided = counts["applied"] + counts["rejected"]
    sent = counts["received"] if run is None else max(run.sent, counts["received"])
    progress = {
        "id": bulk_id,
        "command": None if run is None else run.body.command.value,
        "status": _status(run, sent - decided),
        "matched": None if run is None else run.matched,
        "sent": None if run is None else run.sent,
        "applied": counts["applied"],
        "rejected": counts["rejected"],
        "pending": sent - decided,
        "rejections": counts["rejections"],
    }
    return {**progress, **_pace(call, run, decided)}


def _status(run: BulkRun | None, pending: int) -> str:
    if run is not None and run.is_sending:
        return "sending"
    if run is not None and not run.all_sent:
        return "interrupted"
    return "deciding" if pending else "done"


def _pace(call: Call, run: BulkRun | None, decided: int) -> dict[str, float | None]:
    if run is None or not decided:
        return {"rate_per_s": None, "eta_s": None}
    rate = decided / max(0.001, call.api.services.monotonic() - run.began)
    left = max(0, run.matched - decided)
    return {"rate_per_s": round(rate, 1), "eta_s": round(left / rate, 1)}
