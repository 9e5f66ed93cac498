"""Compares what partners hold after two runs that should have done the same."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ANOTHER = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[0-9a-f]{32}"
    r"|\b00[0-9a-zA-Z]{13}(?:[0-9a-zA-Z]{3})?\b"
    r"|\b(?:INV|CM|DM|PM|P|R|O|A|C|RP|SP)-?\d{6,}\b"
)
"""Ids that partners choose, and numbers that they count: others in another run."""
_MOMENTS = re.compile(r"(?i)(created|updated|modified).*|.*(time|timestamp|at)$")


def bare(state: Any) -> Any:
    """Without what differs between two runs that did the same."""
    if isinstance(state, Mapping):
        kept = {str(name): bare(one) for name, one in state.items() if not _is_moment(name, one)}
        # Records by ids that say nothing: as a list, of which none hides another.
        nameless = any(ANOTHER.fullmatch(name) for name in kept)
        return sorted(kept.values(), key=repr) if nameless else kept
    if isinstance(state, list):
        return [bare(one) for one in state]
    return ANOTHER.sub("*", state) if isinstance(state, str) else state


def changes(before: Any, after: Any, at: str) -> Iterator[str]:
    """Where two states differ at all."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from changes(before.get(name), after.get(name), f"{at}.{name}")
    elif _are_lists(before, after) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from changes(one, other, f"{at}[{index}]")
    elif before != after:
        yield f"{at}: is {str(after)[:300]}, was {str(before)[:300]}"


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, Sequence) and not isinstance(value, str) for value in values)


def _is_moment(name: str, value: Any) -> bool:
    return isinstance(value, str | int | float) and _MOMENTS.fullmatch(name) is not None
