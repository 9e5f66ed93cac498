"""Tells a run as it happens: what lands, what partners are asked, who comes and goes."""

import logging
from typing import Any

from tests.simulation.auditor import Auditor
from tests.simulation.log import Entry
from tests.simulation.partners import Call

log = logging.getLogger("simulation")


class Trace:
    """Writes a line per event of `order-events` and per call."""

    def __init__(self, auditor: Auditor) -> None:
        self._auditor = auditor
        auditor.log.landed.append(self._landed)
        auditor.effects.told.append(self._called)

    def _landed(self, topic: str, partition: int, entries: list[Entry]) -> None:
        for entry in entries:
            at = f"{self._auditor.loop.time():9.3f} {topic}/{partition}/{entry.offset}"
            if topic != "order-events":
                log.info("%s %s", at, (entry.value or b"")[:160])
                continue
            event = self._auditor.store.codec.decode(entry.value)
            seen = self._auditor.history[event.envelope.order_id]
            one = next(s for s in seen if (s.partition, s.offset) == (partition, entry.offset))
            mark = "+" if one.applied else "-"
            log.info("%s %s %s", at, mark, told(event))

    def _called(self, call: Call) -> None:
        log.info(
            "%9.3f    %s %s %s %s/%s/%s key %s %s effect=%s (sent %.3f)",
            self._auditor.loop.time(),
            call.host,
            call.partner,
            call.order[:14],
            call.verb,
            call.step,
            call.call,
            call.key and call.key[:8],
            call.fate,
            call.effect,
            call.sent,
        )


def told(event: Any) -> str:
    """An event in a line."""
    fact = event.fact
    hidden = {"document", "sealed", "waybill", "fingerprint", "callouts", "axes", "revision"}
    names = [name for name in fact.__dataclass_fields__ if name not in hidden]
    said = " ".join(f"{name}={getattr(fact, name)}" for name in names)
    origin = event.envelope.origin
    return f"{event.envelope.order_id[:14]} {type(fact).__name__} {said} by {origin}"[:420]
