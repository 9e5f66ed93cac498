"""Talks with a connector by sending replies into its conversation."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from plugins.api import Conversation, Outcome, Reply, Request, Step
from plugins.connectors.zuora import zuora
from tests.unit.connectors.zuora_talk import ORDERED

EXAMPLES = Path(__file__).parents[3] / "examples"
ACCEPTED = {
    "id": "order-1",
    "order_reference": "7Q2KX5M9ADLP",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "owner": "id-41",
    "effective_date": "2026-11-20",
}

Talk: TypeAlias = Callable[..., tuple[list[Request], Outcome]]
Order: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def talk() -> Talk:
    """Give the replies in turn; get what was asked, and the outcome."""

    def run(conversation: Conversation, *replies: Reply) -> tuple[list[Request], Outcome]:
        asked: list[Request] = []
        answers = iter(replies)
        try:
            request = next(conversation)
            while True:
                asked.append(request)
                request = conversation.send(next(answers))
        except StopIteration as end:
            assert next(answers, None) is None, "a reply was not asked for"
            return asked, end.value

    return run


@pytest.fixture
def order() -> Order:
    """An example order as a step sees it, with members changed."""

    def load(name: str = "order-new", changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        document = json.loads((EXAMPLES / f"{name}.json").read_bytes())
        return {**document, **ACCEPTED, **(changes or {})}

    return load


@pytest.fixture
def body(talk: Talk) -> Callable[..., Mapping[str, Any]]:
    """The order that is sent to Zuora, after the replies to what is asked before it."""

    def sent(at: Step[Any], *replies: Reply) -> Mapping[str, Any]:
        asked, _ = talk(zuora.perform(at), *replies, ORDERED)
        return asked[-1].body or {}

    return sent
