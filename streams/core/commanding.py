"""Taking a command: from a record to what stands in the log about it, or to the reason why not."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from schemas.arriving import refused
from schemas.commands import CommandKind, Revision
from schemas.envelope import Envelope
from schemas.events import CommandReceived, Event
from schemas.order_commands import OrderCommand, StageCommandKind, read_command
from schemas.orders import MAX_ORDER_BYTES, Document
from schemas.problems import RefusedError
from schemas.steps import Sealed
from streams.core import ids
from streams.core.about import existing_subscription
from streams.core.intake import Examined, Intake
from streams.core.order import Order
from streams.core.sealing import DataKey, seal, seal_document, unseal
from streams.core.sequence import Sequencer

SUBJECTLESS = ""
"""Stands for the data subject where a command has nothing to be sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as it came in: `identity` names it where it names itself not."""

    tenant: str
    value: bytes | None
    identity: str
    actor: str
    origin: str
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command that can be read."""

    request: Request
    command: OrderCommand
    id: str

    @property
    def tenant(self) -> str:
        """Whose order or stage it is about."""
        return self.request.tenant

    @property
    def revises(self) -> bool:
        """Whether the order's waybill is resolved again for it."""
        command = self.command
        return command.command is CommandKind.AMEND or command.config == "current"

    @property
    def keeps_configuration(self) -> bool:
        """Whether that happens under the version that the order was accepted with."""
        return self.revises and self.command.config != "current"

    @property
    def needs_order(self) -> bool:
        """Whether the order as it stands is needed, not only where it belongs."""
        return self.revises or self.command.output is not None


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where an order belongs: all that most commands need of it."""

    order_id: str
    lane: str
    run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What a revision is made of, before its personal sections are sealed."""

    examined: Examined
    base: bytes
    changed: tuple[str, ...]
    amends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCommand:
    """A command that can be written: all that needs no key of its data subject.

    `subject` is `SUBJECTLESS` where nothing is to be sealed; `hidden` are personal members of the
    output.
    """

    asked: Asked
    to: Belonging
    subject: str = SUBJECTLESS
    draft: Drafted | None = None
    hidden: Mapping[str, Any] | None = None


def read_request(request: Request) -> Asked:
    """The command in a record; `RefusedError` says why it is none."""
    command = read_command(request.value)
    given = command.id or ids.command_id(request.tenant, request.identity)
    return Asked(request=request, command=command, id=given)


def belonging(order: Order) -> Belonging:
    """Where the order belongs."""
    return Belonging(order.id, order.lane, order.run)


class Commanding:
    """Prepares commands under the configurations and keys in use.

    `personal` tells the members of a plugin's output that are sealed.
    """

    def __init__(self, intake: Intake, personal: Callable[[str], Collection[str]]) -> None:
        self._intake = intake
        self._personal = personal

    def other_version(self, asked: Asked, order: Order) -> int | None:
        """The version that the command needs and that is not in use: `prepare` is given it."""
        pinned = order.accepted.config_version
        if not asked.keeps_configuration or pinned == self._intake.config_version(asked.tenant):
            return None
        return pinned

    def prepare(
        self,
        asked: Asked,
        order: Order,
        keys: Mapping[str, DataKey | None],
        pinned: Sequencer | None = None,
    ) -> PreparedCommand:
        """A command that needs the order; `keys` by data subject open its sealed sections.

        `pinned` resolves orders under `other_version`. `RefusedError` says why it comes to nothing.
        """
        if asked.revises:
            self._check_configuration(asked, order, pinned)
            return self._revising(asked, order, opened_document(order, keys), pinned)
        return self._resolving(asked, order)

    def _revising(
        self, asked: Asked, order: Order, document: Document, pinned: Sequencer | None
    ) -> PreparedCommand:
        command, intake = asked.command, self._intake
        amends = command.command is CommandKind.AMEND
        wanted = merged(document, command.changes) if command.changes else document
        assert isinstance(wanted, dict), "an object patched with an object is one"
        examined = _examined(intake, asked.tenant, wanted, pinned)
        changed = _changed(document, wanted)
        if amends:
            _check_unchanged(order, document, examined)
            _check_size(wanted)
            if not changed:
                raise refused(
                    "nothing_changed", "the order says that already", "see the order", "/changes"
                )
        return PreparedCommand(
            asked=asked,
            to=belonging(order),
            subject=intake.subject(asked.tenant, wanted, order.id) if amends else SUBJECTLESS,
            draft=Drafted(
                examined=examined,
                base=order.accepted.fingerprint,
                changed=changed,
                amends=amends,
            ),
        )

    def _check_configuration(self, asked: Asked, order: Order, given: Sequencer | None) -> None:
        pinned, used = order.accepted.config_version, self._intake.config_version(asked.tenant)
        if self.other_version(asked, order) is not None and given is None and used is not None:
            raise refused(
                "configuration_gone",
                f"the order was accepted under configuration {pinned}, which is not kept or needs"
                f" plugins that are gone; {used} is in use now",
                "send `config`: `current` to amend it under that one",
                "/config",
            )

    def _resolving(self, asked: Asked, order: Order) -> PreparedCommand:
        command = asked.command
        plugins = {
            step.plugin for step in order.accepted.waybill if command.step in {None, step.id}
        }
        personal = {name for plugin in plugins for name in self._personal(plugin)}
        hidden = {name: v for name, v in (command.output or {}).items() if name in personal}
        subject = next((part.subject for part in order.accepted.sealed), order.id)
        return PreparedCommand(
            asked=asked,
            to=belonging(order),
            subject=subject if hidden else SUBJECTLESS,
            hidden=hidden or None,
        )


