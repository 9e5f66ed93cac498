"""Commands as they arrive on `order-commands` and over REST, and as they are written there."""

import io
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from fastavro import schemaless_writer
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.arriving import Arriving, refused
from schemas.codec import HEADER, MAGIC
from schemas.commands import CommandKind
from schemas.problems import RefusedError
from schemas.registry import ORDER_COMMANDS, latest

MAX_COMMAND_BYTES = 1 << 20
MAX_OUTPUT_BYTES = 64 << 10
MAX_REASON = 1000

CommandId: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}(/order-[0-9a-f]{32})?$")
]
"""What callers choose; those of one bulk are its id, a slash and the order's id."""

Name: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
]

Reason: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class StageCommandKind(StrEnum):
    """What is asked of a stage."""

    HOLD_STAGE = "hold_stage"
    RELEASE_STAGE = "release_stage"


class OrderCommand(BaseModel):
    """One command. Either `order` (its id, reference or external id) or `stage` is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: CommandId | None = None
    order: Name | None = None
    lane: Name | None = None
    stage: Name | None = None
    command: CommandKind | StageCommandKind
    step: Name | None = None
    reason: Reason = Field(max_length=MAX_REASON)
    output: dict[str, Any] | None = None
    changes: dict[str, Any] | None = None
    config: Literal["pinned", "current"] | None = None


_RETRY, _AMEND, _RESOLVE = CommandKind.RETRY, CommandKind.AMEND, CommandKind.RESOLVE
_TAKERS: dict[str, frozenset[CommandKind]] = {
    "step": frozenset({_RETRY, CommandKind.SKIP, _RESOLVE}),
    "output": frozenset({_RESOLVE}),
    "changes": frozenset({_AMEND}),
    "config": frozenset({_RETRY, _AMEND}),
}
"""Members that only some commands take."""

_COMMAND = Arriving(
    name="command",
    subject=ORDER_COMMANDS,
    most_bytes=MAX_COMMAND_BYTES,
    shorten="send what changes, not the whole order",
)
_JSON_MEMBERS = ("output", "changes")


def read_command(value: bytes | None) -> OrderCommand:
    """The command in a record or a request body; `RefusedError` where there is none."""
    plain, is_avro = _COMMAND.read(value)
    if is_avro:
        plain = {name: text for name, text in plain.items() if text is not None}
        for name in _JSON_MEMBERS:
            if isinstance(plain.get(name), str):
                plain[name] = _COMMAND.json(plain[name].encode())
    if not isinstance(plain, dict):
        raise refused("malformed", "the command is not a JSON object", "send one per record")
    return checked_command(plain)


def checked_command(plain: dict[str, Any]) -> OrderCommand:
    """The command with these members; `RefusedError` names the one that is wrong."""
    _check_kind(plain.get("command"))
    try:
        command = OrderCommand.model_validate(plain)
    except ValidationError as problem:
        found = problem.errors(include_input=False, include_url=False)[0]
        raise _misfit(found["loc"], found["msg"]) from None
    _check_subject(command)
    _check_members(command)
    return command


def encoded_command(command: OrderCommand) -> bytes:
    """The record's value."""
    schema = latest(ORDER_COMMANDS)
    plain = command.model_dump(mode="json")
    for name in _JSON_MEMBERS:
        if plain[name] is not None:
            plain[name] = orjson.dumps(plain[name]).decode()
    out = io.BytesIO()
    out.write(HEADER.pack(MAGIC, schema.id))
    schemaless_writer(out, schema.parsed, plain)
    return out.getvalue()


def _check_kind(given: Any) -> None:
    known = [kind.value for kind in (*CommandKind, *StageCommandKind)]
    if given in known:
        return
    near = get_close_matches(str(given), known, 1)
    raise refused(
        "unknown_command",
        f"{str(given)[:80]!r} is not a command",
        f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}",
        "/command",
    )


def _check_subject(command: OrderCommand) -> None:
    if isinstance(command.command, StageCommandKind):
        if command.stage is None or command.order is not None:
            raise refused(
                "malformed", "the command is about a stage", "give `stage`, not `order`", "/stage"
            )
    elif command.order is None or command.stage is not None:
        raise refused(
            "malformed", "the command is about an order", "give `order`, not `stage`", "/order"
        )


def _check_members(command: OrderCommand) -> None:
    kind = command.command
    for name, takers in _TAKERS.items():
        if getattr(command, name) is not None and kind not in takers:
            raise refused(
                "malformed",
                f"{name} does not belong to {kind.value}",
                f"leave it out; {', '.join(sorted(takers))} take it",
                f"/{name}",
            )
    if kind is _RESOLVE and command.output is None:
        raise refused(
            "malformed",
            "resolve needs the step's output",
            "send `output`, `{}` where the step hands nothing on",
            "/output",
        )
    if kind is _AMEND and not command.changes:
        raise refused(
            "malformed", "amend needs changes", "send a JSON merge patch (RFC 7396)", "/changes"
        )
    _check_size(command.output, "output", MAX_OUTPUT_BYTES)
    _check_size(command.changes, "changes", MAX_COMMAND_BYTES)


def _check_size(value: Any, name: str, most: int) -> None:
    try:
        size = len(orjson.dumps(value))
    except TypeError:
        raise refused(
            "malformed", f"{name} is nested too deep", "nest at most 250 levels", f"/{name}"
        ) from None
    if size > most:
        raise refused(
            "oversize", f"{name} has {size} bytes; the limit is {most}", "shorten it", f"/{name}"
        )


def _misfit(loc: tuple[int | str, ...], message: str) -> RefusedError:
    field = "/" + "/".join(str(part) for part in loc)
    known = list(OrderCommand.model_fields)
    near = get_close_matches(str(loc[0]), known, 1)
    if loc[0] in known:
        return refused("malformed", f"{loc[0]}: {message}", f"correct {loc[0]}", field)
    hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}"
    return refused("malformed", f"{str(loc[0])[:80]!r} is no member of a command", hint, field)
