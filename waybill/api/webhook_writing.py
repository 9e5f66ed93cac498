"""Writing endpoints to their topic: what is answered is what holds, whoever writes beside us."""

import re
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.webhooks.endpoint import Deleted, Endpoint, endpoint_bytes
from streams.topics import Topics
from waybill.api.call import Call
from waybill.api.problems import (
    BAD_HEADER,
    KAFKA_UNAVAILABLE,
    NOT_READY,
    ApiProblem,
    not_found,
)
from waybill.api.producing import KafkaUnavailableError, Producer
from waybill.api.settings_topics import KeyedTopic, Setting
from waybill.api.webhook_problems import CHANGED_MEANWHILE, REVISION_DIFFERS

_Record = TypeVar("_Record", Endpoint, Deleted)

_TRIES = 5
_ETAG = re.compile(r'"(\d{1,18})"')


def known_endpoints(call: Call) -> EndpointBook:
    """The endpoints; a 503 problem while the topic was not read to its end yet."""
    book = call.api.services.webhooks.endpoints
    if not book.known:
        raise ApiProblem(
            NOT_READY,
            "the endpoints were not read from Kafka yet",
            "try again in a moment; if it stays, look at WAYBILL_KAFKA",
            headers={"Retry-After": "2"},
        )
    return book


def endpoint_of(call: Call, endpoint_id: str) -> Endpoint:
    """The tenant's endpoint; a 404 problem where it has none of that id."""
    found = known_endpoints(call).get(endpoint_id)
    if found is None or found.tenant != call.tenant:
        raise not_found("the webhook endpoint")
    return found


async def change(call: Call, after: Callable[[Endpoint], _Record], wanted: int | None) -> _Record:
    """What `after` makes of the endpoint in the path, once it holds.

    412 where another revision is wanted. With None, a change that came between is built on.
    """
    for _ in range(_TRIES):
        held = endpoint_of(call, call.part("id"))
        if wanted is not None and wanted != held.revision:
            raise ApiProblem(
                REVISION_DIFFERS,
                f"it has the revision {held.revision}",
                "read it again, and decide whether your change still fits",
                "If-Match",
            )
        record = after(held)
        if await write(call, record):
            return record
    raise ApiProblem(
        CHANGED_MEANWHILE, "others were faster, again and again", "try again in a moment"
    )


async def write(call: Call, record: Endpoint | Deleted) -> bool:
    """Whether the record holds; False where another was first. 503 where nobody can tell."""
    services = call.api.services
    try:
        return await known_endpoints(call).write(
            record,
            endpoints_topic(services.kafka, services.topics, call.principal.actor),
        )
    except KafkaUnavailableError as problem:
        raise _unavailable("Kafka did not acknowledge the endpoint in time") from problem
    except TimeoutError:
        raise _unavailable("the endpoint was written, but could not be read back in time") from None


def endpoints_topic(kafka: Producer, topics: Topics, actor: str) -> KeyedTopic[Endpoint | Deleted]:
    """Where that actor writes endpoints."""
    return KeyedTopic(
        kafka,
        topics.webhook_endpoints,
        lambda one: Setting(one.id, endpoint_bytes(one), one.tenant, actor),
    )


def _unavailable(detail: str) -> ApiProblem:
    return ApiProblem(
        KAFKA_UNAVAILABLE,
        detail,
        "read the endpoints, then try again",
        headers={"Retry-After": "5"},
    )


def if_match(request: web.Request) -> int | None:
    """The revision that the caller has seen; None for any."""
    text = request.headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    found = _ETAG.fullmatch(text)
    if found is None:
        raise ApiProblem(
            BAD_HEADER, "If-Match is no ETag of an endpoint", "send the ETag as it came", "If-Match"
        )
    return int(found[1])
