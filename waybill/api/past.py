"""`?as_of=`: offsets of the log or a moment, up to which an order is shown."""

from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from projections.past import AsOf
from waybill.api.call import Call
from waybill.api.problems import BAD_QUERY, ApiProblem
from waybill.api.shapes import Moment
from waybill.api.tokens import VectorToken, parse_vector

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
