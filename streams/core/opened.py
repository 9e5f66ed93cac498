"""An order as its steps see it: the sealed parts put back, in memory only."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from streams.core.order import Order
from streams.core.sealing import DataKey, unseal


def subjects_of(order: Order) -> Iterator[str]:
    """The data subjects whose keys open the order's document and what its steps handed on."""
    for part in order.accepted.sealed:
        yield part.subject
    for parts in order.sealed.values():
        for part in parts:
            yield part.subject


def submitted(order: Order, keys: Mapping[str, DataKey]) -> dict[str, Any]:
    """The document as it was submitted, or amended since.

    What is sealed with a key that is not among `keys`, by data subject, stays away.
    """
    document: dict[str, Any] = orjson.loads(order.accepted.document)
    for part in order.accepted.sealed:
        key = keys.get(part.subject)
        if key is not None:
            document.update(unseal(part, order.id, key))
    return document


def seen_by_steps(order: Order, document: Mapping[str, Any]) -> dict[str, Any]:
    """The submitted document with what acceptance has fixed."""
    accepted = order.accepted
    return {
        **document,
        "id": order.id,
        "order_type": accepted.order_type,
        "order_reference": accepted.order_reference,
        "subscriptionReference": accepted.subscription_reference,
        "owner": accepted.owner,
        "effective_date": accepted.effective_date,
    }


def handed_on(order: Order, keys: Mapping[str, DataKey]) -> Mapping[str, Mapping[str, Any]]:
    """The outputs of the order's steps, personal ones included where `keys` open them."""
    if not order.sealed:
        return order.context
    opened = {step: dict(output) for step, output in order.context.items()}
    for step, parts in order.sealed.items():
        for part in parts:
            key = keys.get(part.subject)
            if key is not None:
                opened.setdefault(step, {}).update(unseal(part, order.id, key))
    return opened
