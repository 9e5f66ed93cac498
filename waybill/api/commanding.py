"""`POST /api/orders/{id}/commands`: check, write to Kafka, perhaps wait for the answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from schemas.order_commands import OrderCommand, checked_command, encoded_command
from schemas.problems import RefusedError
from streams.core.commanding import Asked, Request
from waybill.api.bodies import idempotency_key, json_of, patience_of, trace_of
from waybill.api.call import Call, answered
from waybill.api.problems import (
    BAD_HEADER,
    COMMAND_ID_TAKEN,
    KAFKA_UNAVAILABLE,
    MALFORMED_MEMBER,
    NOT_FOUND,
    ApiProblem,
    command_refusal,
    not_found,
)
from waybill.api.producing import KafkaUnavailableError, Outgoing
from waybill.api.reading import Standing
from waybill.api.submitting import ACTOR_HEADER, TENANT_HEADER
from waybill.api.tokens import ORDER_ID, CommandToken

_IN_THE_PATH = {"order", "lane", "stage"}
_ANSWERED = frozenset({"applied", "rejected"})
_COMMAND_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A command to an order of the tenant, checked."""

    call: Call
    command: OrderCommand

    @property
    def id(self) -> str:
        """The command's id."""
        assert self.command.id is not None
        return self.command.id


async def command(call: Call) -> web.Response:
    """The command's id at once, or how it was answered for those who asked to wait."""
    body, seconds = await json_of(call.request), patience_of(call.request) or 0
    view = await commanded(call, body, seconds)
    if view["status"] in _ANSWERED:
        return answered(view)
    return answered(view, status=202, headers=_location(view["id"]))


async def commanded(call: Call, body: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Sends the command, unless it is known; how it stands after so many seconds at most."""
    order = await order_of(call)
    wanted = _Wanted(call, checked(call, body, order))
    known = await _known(wanted)
    if known is None:
        await _check(wanted, order)
        await send_command(call, wanted.command)
    if seconds and await call.api.watch.answer(call.tenant, wanted.id, seconds):
        known = await _read(call, wanted.id)
    return known or _sent(wanted)


async def read_command(call: Call) -> web.Response:
    """A command and what came of it."""
    found = await _read(call, call.part("id"))
    if found is None:
        raise ApiProblem(
            NOT_FOUND,
            "no command of that id is there, or it was not read yet",
            "check the id, or wait with `?min_offset=c` and the id",
        )
    return answered(found)


async def commands_of(call: Call) -> web.Response:
    """All commands of an order."""
    order = await order_of(call)
    found = await call.api.reader.ask(lambda reading: reading.commands_of(call.tenant, order.id))
    return answered({"items": [command_view(shape) for shape in found], "next": None})


async def send_command(call: Call, command: OrderCommand) -> None:
    """Returns when Kafka has it; a 503 problem where it does not answer in time."""
    try:
        await call.api.services.kafka.send(command_record(call, command))
    except KafkaUnavailableError as problem:
        raise ApiProblem(
            KAFKA_UNAVAILABLE,
            "Kafka did not acknowledge the command in time",
            "repeat it with the header Idempotency-Key of this answer; it is safe to do so",
            headers={"Retry-After": "5", "Idempotency-Key": command.id or ""},
        ) from problem


def command_record(call: Call, command: OrderCommand) -> Outgoing:
    """The command as a record, with who asks. Commands of one order keep their order."""
    headers = {
        TENANT_HEADER: call.tenant,
        ACTOR_HEADER: call.principal.actor,
        "traceparent": trace_of(call),
    }
    return Outgoing(
        topic=call.api.services.topics.order_commands,
        key=(command.order or command.stage or "").encode(),
        value=encoded_command(command),
        headers=[(name, text.encode()) for name, text in headers.items()],
    )


def command_id(call: Call, given: Any) -> Any:
    """The id that the caller gave, by body or header, else a new one."""
    if given is not None:
        return given
    key = idempotency_key(call.request)
    if key is None:
        return f"command-{call.api.services.random_bytes(16).hex()}"
    if _COMMAND_ID.fullmatch(key) is None:
        raise ApiProblem(
            BAD_HEADER,
            "Idempotency-Key cannot name a command",
            "use at most 80 letters, digits, points, colons, dashes and underscores",
            "Idempotency-Key",
        )
    return key


def command_view(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The command as the API shows it."""
    plain = {name: value for name, value in shape.items() if name != "outcome"}
    token = str(CommandToken(shape["id"]))
    return {**plain, "status": shape["outcome"], "token": token}


async def order_of(call: Call) -> Standing:
    """The order that the path names; a 404 problem where the tenant has none of that id."""
    given = call.part("id")
    if re.fullmatch(ORDER_ID, given) is None:
        raise not_found("the order")
    found = await call.api.reader.ask(lambda reading: reading.standings([given]))
    if given not in found or found[given].tenant != call.tenant:
        raise not_found("the order")
    return found[given]


def checked(call: Call, body: dict[str, Any], order: Standing) -> OrderCommand:
    """The command to the order, with its id; a 422 problem names the member that is wrong."""
    for name in _IN_THE_PATH & body.keys():
        raise ApiProblem(
            MALFORMED_MEMBER, f"{name} does not belong here", "the path names the order", f"/{name}"
        )
    about = {"order": order.id, "lane": order.lane, "id": command_id(call, body.get("id"))}
    try:
        return checked_command({**body, **about})
    except RefusedError as refusal:
        raise command_refusal(refusal.problem) from None


async def _known(wanted: _Wanted) -> dict[str, Any] | None:
    """The command of that id, if it is in the view; it has to be the same."""
    known = await _read(wanted.call, wanted.id)
    asked = (wanted.command.order, wanted.command.command.value)
    if known is not None and (known["order"], known["command"]) != asked:
        raise ApiProblem(
            COMMAND_ID_TAKEN,
            f"the id {wanted.id} names a {known['command']} of {known['order']}",
            "use an id of its own for every command",
            "/id",
        )
    return known


def asked_of(call: Call, command: OrderCommand) -> Asked:
    """The command as its worker would read it."""
    assert command.id is not None
    request = Request(
        tenant=call.tenant,
        value=None,
        identity=command.id,
        actor=call.principal.actor,
        origin="api",
    )
    return Asked(request=request, command=command, id=command.id)


async def _check(wanted: _Wanted, order: Standing) -> None:
    call, checks = wanted.call, wanted.call.api.services.checks
    asked = asked_of(call, wanted.command)
    try:
        await call.api.reader.ask(lambda _: checks.check(asked, order.id))
    except RefusedError as refusal:
        raise command_refusal(refusal.problem) from None


async def _read(call: Call, command_id: str) -> dict[str, Any] | None:
    found = await call.api.reader.ask(lambda reading: reading.command(call.tenant, command_id))
    return None if found is None else command_view(found)


def _sent(wanted: _Wanted) -> dict[str, Any]:
    command = wanted.command
    return {
        "id": wanted.id,
        "order": command.order,
        "command": command.command.value,
        "status": "sent",
        "step": command.step,
        "reason": command.reason,
        "actor": wanted.call.principal.actor,
        "token": str(CommandToken(wanted.id)),
    }


def _location(command_id: str) -> dict[str, str]:
    return {"Location": f"/api/commands/{command_id}"}
