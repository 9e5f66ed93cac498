"""From updates to deliveries: which endpoints hear of an update, as which types, in which bodies.

What goes to whom depends on the update and the endpoints alone; only personal sections, for those
endpoints that may have them, are fetched.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from projections.tables import place_of
from projections.webhooks.deliveries import delivery_id
from projections.webhooks.queue import Message, New
from streams.agents.webhooks import metrics
from streams.core.sealing import NONCE_BYTES, DataKey, seal_body
from streams.core.webhooks.bodies import body_of, message_id
from streams.core.webhooks.catalogue import TYPES, matches, types_of
from streams.core.webhooks.endpoint import Endpoint, Payload
from streams.core.webhooks.updates import UnreadableUpdateError, Update, read_update
from streams.kafka.reader import Record

log = logging.getLogger(__name__)

CLOCKS_APART = timedelta(seconds=10)
"""An endpoint hears of what happens from its creation on; clocks may differ by so much."""

_PERSONAL = "full+personal"
_SOURCE = "ce_source"
_TENANTS = b"/tenants/"


class Endpoints(Protocol):
    """The endpoints by tenant."""

    def of(self, tenant: str) -> Sequence[Endpoint]:
        """The tenant's endpoints, disabled ones too."""


class Section(NamedTuple):
    """The personal sections of an order by name, and the key of whose they are."""

    key: DataKey
    members: Mapping[str, Any]


class Personal(Protocol):
    """What is sealed in orders."""

    async def sections(self, orders: Iterable[tuple[str, str]]) -> Mapping[str, Section]:
        """By order id, of orders given by tenant and id; none for those that were erased."""


class _Sent(NamedTuple):
    """An update as one of its types, and the endpoints that get it."""

    update: Update
    name: str
    partition: int
    place: int
    n: int
    created: int
    endpoints: Sequence[Endpoint]


class Made(NamedTuple):
    """The rows of what is to be delivered."""

    messages: list[Message]
    deliveries: list[New]


class Maker:
    """Makes deliveries of updates. For one event loop."""

    def __init__(
        self, book: Endpoints, personal: Personal, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._book = book
        self._personal = personal
        self._random_bytes = random_bytes

    async def made(self, chunks: Mapping[int, Sequence[Record]]) -> Made:
        """What the records lead to, by partition and in their order."""
        sent = [
            one
            for partition, records in sorted(chunks.items())
            for record in records
            for one in self._sent(partition, record)
        ]
        asked = {
            (one.update.tenant, one.update.order_id)
            for one in sent
            if any(_wants_personal(endpoint, one.name) for endpoint in one.endpoints)
        }
        sections = await self._personal.sections(asked) if asked else {}
        made = Made([], [])
        for one in sent:
            try:
                self._make(one, sections.get(one.update.order_id), made)
            except (LookupError, TypeError, ValueError, AttributeError):
                # One update that nobody understands holds up none of the others.
                metrics.UNREADABLE.inc()
                log.exception("update %s does not become %s", one.update.id, one.name)
        return made

    def _sent(self, partition: int, record: Record) -> Iterable[_Sent]:
        endpoints = self._book.of(_tenant(record))
        if not endpoints:
            return
        try:
            update = read_update(record.headers, record.value)
        except UnreadableUpdateError as problem:
            metrics.UNREADABLE.inc()
            log.error("update %d:%d is passed over: %s", partition, record.offset, problem)  # noqa: TRY400 (the record is at fault, not the code)
            return
        hearing = [one for one in endpoints if update.at >= one.created - CLOCKS_APART]
        for n, name in enumerate(types_of(update)):
            wanting = [one for one in hearing if matches(one.events, name)]
            if wanting:
                place = place_of(partition, record.offset)
                yield _Sent(update, name, partition, place, n, record.timestamp * 1000, wanting)

    def _make(self, sent: _Sent, section: Section | None, made: Made) -> None:
        messages: dict[str, Message] = {}
        for endpoint in sent.endpoints:
            shown = section if _wants_personal(endpoint, sent.name) else None
            variant = endpoint.payload if shown is None else _PERSONAL
            message = messages.get(variant)
            if message is None:
                message = messages[variant] = self._message(sent, variant, shown)
            made.deliveries.append(_new(sent, endpoint, message))
        made.messages.extend(messages.values())

    def _message(self, sent: _Sent, variant: str, shown: Section | None) -> Message:
        name = message_id(sent.update.id, sent.name)
        if shown is None:
            payload: Payload = "thin" if variant == "thin" else "full"
            body = body_of(sent.name, sent.update, payload, None)
            return Message(name, variant, sent.created, None, body)
        body = body_of(sent.name, sent.update, "full", shown.members)
        sealed = seal_body(shown.key, name, body, self._random_bytes(NONCE_BYTES))
        return Message(name, variant, sent.created, shown.key.subject, sealed)


def _new(sent: _Sent, endpoint: Endpoint, message: Message) -> New:
    return New(
        id=delivery_id(endpoint.id, message.id),
        tenant=endpoint.tenant,
        endpoint=endpoint.id,
        message=message.id,
        variant=message.variant,
        type=sent.name,
        lane=sent.update.order_id,
        partition=sent.partition,
        place=sent.place,
        n=sent.n,
        created=sent.created,
    )


def _wants_personal(endpoint: Endpoint, name: str) -> bool:
    return endpoint.personal_data and endpoint.payload == "full" and TYPES[name].personal


def _tenant(record: Record) -> str:
    """Whose update it is; the rest is read for those only that somebody listens to."""
    for name, value in record.headers:
        if name == _SOURCE:
            return value.removeprefix(_TENANTS).decode(errors="replace")
    return ""
