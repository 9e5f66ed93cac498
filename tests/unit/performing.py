"""What the tests of performing share: a partner in memory, and short conversations."""

from datetime import UTC, datetime

import httpx
import orjson

from plugins.api import (
    Connector,
    Done,
    Idempotency,
    Manifest,
    NoOptions,
    OAuthClientCredentials,
    Request,
    Step,
)
from plugins.perform import Assignment, Performer
from plugins.redaction import Scrubber
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.connections import (
    Connection,
    OAuthAuth,
    SecretFromEnvironment,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANIFEST = Manifest(
    name="acme",
    service="test",
    summary="test",
    idempotency=Idempotency.NATIVE,
    options=NoOptions,
    oauth=OAuthClientCredentials(token_path="/token"),
)
ORDER = {"id": "order-1", "customerDetails": {"email": "ada@example.org"}}
SECRET = SecretFromEnvironment(env="SECRET")
PLAIN = Connection(base_url="https://partner.test/v1/")
OAUTH = Connection(
    base_url="https://partner.test",
    auth=OAuthAuth(type="oauth_client_credentials", client_id=SECRET, client_secret=SECRET),
)


class Rig:
    """A performer over a partner that answers with `answers`, in turn; the last one repeats."""

    def __init__(self, *answers: httpx.Response | Exception, connection: Connection = PLAIN):
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.tokens = 0
        self.connection = connection
        self.time = 0.0
        transport = Transport(httpx.MockTransport(self._answer))
        secrets = SecretValues({"SECRET": "hush-hush"})
        self.performer = Performer(transport, secrets, lambda: NOW, lambda: self.time)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"token-{self.tokens}"})
        self.sent.append(request)
        self.time += 0.25
        answer = self.answers[min(len(self.sent), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def assignment(self, talk, manifest=MANIFEST, **more):
        step = Step(id="acme", order=ORDER, options=NoOptions())
        given = {
            "connector": Connector(manifest, talk),
            "step": step,
            "connection": self.connection,
            "attempt": 2,
            "key_of": lambda call: f"key-{call}",
            "order_json": orjson.dumps(ORDER),
            "scrubber": Scrubber.of({"email": "ada@example.org"}),
            "deadline_s": 10.0,
        }
        return Assignment(**{**given, **more})

    async def perform(self, talk, manifest=MANIFEST, **more):
        return await self.performer.perform(self.assignment(talk, manifest, **more), talk)

    async def outcome(self, talk, manifest=MANIFEST, **more):
        return (await self.perform(talk, manifest, **more)).outcome


def ok(**body):
    return httpx.Response(200, json=body)


def status(code, **headers):
    return httpx.Response(code, headers={k.replace("_", "-"): v for k, v in headers.items()})


def one(_step):
    reply = yield Request.post("/things", {"a": 1}, call="make")
    return Done(id=reply["id"])


def two(_step):
    yield Request.post("/first", {}, call="first")
    yield Request.post("/second", {}, call="second")
    return Done()


def ask(_step):
    yield Request.get("/things", {"q": "x y"})
    return Done()
