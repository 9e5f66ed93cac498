"""What the product itself reports as an error while it runs: nothing that it does not expect."""

import logging

from tests.simulation.auditor import Auditor

EXPECTED = ("a loop of the process died", "intake is ")
STALLED = "a moving order has nothing under way"
"""Right while a worker does not read back what it wrote; later nothing may need this."""


class Complaints(logging.Handler):
    """Each is a problem of the run."""

    def __init__(self, auditor: Auditor) -> None:
        super().__init__(logging.ERROR)
        self._auditor = auditor

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message == STALLED and not self._auditor.is_calm():
            self._auditor.met["stalled"] += 1
        elif not message.startswith(EXPECTED):
            error = "" if record.exc_info is None else f": {record.exc_info[1]!r}"
            self._auditor.problem(f"an error is reported: {message}{error}")

    def listen(self) -> None:
        """From now on, to all packages."""
        for name in ("streams", "plugins", "projections", "waybill"):
            logging.getLogger(name).addHandler(self)

    def leave(self) -> None:
        """No longer."""
        for name in ("streams", "plugins", "projections", "waybill"):
            logging.getLogger(name).removeHandler(self)
