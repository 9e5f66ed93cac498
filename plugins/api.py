"""All that a connector author sees: a connector is a conversation without I/O.

A conversation is a generator that yields requests, receives replies and returns an outcome. The
stage performs it: time-outs, keys, limits, the error table, the callout record and redaction.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, ParamSpec, Self, TypeAlias, TypeVar, overload

import orjson
from pydantic import BaseModel, ConfigDict

from schemas.steps import ErrorKind


class Options(BaseModel):
    """Base of a connector's options: unknown members are refused, values are fixed.

    The text below a member is its meaning, as forms, pages and the JSON Schema tell it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )


class NoOptions(Options):
    """For connectors without options."""


O_co = TypeVar("O_co", bound=Options, covariant=True)


class Idempotency(StrEnum):
    """What the partner offers against effects that happen twice."""

    NATIVE = "native"
    LOOK_UP = "look_up"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the partner, relative to the connection's base URL (or absolute).

    `call` names what the request changes, unique in the conversation: its idempotency key
    follows from it. `accept` are statuses >= 400 that the conversation wants to see itself.
    `form` sends the body as a form. `order_body` says that the body is the order's document plus
    `body` as further members: it is sent whole, but recorded by reference.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    call: str | None = None
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    accept: frozenset[int] = frozenset()
    form: bool = False
    order_body: bool = False

    @classmethod
    def post(cls, path: str, body: Mapping[str, Any], *, call: str, **more: Any) -> Self:
        """A request that changes something, under the name `call`."""
        return cls("POST", path, body, call, **more)

    @classmethod
    def patch(cls, path: str, body: Mapping[str, Any], *, call: str, **more: Any) -> Self:
        """As `post`; for upserts."""
        return cls("PATCH", path, body, call, **more)

    @classmethod
    def get(
        cls,
        path: str,
        query: Mapping[str, str] | None = None,
        accept: set[int] | frozenset[int] = frozenset(),
    ) -> Self:
        """A request that changes nothing."""
        return cls("GET", path, query=query, accept=frozenset(accept))


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `body` is the parsed JSON, or the text where it is none."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Below 400."""
        return self.status < 400  # noqa: PLR2004 (HTTP's own boundary)

    def __getitem__(self, name: str) -> Any:
        """A member of the body; `PartnerSurprise` where the partner left it out."""
        if not isinstance(self.body, Mapping) or name not in self.body:
            raise PartnerSurpriseError(f"the reply has no member {name!r}")
        return self.body[name]


class PartnerSurpriseError(Exception):
    """The partner answered something that its interface does not allow."""


@dataclass(frozen=True, slots=True)
class Done:
    """The step is done; `output` is what later steps read as `context.<step id>`."""

    output: Mapping[str, Any]

    def __init__(self, **output: Any) -> None:
        object.__setattr__(self, "output", output)


@dataclass(frozen=True, slots=True)
class Failed:
    """The partner refused. `buyer_message` None: the general words of `kind`.

    `retry_after_s` where the partner says how long to wait in another way than by `Retry-After`.
    `call`: the refused one, where others followed it; None: the last.
    """

    kind: ErrorKind
    code: str
    message: str
    buyer_message: str | None = None
    retry_after_s: float | None = None
    call: str | None = None


@dataclass(frozen=True, slots=True)
class NotDone:
    """Answer of a look-up: nothing came of the request, so it may be sent again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer does not tell whether the request had its effect."""

    code: str
    message: str


Outcome: TypeAlias = Done | Failed | NotDone | Unknown
Conversation: TypeAlias = Generator[Request, Reply, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[O_co]):
    """What a conversation works on.

    `order` is the order's document with its personal sections readable, with only this step's
    items in `orderItems`, plus `id`, `order_reference`, `subscriptionReference`, `order_type`,
    `owner` and `effective_date` (ISO date, fixed at acceptance; use it instead of today).
    `context` maps step ids to their outputs. `mapped` holds what the entry's `map` picked.
    """

    id: str
    order: Mapping[str, Any]
    options: O_co
    context: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mapped: Mapping[str, Any] = field(default_factory=dict)
    tenant: str = "default"

    @property
    def output(self) -> Mapping[str, Any]:
        """What this step itself handed on, for its compensation."""
        return self.context.get(self.id, {})

    def not_done(self) -> NotDone:
        """For look-ups that found nothing."""
        return NotDone()


ErrorTable: TypeAlias = Callable[[Reply], Failed | Unknown | None]
"""Class of an error reply; None: the general rules by status hold."""


