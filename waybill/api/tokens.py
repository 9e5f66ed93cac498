"""Tokens that let a reader see what was written: of orders, commands and events."""

import re
from dataclasses import dataclass
from typing import TypeAlias

from waybill.api.problems import BAD_TOKEN, ApiProblem


@dataclass(frozen=True, slots=True)
class OrderToken:
    """Held by the views as soon as they show the order."""

    order_id: str

    def __str__(self) -> str:
        return f"o{self.order_id}"


@dataclass(frozen=True, slots=True)
class EventToken:
    """Held by the views as soon as they have applied that offset of that partition."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"e{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class CommandToken:
    """Held by the views as soon as they show how the command was answered."""

    command_id: str

    def __str__(self) -> str:
        return f"c{self.command_id}"


@dataclass(frozen=True, slots=True)
class VectorToken:
    """Held by the views as soon as they have applied all of these offsets, by partition."""

    offsets: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return vector_text(dict(self.offsets))


Token: TypeAlias = OrderToken | EventToken | CommandToken | VectorToken

ORDER_ID = r"order-[0-9a-f]{32}"

_ORDER_TOKEN = f"o({ORDER_ID})"
_COMMAND_TOKEN = r"c([A-Za-z0-9][A-Za-z0-9._:/-]{0,127})"  # noqa: S105
_EVENT_TOKEN = r"e([0-9]{1,5}):([0-9]{1,18})"  # noqa: S105
_VECTOR = r"[0-9]{1,5}:(-1|[0-9]{1,18})(,[0-9]{1,5}:(-1|[0-9]{1,18}))*"
TOKEN = f"^({_ORDER_TOKEN}|{_COMMAND_TOKEN}|{_EVENT_TOKEN}|{_VECTOR})$"
"""What every token looks like."""
VECTOR = f"^{_VECTOR}$"
"""What a vector of offsets looks like."""
OFFSETS = f"^({_EVENT_TOKEN}|{_VECTOR})$"
"""What a place in the log looks like: that of one event, or a vector."""

_ORDER = re.compile(_ORDER_TOKEN)
_COMMAND = re.compile(_COMMAND_TOKEN)
_EVENT = re.compile(_EVENT_TOKEN)


def parse_token(text: str) -> Token:
    """The token; a 400 problem where it is none of ours."""
    if found := _ORDER.fullmatch(text):
        return OrderToken(found[1])
    if found := _EVENT.fullmatch(text):
        return EventToken(int(found[1]), int(found[2]))
    if found := _COMMAND.fullmatch(text):
        return CommandToken(found[1])
    if vector := parse_vector(text):
        return VectorToken(tuple(sorted(vector.items())))
    raise ApiProblem(
        BAD_TOKEN,
        f"{text[:80]!r} is not a token of this API",
        "use a token, or what Waybill-Applied said, as it was answered, unchanged",
        "min_offset",
    )


def parse_vector(text: str) -> dict[int, int] | None:
    """Applied offsets as `0:123,1:88`; None where the text is no such vector."""
    vector = {}
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,5}):(-1|[0-9]{1,18})", part.strip())
        if found is None:
            return None
        vector[int(found[1])] = int(found[2])
    return vector


def vector_text(vector: dict[int, int]) -> str:
    """`0:123,1:88`, in the order of the partitions; -1 where nothing is applied yet."""
    return ",".join(f"{partition}:{vector[partition]}" for partition in sorted(vector))
