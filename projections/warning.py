"""Warnings: what to look at in an order's process event although the order goes on."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from projections.wording import Line
from schemas.events import CommandReceived, Event, OrderAccepted, StepSucceeded
from streams.core.follow_ups import follow_up_of
from streams.core.pricing import difference

MEMBER = "warnings"
"""The member of a step's output that holds them, as texts."""


def warnings_of(event: Event) -> Iterator[Line]:
    """The lines behind the event's own."""
    match event.fact:
        case OrderAccepted(axes=axes, document=document) if document:
            yield from _of_money(axes, document)
        case CommandReceived(revision=revision) if revision is not None and revision.document:
            yield from _of_money(revision.axes, revision.document)
        case StepSucceeded(step=step, output=output):
            yield from _of_output(step, output)
        case _:
            return


def _of_money(axes: Mapping[str, str], document: str) -> Iterator[Line]:
    found = difference(orjson.loads(document), axes.get("order_type", ""))
    if found is not None:
        yield Line("warning", str(found))


def _of_output(step: str, output: Mapping[str, Any]) -> Iterator[Line]:
    given = output.get(MEMBER)
    for text in given if isinstance(given, list | tuple) else ():
        yield Line("warning", f"step {step}: {text}")
    left = follow_up_of(output)
    if left is not None:
        yield Line("warning", f"step {step} left something to do: {left.message} ({left.code})")
