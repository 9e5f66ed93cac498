"""`/api/rejected`: what was not taken and why, whether it would be now, and sending it again."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from projections.audit import AuditKind
from schemas.problems import RefusedError
from streams.agents.rejections import Refused
from streams.core.intake import Prepared, Submission
from streams.core.sealing import UnsealingError
from waybill.api.auditing import Act, audited
from waybill.api.bodies import fitting, json_of, trace_of
from waybill.api.call import Call, answered
from waybill.api.problems import (
    BAD_QUERY,
    KAFKA_UNAVAILABLE,
    ApiProblem,
    not_found,
    refusal,
)
from waybill.api.producing import KafkaUnavailableError, Outgoing
from waybill.api.rejected_problems import NO_ORIGIN, NOT_EDITABLE, REPLAY_OVERSIZE, SEALED
from waybill.api.rejected_shapes import RECORD_ID, RejectedQuery, RejectedReplayBody
from waybill.api.tokens import OrderToken
from waybill.rejected import IDENTITY, Rejected, replay_headers
from waybill.rejected_pages import RejectedUnknownError

MOST_BYTES = 1_900_000
"""Of a record with its headers, as the API's connection takes it; `waybill rejected` takes more."""


async def rejected(call: Call) -> web.Response:
    """A page of the tenant's rejected records, the newest first."""
    return answered(await rejected_page(call, call.query))


async def rejected_page(call: Call, query: RejectedQuery) -> dict[str, Any]:
    """The page; a 400 problem where its cursor is none of ours, 503 where Kafka says nothing."""

    def wanted(one: Rejected) -> bool:
        return (
            one.tenant == call.tenant
            and query.code in {None, one.told.get("code")}
            and query.topic in {None, _topic(call, one)}
            and (query.from_ is None or one.at >= query.from_)
            and (query.to is None or one.at < query.to)
        )

    try:
        page = await call.api.services.rejected.page(wanted, query.cursor, query.limit)
    except RejectedUnknownError as problem:
        raise _unknown(problem) from problem
    except ValueError:
        raise ApiProblem(
            BAD_QUERY, "the cursor is none of ours", "use `next` as it was answered", "cursor"
        ) from None
    replays = await _replays(call, [record_id(one) for one in page.records])
    items = [_view(call, one, replays) for one in page.records]
    return {"items": items, "next": page.following}


async def read_rejected(call: Call) -> web.Response:
    """One record; with what was sent where that is asked for."""
    record = await found(call)
    if call.query.content == "false":
        return answered(await one_view(call, record))
    act = Act(kind=AuditKind.REJECTED, action="read", subject=record_id(record))
    async with audited(call, act):
        return answered(await one_view(call, record, with_content=True))


async def replay(call: Call) -> web.Response:
    """Sends the record again, perhaps with another body."""
    body: RejectedReplayBody = fitting(RejectedReplayBody, await json_of(call.request))
    return answered(await replayed(call, await found(call), body), status=202)


async def found(call: Call) -> Rejected:
    """The record that the path names; a 404 problem where the tenant has none there."""
    return await found_as(call, call.part("id"))


async def found_as(call: Call, name: str) -> Rejected:
    """The record of that id; problems as `found`."""
    if re.fullmatch(RECORD_ID, name) is None:
        raise not_found("the record")
    partition, _, offset = name.partition("-")
    try:
        record = await call.api.services.rejected.one(int(partition), int(offset))
    except RejectedUnknownError as problem:
        raise _unknown(problem) from problem
    if record is None or record.tenant != call.tenant:
        raise not_found("the record")
    return record


async def one_view(call: Call, record: Rejected, *, with_content: bool = False) -> dict[str, Any]:
    """The record as the API shows it, with what would become of it now."""
    original = _opened(call, record)
    of_orders = _topic(call, record) == "orders"
    return {
        **_view(call, record, await _replays(call, [record_id(record)])),
        "bytes": len(original.value),
        "editable": of_orders,
        "refused_now": _refused_now(call, record, original) if of_orders else None,
        "content": _content(original) if with_content else None,
    }


async def replayed(call: Call, record: Rejected, body: RejectedReplayBody) -> dict[str, Any]:
    """What is answered when it is sent again; problems where it is not."""
    topic, original = _topic(call, record), _opened(call, record)
    edited = body.content is not None and body.content.encode() != original.value
    act = Act(
        kind=AuditKind.REJECTED,
        action="replay",
        subject=record_id(record),
        reason=body.reason,
        details={"code": record.told.get("code"), "edited": edited},
    )
    async with audited(call, act):
        if topic is None:
            raise ApiProblem(
                NO_ORIGIN, "its header `origin` names no topic of ours", "send it by hand"
            )
        value = _value(topic, original, body)
        order = None
        if topic == "orders" and not body.anyway:
            order = _order(call, record, original, value)
        await _send(call, record, original, value)
    return {
        "id": record_id(record),
        "topic": topic,
        "edited": edited,
        "order": order,
        "token": None if order is None else str(OrderToken(order)),
    }


