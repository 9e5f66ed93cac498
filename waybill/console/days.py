"""Days and minutes as fields of forms give them: in UTC, the last day included."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import AwareDatetime, BeforeValidator

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def _begun(given: Any) -> Any:
    return _read(given, timedelta(0))


def _over(given: Any) -> Any:
    return _read(given, timedelta(days=1))


def _read(given: Any, day: timedelta) -> Any:
    if not isinstance(given, str):
        return given
    if _DAY.fullmatch(given):
        try:
            return datetime.fromisoformat(f"{given}T00:00:00Z") + day
        except (ValueError, OverflowError):
            return given  # which is no moment, and is refused as such
    return datetime.fromisoformat(f"{given}:00Z" if _MINUTE.fullmatch(given) else given)


FromDay: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_begun)]
"""The beginning of a day, or any moment."""

ToDay: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_over)]
"""The end of a day, or any moment."""
