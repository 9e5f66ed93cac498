"""`GET /api/statistics`: counts, rates, durations and causes of errors over a span of time."""

from datetime import timedelta

from aiohttp import web

from projections.moments import iso
from projections.statistics_queries import DAY, HOUR, Span, whole_hours
from waybill.api.call import Call, answered
from waybill.api.problems import BAD_QUERY, ApiProblem
from waybill.api.statistics_shapes import StatisticsQuery

MOST_INTERVALS = 31 * 24
"""A month by the hour, or two years by the day."""

_INTERVALS = {"hour": HOUR, "day": DAY}
_LONGEST = timedelta(days=3660)


async def statistics(call: Call) -> web.Response:
    """The last day by default."""
    query: StatisticsQuery = call.query
    span = _span(call, query)
    items = await call.api.reader.ask(lambda reading: reading.statistics(call.tenant, span))
    answer = {
        "by": span.by,
        "from": iso(span.since),
        "to": iso(span.until),
        "interval": query.interval,
        "items": items,
        "next": None,
    }
    return answered(answer)


def _span(call: Call, query: StatisticsQuery) -> Span:
    until = query.to or call.api.services.now()
    try:
        since, until = whole_hours(query.from_ or until - DAY, until)
    except OverflowError:
        raise _bad("the span is out of all time", "name moments of this age", "from") from None
    if since >= until:
        raise _bad("nothing lies between from and to", "give a `to` behind `from`", "to")
    interval = None if query.interval is None else _INTERVALS[query.interval]
    if until - since > (_LONGEST if interval is None else MOST_INTERVALS * interval):
        raise _bad("the span is too long", "give a shorter one, or a longer interval", "from")
    return Span(
        by=query.by,
        since=since,
        until=until,
        interval=interval,
        name=query.name,
        mode=query.mode,
    )


def _bad(detail: str, remedy: str, field: str) -> ApiProblem:
    return ApiProblem(BAD_QUERY, detail, remedy, field)