def foreseen(call: Call, record: Rejected, content: str | None) -> str | None:
    """The id of the order that it would become, None for a command; problems as `replayed`."""
    topic, original = _topic(call, record), _opened(call, record)
    if topic != "orders":
        return None
    value = original.value if content is None else content.encode()
    return _order(call, record, original, value)


def record_id(record: Rejected) -> str:
    """Partition and offset, as one part of a path."""
    return f"{record.partition}-{record.offset}"


def _view(
    call: Call, record: Rejected, replays: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    told, name = record.told, record_id(record)
    members = ("at", "actor", "reason", "outcome")
    return {
        "id": name,
        "at": record.at.isoformat(),
        "code": told.get("code", "unknown"),
        "reason": told.get("reason", ""),
        "remedy": told.get("remedy"),
        "field": told.get("field"),
        "topic": _topic(call, record),
        "origin": told.get("origin"),
        "replays": [
            {**{member: one[member] for member in members}, "edited": one["details"]["edited"]}
            for one in replays.get(name, ())
            if one["action"] == "replay"
        ],
    }


def _topic(call: Call, record: Rejected) -> str | None:
    """The topic that it came from, by the name that people know."""
    topics = call.api.services.topics
    names = {topics.orders: "orders", topics.order_commands: "order-commands"}
    return names.get(record.topic)


async def _replays(call: Call, names: Sequence[str]) -> Mapping[str, list[dict[str, Any]]]:
    audit = call.api.services.audit
    return await call.api.reader.ask(lambda _: audit.about(call.tenant, names, AuditKind.REJECTED))


def _opened(call: Call, record: Rejected) -> Refused:
    try:
        return record.original(call.api.services.rejected.keys)
    except (UnsealingError, StopIteration) as error:
        raise ApiProblem(
            SEALED,
            f"what was sent cannot be opened ({type(error).__name__})",
            "start the API with the file of keys of that time",
        ) from None


def _content(original: Refused) -> dict[str, Any]:
    headers = {name: (text or b"").decode(errors="replace") for name, text in original.headers}
    try:
        return {"encoding": "utf-8", "text": original.value.decode(), "headers": headers}
    except UnicodeDecodeError:
        text = base64.b64encode(original.value).decode()
        return {"encoding": "base64", "text": text, "headers": headers}


def _value(topic: str, original: Refused, body: RejectedReplayBody) -> bytes:
    if body.content is None:
        return original.value
    if topic != "orders":
        raise ApiProblem(
            NOT_EDITABLE, "only orders can", "send a command of its own instead", "/content"
        )
    return body.content.encode()


def _refused_now(call: Call, record: Rejected, original: Refused) -> dict[str, Any] | None:
    try:
        _prepared(call, record, original, original.value)
    except RefusedError as refused:
        problem = refused.problem
        return {
            "code": problem.code,
            "reason": problem.message,
            "remedy": problem.remedy,
            "field": problem.field,
        }
    return None


def _order(call: Call, record: Rejected, original: Refused, value: bytes) -> str:
    """The id of the order that it becomes; a 422 problem where intake would refuse it again."""
    try:
        return _prepared(call, record, original, value).order_id
    except RefusedError as refused:
        raise refusal(refused.problem) from None


def _prepared(call: Call, record: Rejected, original: Refused, value: bytes) -> Prepared:
    headers = dict(_headers(call, record, original))
    return call.api.services.prepare(
        Submission(
            tenant=call.tenant,
            value=value,
            identity=headers[IDENTITY].decode(errors="replace"),
            actor=call.principal.actor,
            origin=original.origin,
            trace=trace_of(call),
        )
    )


def _headers(call: Call, record: Rejected, original: Refused) -> Sequence[tuple[str, bytes]]:
    sent = [(name, text or b"") for name, text in original.headers]
    place = f"{call.api.services.topics.orders_rejected}/{record.place}"
    return replay_headers(sent, record, place)


async def _send(call: Call, record: Rejected, original: Refused, value: bytes) -> None:
    headers = _headers(call, record, original)
    size = len(value) + sum(len(name) + len(text) for name, text in headers)
    if size > MOST_BYTES:
        raise ApiProblem(
            REPLAY_OVERSIZE,
            f"it has {size} bytes, and {MOST_BYTES} is the limit",
            "correct it, or use `waybill rejected replay`",
        )
    outgoing = Outgoing(
        topic=record.topic, key=original.key or b"", value=value, headers=list(headers)
    )
    try:
        await call.api.services.kafka.send(outgoing)
    except KafkaUnavailableError as problem:
        raise ApiProblem(
            KAFKA_UNAVAILABLE,
            "Kafka did not acknowledge the record in time",
            "send it again: an order is taken once, however often it is sent",
            headers={"Retry-After": "5"},
        ) from problem


def _unknown(problem: RejectedUnknownError) -> ApiProblem:
    return ApiProblem(
        KAFKA_UNAVAILABLE,
        f"Kafka does not say what was rejected ({problem})",
        "try again; if it stays, look at WAYBILL_KAFKA",
        headers={"Retry-After": "2"},
    )
