"""Moments as the tables and the API have them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970: a number that both databases keep alike."""
    return (moment - EPOCH) // _MICROSECOND


def moment_of(number: int) -> datetime:
    """The moment of that many microseconds."""
    return EPOCH + number * _MICROSECOND


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 with the offset +00:00."""
    return None if moment is None else moment.isoformat()


def short(moment: datetime) -> str:
    """A moment for people to read, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")
