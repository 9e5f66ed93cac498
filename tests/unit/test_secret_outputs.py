"""What a connector hands on in secret is sealed, and stands in clear nowhere in the log."""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from plugins.api import Connector, Done, Idempotency, Manifest, NoOptions, Request, Step
from plugins.registry import Registry
from schemas.events import StepSucceeded
from streams.core.sealing import DataKey, unseal
from tests.facts import accepted, given, then
from tests.unit.staging import Bench, a_step, an_order
from tests.unit.virtual import virtually

KEY = DataKey(id="key-1", subject="order-1", secret=b"s" * 32)
REPLY = {"id": "A-1", "token": "tok-7Hq2xYz", "email": "ada@example.org", "body": {"id": "A-1"}}


class Safe:
    """A vault with one key for everybody."""

    def at_hand(self, tenant: str, subjects: Any) -> Mapping[str, DataKey]:
        del tenant
        return dict.fromkeys(subjects, KEY)


def fetch(_: Step[Any]):
    reply = yield Request.post("/tokens", {}, call="fetch")
    return Done(**{name: reply[name] for name in REPLY})


def spend(step: Step[Any]):
    yield Request.post("/spend", {"with": step.context["acme"]["token"]}, call="spend")
    return Done()


class Secretive(Bench):
    """The first plugin hands on a token, the second one sends it."""

    def __init__(self) -> None:
        super().__init__(httpx.Response(200, json=REPLY))
        named = {"acme": self.connection, "spender": self.connection}
        self.stages = self.staged(named, Safe())

    def get(self, name: str) -> Connector:
        manifest = Manifest(
            name=name,
            service="test",
            summary="test",
            idempotency=Idempotency.NATIVE,
            options=NoOptions,
            personal=("email", "body"),
            secret_outputs=("token",),
            timeout_s=10,
        )
        return Connector(manifest, {"acme": fetch, "spender": spend}[name])


def test_nothing_of_it_stands_in_clear() -> None:
    bench = Secretive()
    order = an_order()
    result = virtually(bench.attempt(order))
    assert isinstance(result, StepSucceeded)
    assert result.output == {"id": "A-1"}
    assert b"".join(_texts(result)).count(b"A-1") > 0, "what is not secret can be read"
    assert not any(secret in b"".join(_texts(result)) for secret in (b"tok-7", b"ada@"))
    assert unseal(result.sealed[0], order.id, KEY) == {k: REPLY[k] for k in REPLY if k != "id"}


def test_a_later_step_is_recorded_without_it() -> None:
    bench = Secretive()
    order = given(accepted(a_step(), a_step(id="spender", plugin="spender")))
    order = then(order, virtually(bench.attempt(order)))
    result = virtually(bench.attempt(order._replace(open_at=1)))
    assert isinstance(result, StepSucceeded)
    assert b"tok-7Hq2xYz" in bench.sent[-1].content, "the partner gets it"
    assert not any(b"tok-7" in text for text in _texts(result))


def test_callouts_seal_what_is_named_like_a_secret() -> None:
    manifest = Registry.found().get("calloutPlugin").manifest
    assert {"token", "password", "email", "body"} <= set(manifest.sealed_outputs)


def _texts(result: StepSucceeded) -> list[bytes]:
    callouts = [(one.url, one.request.text, one.response.text) for one in result.callouts]
    return [orjson.dumps(result.output), *(orjson.dumps(one) for one in callouts)]