@dataclass(frozen=True, slots=True)
class OAuthClientCredentials:
    """How the connection's token is fetched, for partners with OAuth client credentials."""

    token_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a connector states about itself; `waybill connectors` and the docs are made from it.

    `key_header` carries the call's key on `key_methods`; `key_valid_for_s` seconds. `personal`
    are output members that are sealed in the log, `secret_outputs` those that are sealed and that
    no subscriber ever gets to see. `secrets` are option names never shown.
    `reads` are the members of the order that the conversation looks at (None: any); where an
    amendment changes none of them, the step need not be done again.
    `timeout_s` is the total deadline of a step (at most 45 s). `probe` is a request that changes
    nothing and that the partner answers only to whom it lets in: checks of connections send it.

    For connectors whose options say where and how long: `endpoint` picks the absolute URL that
    is called, if any; its connection is the one named like the URL's host, and there need not be
    one. `deadline_s` picks the total deadline. `timeout_message` is said when it passes.
    """

    name: str
    service: str
    summary: str = ""
    idempotency: Idempotency
    options: type[Options]
    connection: str | None = None
    key_header: str | None = "Idempotency-Key"
    key_methods: frozenset[str] = frozenset({"POST", "PATCH", "PUT"})
    key_valid_for_s: int | None = None
    timeout_s: float = 30.0
    personal: Sequence[str] = ()
    secret_outputs: Sequence[str] = ()
    secrets: Sequence[str] = ()
    errors: ErrorTable | None = None
    rejects: Callable[[Any, Reply], bool] | None = None
    oauth: OAuthClientCredentials | None = None
    probe: Request | None = None
    docs: str = ""
    endpoint: Callable[[Any], str | None] | None = None
    deadline_s: Callable[[Any], float] | None = None
    timeout_message: str | None = None
    reads: Sequence[str] | None = None
    undoes: Callable[[Any], bool] | None = None

    @property
    def connection_name(self) -> str:
        """What it talks through where its options do not say: named like itself by default."""
        return self.connection or self.name

    @property
    def sealed_outputs(self) -> tuple[str, ...]:
        """Output members that never stand in clear, neither in the log nor in what goes out."""
        return (*self.personal, *self.secret_outputs)


@dataclass(slots=True)
class Connector:
    """A manifest with its conversations; made by `@connector`."""

    manifest: Manifest
    perform: Callable[[Step[Any]], Conversation]
    look_up: Callable[[Step[Any]], Conversation] | None = None
    compensation: Callable[[Step[Any]], Conversation] | None = None
    previewer: Callable[[Step[Any]], Conversation] | None = None

    @property
    def name(self) -> str:
        """The plugin's name in configuration."""
        return self.manifest.name

    def reconcile(
        self, look_up: Callable[[Step[Any]], Conversation]
    ) -> Callable[[Step[Any]], Conversation]:
        """Decorator: `look_up` finds out what became of an unknown outcome."""
        self.look_up = look_up
        return look_up

    def compensate(
        self, undo: Callable[[Step[Any]], Conversation]
    ) -> Callable[[Step[Any]], Conversation]:
        """Decorator: `undo` takes back what a finished step did; `step.output` says what.

        It is repeated until its outcome is known: what is undone already counts as `Done`.
        """
        self.compensation = undo
        return undo

    def preview(
        self, foretell: Callable[[Step[Any]], Conversation]
    ) -> Callable[[Step[Any]], Conversation]:
        """Decorator: `foretell` asks the partner what the step would do, and changes nothing.

        Its requests carry no `call`. Members of its `Done`, all optional: `effectiveDate`,
        `currency`, `futureCharges` and `credits` (lists of `{date, amount, description, ...}`,
        amounts as text), `warnings` (texts). Further ones are shown as they are.
        An empty one says that such an order is not previewed.
        """
        self.previewer = foretell
        return foretell


_Talk: TypeAlias = Callable[[Step[Any]], Conversation]
_Facts = ParamSpec("_Facts")


class _MakesConnectors(Generic[_Facts]):
    """Decorator that makes a conversation a connector.

    Takes a manifest, or its members by name; without a `summary` the first line of the
    conversation's docstring is one.
    """

    def __init__(self, manifest: Callable[_Facts, Manifest]) -> None:
        self._manifest = manifest

    @overload
    def __call__(self, manifest: Manifest, /) -> Callable[[_Talk], Connector]: ...

    @overload
    def __call__(
        self, *args: _Facts.args, **facts: _Facts.kwargs
    ) -> Callable[[_Talk], Connector]: ...

    def __call__(self, *args: Any, **facts: Any) -> Callable[[_Talk], Connector]:
        stated = args[0] if args else self._manifest(*args, **facts)

        def made(perform: _Talk) -> Connector:
            said = (perform.__doc__ or "").strip().partition("\n")[0]
            return Connector(replace(stated, summary=stated.summary or said), perform)

        return made


connector = _MakesConnectors(Manifest)


Script: TypeAlias = Mapping[str, Reply | Sequence[Reply]]
"""What a partner answers: by `call`, else by `"METHOD path"`; a sequence is given in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A scripted step for the contract suite; modules of connectors list them as `EXAMPLES`.

    `expected` is compared with the outcome (of a `Failed` kind and code only). `found` and
    `missing` are answers to the look-up: where the effect took place, where nothing came of it.
    `undone` and `gone` are answers to the compensation: where there is something to undo, where
    that is undone already.
    """

    name: str
    step: Step[Any]
    replies: Script
    expected: Outcome | None = None
    found: Script | None = None
    missing: Script | None = None
    undone: Script | None = None
    gone: Script | None = None


def json_of(value: Any) -> bytes:
    """JSON as it is sent to partners."""
    return orjson.dumps(value)