def command_received(
    prepared: PreparedCommand, key: DataKey | None, nonce: bytes, now: datetime
) -> Event:
    """The event that takes the command; what is personal in it sealed with the subject's `key`."""
    asked, to = prepared.asked, prepared.to
    command, request = asked.command, asked.request
    assert isinstance(command.command, CommandKind)
    output, sealed = _output(prepared, key, nonce)
    fact = CommandReceived(
        command=asked.id,
        kind=command.command,
        reason=command.reason,
        step=command.step,
        output=output,
        sealed=sealed,
        revision=_revision(prepared, key, nonce),
    )
    envelope = Envelope(
        event_id=ids.event_id(to.order_id, to.run, fact),
        tenant=asked.tenant,
        lane=to.lane,
        order_id=to.order_id,
        run=to.run,
        occurred_at=now,
        actor=request.actor,
        causation=request.origin,
        trace=request.trace,
        origin=request.origin,
    )
    return Event(envelope, fact)


def stage_control(asked: Asked, at: datetime) -> tuple[bytes, bytes]:
    """Key and value of the record of `stage-controls` that holds a stage or releases it.

    `at` is when that was asked: what comes late does not count against what was asked later.
    """
    command = asked.command
    assert command.stage is not None
    record = {
        "tenant": asked.tenant,
        "stage": command.stage,
        "held": command.command is StageCommandKind.HOLD_STAGE,
        "actor": asked.request.actor,
        "reason": command.reason,
        "at": at.isoformat(),
        "command": asked.id,
    }
    return f"{asked.tenant}/{command.stage}".encode(), orjson.dumps(record)


def opened_document(order: Order, keys: Mapping[str, DataKey | None]) -> Document:
    """The order's document with its sealed sections; `RefusedError` once they were erased."""
    document: Document = orjson.loads(order.accepted.document)
    for part in order.accepted.sealed:
        key = keys.get(part.subject)
        if key is None:
            raise refused(
                "erased",
                "the data subject of the order was erased",
                "cancel the order; nobody can read any more what it is about",
                "/order",
            )
        document.update(unseal(part, order.id, key))
    return document


def merged(target: Any, patch: Any) -> Any:
    """The target after a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _output(
    prepared: PreparedCommand, key: DataKey | None, nonce: bytes
) -> tuple[Mapping[str, Any] | None, tuple[Sealed, ...]]:
    output, hidden = prepared.asked.command.output, prepared.hidden
    if output is None or not hidden:
        return output, ()
    assert key is not None
    clear = {name: value for name, value in output.items() if name not in hidden}
    return clear, (seal(hidden, prepared.to.order_id, key, nonce),)


def _revision(prepared: PreparedCommand, key: DataKey | None, nonce: bytes) -> Revision | None:
    draft = prepared.draft
    if draft is None:
        return None
    examined = draft.examined
    revision = Revision(
        config_version=examined.config_version,
        axes=examined.resolution.axes,
        waybill=examined.resolution.waybill,
        base=draft.base,
        changed=draft.changed,
    )
    if not draft.amends:
        return revision
    assert key is not None
    document, sealed = seal_document(examined.document, prepared.to.order_id, key, nonce)
    return replace(revision, document=document, sealed=sealed, fingerprint=examined.fingerprint)


def _examined(
    intake: Intake, tenant: str, document: Document, pinned: Sequencer | None
) -> Examined:
    try:
        return intake.examine(tenant, document, pinned)
    except RefusedError as refusal:
        problem = refusal.problem
        if problem.field is None:
            raise
        raise RefusedError(replace(problem, field=f"/changes{problem.field}")) from None


def _changed(before: Document, after: Document) -> tuple[str, ...]:
    names = {**before, **after}
    return tuple(sorted(name for name in names if before.get(name) != after.get(name)))


def _check_unchanged(order: Order, before: Document, examined: Examined) -> None:
    accepted = order.accepted
    pinned = {
        "order_type": (accepted.order_type, examined.order_type),
        "mode": (accepted.mode, examined.mode),
        "external_id": (accepted.external_id, examined.external_id),
        "forSubscription": (existing_subscription(before), examined.subscription),
    }
    for member, (was, wanted) in pinned.items():
        if was != wanted:
            raise refused(
                "unchangeable",
                f"{member} of an order cannot be changed",
                "cancel the order and submit another one",
                f"/changes/{member}",
            )


def _check_size(document: Document) -> None:
    size = len(orjson.dumps(document))
    if size > MAX_ORDER_BYTES:
        raise refused(
            "oversize",
            f"the order would have {size} bytes; the limit is {MAX_ORDER_BYTES}",
            "leave out what no plugin needs, such as embedded images",
            "/changes",
        )
