"""Log lines: what is in them, and how often the same one is written."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from waybill.logs import ConsoleFormatter, JsonFormatter, RepetitionFilter, configure

LOG = logging.getLogger("waybill.tests")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def record(message: str, *values: Any, **extra: Any) -> logging.LogRecord:
    return LOG.makeRecord("waybill", logging.INFO, "", 0, message, values, None, extra=extra)


def test_a_line_names_the_order_the_trace_and_every_extra() -> None:
    stream = io.StringIO()
    configure("info", stream)
    LOG.info("step %s succeeded", "zuora", extra={"order": "order-1", "trace": "00-a", "ms": 4})
    [line] = lines(stream)
    assert line["time"].endswith("+00:00")
    assert {name: line[name] for name in ("level", "logger", "message")} == {
        "level": "info",
        "logger": "waybill.tests",
        "message": "step zuora succeeded",
    }
    assert (line["order"], line["trace"], line["ms"]) == ("order-1", "00-a", 4)


def test_a_failure_is_one_line_with_its_traceback() -> None:
    stream = io.StringIO()
    configure("info", stream)
    try:
        int("no")
    except ValueError:
        LOG.exception("it broke")
    [line] = lines(stream)
    assert line["exception"].startswith("Traceback")


def test_a_message_that_does_not_fit_its_values_is_written_all_the_same() -> None:
    assert json.loads(JsonFormatter().format(record("%d of %d", 1)))["message"] == "%d of %d"


def test_the_level_holds_and_noisy_libraries_stay_quiet() -> None:
    stream = io.StringIO()
    configure("debug", stream)
    LOG.debug("seen")
    for name in ("httpx", "aiokafka.conn"):
        logging.getLogger(name).info("not seen")
    logging.getLogger("faust.app").debug("not seen")
    assert [line["message"] for line in lines(stream)] == ["seen"]
    configure("info", stream)
    assert not LOG.isEnabledFor(logging.DEBUG)


def test_people_get_one_readable_line() -> None:
    line = ConsoleFormatter().format(record("accepted", order="order-1"))
    assert line.endswith("info     accepted  order=order-1")


class TestRepetition:
    def setup_method(self) -> None:
        self.now = 0.0
        self.filter = RepetitionFilter(lambda: self.now)

    def test_the_same_message_passes_five_times_in_ten_seconds(self) -> None:
        assert [self.filter.filter(record("no broker")) for _ in range(8)] == [True] * 5 + [
            False
        ] * 3

    def test_numbers_do_not_make_a_message_another_one(self) -> None:
        passed = [self.filter.filter(record("no broker %d", port)) for port in range(8)]
        assert sum(passed) == 5

    def test_each_order_counts_for_itself(self) -> None:
        assert all(self.filter.filter(record("failed", order=f"o-{n}")) for n in range(50))

    def test_the_next_one_says_how_many_were_left_out(self) -> None:
        for _ in range(8):
            self.filter.filter(record("no broker"))
        self.now = 11.0
        later = record("no broker")
        assert self.filter.filter(later)
        assert json.loads(JsonFormatter().format(later))["left_out"] == 3

    def test_many_different_messages_do_not_fill_the_memory(self) -> None:
        for number in range(3000):
            self.filter.filter(record("x" * (number % 250), order=str(number)))
        assert len(self.filter._seen) <= 1000
