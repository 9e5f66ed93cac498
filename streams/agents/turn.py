"""Whether an attempt may still be sent, and why one comes to nothing before it was."""

from collections.abc import Callable
from dataclasses import dataclass


class NotSentError(Exception):
    """It took too long until it could be sent, or the order belongs to another worker now."""


class StopWantedError(Exception):
    """A person wants the order to stop, and the attempt was not sent yet."""


class Misfit(Exception):  # noqa: N818 (a finding, not a fault of ours)
    """The step cannot even be tried: its configuration does not fit the order."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn an attempt is; asked right before its first byte is sent.

    `is_mine`: it is still this worker's to send. `stop_wanted`: a person wants the order to stop,
    and nobody has sent the attempt yet.
    """

    is_mine: Callable[[], bool]
    stop_wanted: Callable[[], bool]
