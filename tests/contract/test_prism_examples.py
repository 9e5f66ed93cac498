"""What the Zuora plugin asks in its scripted steps, their look-ups and previews, against Prism."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import httpx
import pytest

from plugins.api import Conversation, Example, Reply, Request, Script
from plugins.connectors.zuora import EXAMPLES, zuora
from tests.prism import KEY, missing, violations

FORESEEN = Reply(200, {"success": True, "previewResult": {}})

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def _asked(talk: Conversation, script: Script) -> Iterator[Request]:
    """Until its end, or until it asks for what the script does not answer."""
    given: dict[str, int] = defaultdict(int)
    try:
        request = next(talk)
        while True:
            yield request
            name = request.call or f"{request.method} {request.path}"
            replies = script.get(name)
            if replies is None:
                return
            given[name] += 1
            reply = replies if isinstance(replies, Reply) else list(replies)[given[name] - 1]
            request = talk.send(reply)
    except StopIteration:
        return


def _every(example: Example) -> Iterator[Request]:
    assert zuora.look_up is not None
    assert zuora.previewer is not None
    yield from _asked(zuora.perform(example.step), example.replies)
    foreseen = {**example.replies, "POST /v1/orders/preview": FORESEEN}
    yield from _asked(zuora.previewer(example.step), foreseen)
    for script in (example.found, example.missing):
        if script is not None:
            yield from _asked(zuora.look_up(example.step), script)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name.replace(" ", "-"))
def test_prism_takes_every_request(prisms: Mapping[str, httpx.Client], example: Example) -> None:
    said = {}
    for request in _every(example):
        key = {"Idempotency-Key": KEY} if request.call and request.method == "POST" else {}
        said[f"{request.method} {request.path}"] = violations(
            prisms["zuora"],
            request.method,
            request.path,
            query=request.query,
            body=request.body,
            headers={**key, **(request.headers or {})},
        )
    assert {call: problem for call, problem in said.items() if problem} == {}


def test_previews_are_among_them() -> None:
    paths = {request.path for example in EXAMPLES for request in _every(example)}
    assert "/v1/orders/preview" in paths
