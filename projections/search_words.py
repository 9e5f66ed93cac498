"""The words that an order is found by: cut from texts in one way, and brought by its events.

Nothing that is sealed is among them: documents come without their personal and payment sections,
messages of failures are free of both, and of outputs only what is named like an id or a number.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from projections.change import Change, parsed
from schemas.events import (
    CompensationFailed,
    OrderAccepted,
    OrderAmended,
    StepFailed,
    StepInDoubt,
    StepResolved,
    StepSucceeded,
)
from schemas.steps import WaybillStep
from streams.core.order import Order

LONGEST = 64
"""Characters of a word that count; what is longer goes by its beginning."""

_MOST_OF_A_TEXT = 40
_DEEPEST = 3
_WORD = re.compile(r"[a-z0-9\u0080-\U0010ffff]+")
_PLAIN = re.compile(r"[^a-z0-9]+")
_NO_LETTERS = re.compile(r"[^\w]|_")
_NAMED_LIKE_AN_ID = re.compile(
    r"(?:id|ids|number|numbers|ref|reference|references|memo|memos"
    r"|account|contact|subscription|invoice|order|opportunity|case|asset)$",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"secret|token|password|credential|payment", re.IGNORECASE)
_FAILURES = (StepFailed, StepInDoubt, CompensationFailed)
_NAMES = ("name", "display_name__limio", "product_code__limio", "rate_plan__zuora")
"""Members of offers and products that people know them by."""


def words_in(text: str) -> list[str]:
    """The words of a text, in their order: letters and digits, without case and accents.

    A word of the beginning of a text is the beginning of a word of the text.
    """
    if text.isascii():
        return [word[:LONGEST] for word in _PLAIN.split(text.lower()) if word]
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return [word[:LONGEST] for word in _WORD.findall(_NO_LETTERS.sub(" ", bare))]


def words_of(change: Change) -> Sequence[str]:
    """What the event adds to what its order is found by, each word once.

    It follows from the event and the order before it alone, so that it does not matter which
    events are written together.
    """
    fact = change.event.fact
    found: dict[str, None] = {}
    if isinstance(fact, StepSucceeded):
        texts: Iterable[str] = _numbers(fact.output, _DEEPEST)
    elif isinstance(fact, OrderAccepted):
        found.update(dict.fromkeys(_identity(change.after, fact)))
        texts = (*_names_in(fact.document), *_plugins(fact.waybill))
    elif isinstance(fact, _FAILURES):
        texts = () if _was_said(change.before, fact) else (fact.failure.code, fact.failure.message)
    elif isinstance(fact, OrderAmended):
        accepted = change.after.accepted
        texts = (*_names_in(accepted.document), *_plugins(accepted.waybill))
    elif isinstance(fact, StepResolved):
        texts = _numbers(change.after.context.get(fact.step, {}), _DEEPEST)
    else:
        return ()
    for text in texts:
        found.update(_words_once(text))
    return list(found)


@lru_cache(maxsize=16_384)
def _words_once(text: str) -> Mapping[str, None]:
    """Those that count of a text. Names of offers and plugins come again and again."""
    return dict.fromkeys(words_in(text)[:_MOST_OF_A_TEXT])


def _identity(order: Order, fact: OrderAccepted) -> list[str]:
    """The words of what names the order: at once, where they are not too many of a text anyway."""
    texts = (
        order.id,
        fact.order_reference,
        fact.external_id or "",
        fact.subscription_reference,
        fact.owner,
        order.lane.rpartition("/")[2],
    )
    words = words_in(" ".join(texts))
    if len(words) > _MOST_OF_A_TEXT:
        return [word for text in texts for word in words_in(text)[:_MOST_OF_A_TEXT]]
    return words


def _plugins(waybill: Iterable[WaybillStep]) -> Iterator[str]:
    return (step.plugin for step in waybill)


def _was_said(before: Order | None, fact: StepFailed | StepInDoubt | CompensationFailed) -> bool:
    """Whether the attempt before failed for the same reason: it is found by that already."""
    index = None if before is None else before.index_of(fact.step)
    if before is None or index is None:
        return False
    last = before.progress[index].failure
    return (
        last is not None and last.message == fact.failure.message and last.code == fact.failure.code
    )


def _names_in(document: str) -> list[str]:
    """Names of offers and products of an order's document; nothing where it has another shape."""
    plain = parsed(document) if document else {}
    found: list[str] = []
    for item in _objects(plain.get("orderItems")) if isinstance(plain, dict) else ():
        _add_names(item, found)
        offer = item.get("offer")
        for one in (item, offer, offer.get("data") if isinstance(offer, dict) else None):
            if isinstance(one, dict):
                _add_names(one, found)
                for product in _objects(one.get("products")):
                    _add_names(product, found)
    return found


def _add_names(one: Mapping[str, Any], found: list[str]) -> None:
    attributes = one.get("attributes")
    for members in (one, attributes if isinstance(attributes, dict) else {}):
        for name in _NAMES:
            text = members.get(name)
            if isinstance(text, str):
                found.append(text)


def _objects(listed: Any) -> Iterator[Mapping[str, Any]]:
    return (
        (one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else iter(())
    )


def _numbers(output: Mapping[str, Any], deepest: int) -> Iterator[str]:
    """Ids and numbers that a step hands on, those in its lists and objects included."""
    for name, value in output.items():
        hidden, named_like_an_id = _said_by(name)
        if hidden:
            continue
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, dict):
                if deepest > 1:
                    yield from _numbers(one, deepest - 1)
            elif named_like_an_id and _is_number(one):
                yield str(one)


@lru_cache(maxsize=4_096)
def _said_by(name: str) -> tuple[bool, bool]:
    """Whether what a member holds is to be hidden, and whether it is an id or a number."""
    return bool(_HIDDEN.search(name)), bool(_NAMED_LIKE_AN_ID.search(name))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return len(text := str(value)) <= LONGEST and any(map(str.isdigit, text))
