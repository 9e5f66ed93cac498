"""Structured logs: one JSON object per line on stderr, readable lines on a terminal."""

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from waybill import clock

_ABOUT = ("order", "trace")
"""Extras that have a member of their own: `log.info("...", extra={"order": id})`."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", *_ABOUT}
_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "aiokafka": logging.WARNING,
    "kafka": logging.WARNING,
    "asyncio": logging.WARNING,
    # Below INFO, Faust and mode build a record for every message.
    "faust": logging.INFO,
    "mode": logging.INFO,
}
_WINDOW_S = 10.0
_PER_WINDOW = 5
_MOST_KINDS = 1000
_DIGITS = re.compile(r"\d+")
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31;1m"}


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream` (stderr), from `level` on; may be repeated."""
    out = sys.stderr if stream is None else stream
    least = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(out)
    handler.setFormatter(ConsoleFormatter() if out.isatty() else JsonFormatter())
    handler.addFilter(RepetitionFilter(clock.monotonic))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(least)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, quiet))


class JsonFormatter(logging.Formatter):
    """`{time, level, logger, message, order?, trace?, ...extras, exception?}`; time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line |= {name: value for name in _ABOUT if (value := getattr(record, name, None))}
        line |= _extras(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class ConsoleFormatter(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, message, and what it is about; a traceback on further lines."""
        colour = _COLOURS.get(record.levelname, "")
        level = f"{colour}{record.levelname.lower():<8}{colour and chr(27) + '[0m'}"
        about = {name: getattr(record, name, None) for name in _ABOUT} | _extras(record)
        shown = " ".join(f"{name}={value}" for name, value in about.items() if value is not None)
        line = f"{_time(record):%H:%M:%S} {level} {_message(record)}"
        parts = [f"{line}  {shown}".rstrip()]
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        return "\n".join(parts)


@dataclass(slots=True)
class _Seen:
    until: float
    passed: int = 0
    dropped: int = 0


class RepetitionFilter(logging.Filter):
    """Lets the same message through 5 times in 10 s; the next one says how many were left out.

    A broker that is down would else fill the disk. Messages are the same where logger, level,
    order and text are, numbers aside.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._seen: OrderedDict[tuple[Any, ...], _Seen] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        text = _DIGITS.sub("0", _message(record)[:300])
        kind = record.name, record.levelno, text, getattr(record, "order", None)
        seen = self._seen.pop(kind, None)
        now = self._monotonic()
        if seen is None or now >= seen.until:
            if seen is not None and seen.dropped:
                record.left_out = seen.dropped
            seen = _Seen(now + _WINDOW_S)
        self._seen[kind] = seen
        if len(self._seen) > _MOST_KINDS:
            self._seen.popitem(last=False)
        seen.passed += 1
        if seen.passed <= _PER_WINDOW:
            return True
        seen.dropped += 1
        return False


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}
