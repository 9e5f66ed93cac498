"""`?as_of=`: offsets of the log or a moment, up to which an order is shown."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError, WithJsonSchema

from projections.past import AsOf
from waybill.api.call import Call
from waybill.api.problems import BAD_QUERY, ApiProblem
from waybill.api.shapes import Moment, Reread
from waybill.api.tokens import OFFSETS, VectorToken, parse_vector

_AS_OF = {
    "anyOf": [
        {"type": "string", "pattern": OFFSETS},
        {"type": "string", "format": "date-time"},
    ]
}


class PastQuery(Reread):
    """Reading an order as it was."""

    as_of: Annotated[str, WithJsonSchema(_AS_OF)] | None = Field(
        default=None,
        description="As it stood there: a token of an event, offsets as Waybill-Applied has them,"
        " or a moment. Offsets that the views do not hold yet are waited for, up to 5 s",
        examples=["2026-03-01T10:15:30Z"],
    )


_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


async def as_of(call: Call) -> AsOf | None:
    """What is asked for, once the views hold it; None where the present is."""
    text: str | None = call.query.as_of
    if text is None:
        return None
    vector = parse_vector(text.removeprefix("e"))
    if vector is None:
        return AsOf(moment=_moment(text))
    offsets = tuple(sorted(vector.items()))
    await call.api.watch.holds(VectorToken(offsets), call.tenant)
    return AsOf(offsets=offsets)


def bad_as_of(problem: ValueError) -> ApiProblem:
    """400, with what it has to be."""
    return ApiProblem(
        BAD_QUERY,
        f"as_of cannot be used: {problem}",
        "give a token of an event (e3:120), offsets as Waybill-Applied has them, or a moment of"
        " RFC 3339 with offset",
        "as_of",
    )


def _moment(text: str) -> datetime:
    try:
        moment: datetime = _MOMENT.validate_python(text)
    except ValidationError:
        raise bad_as_of(ValueError(f"{text[:80]!r} is no moment with an offset")) from None
    return moment
