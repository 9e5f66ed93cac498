"""Acting on an order: what exactly will happen, the reason, and how it was answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from projections.consequences import Consequences, steps_meant
from schemas.commands import CommandKind
from streams.core.order import Order
from waybill.api import orders as rest
from waybill.api.commanding import commanded
from waybill.api.foretelling import UNSAID, foretold
from waybill.api.past import PastQuery
from waybill.api.principal import Scope
from waybill.api.problems import MALFORMED_BODY, NOT_FOUND, ApiProblem
from waybill.console.pages import Page, Visit
from waybill.console.rendering import pretty_json

WORDS: Mapping[str, str] = {
    "retry": "Retry",
    "skip": "Skip step",
    "resolve": "Resolve step",
    "pause": "Pause",
    "resume": "Resume",
    "cancel": "Cancel order",
    "amend": "Amend",
    "force_complete": "Force-complete",
    "release": "Release",
}
"""What commands are called on buttons."""

FINAL = frozenset({"cancel", "force_complete"})
"""What nothing takes back."""

_PATIENCE_S = 2
_JSON_FIELDS = {"resolve": "output", "amend": "changes"}
_EMPTY = dict.fromkeys(("step", "reason", "output", "changes", "config"), "")
_UNSETTLED = frozenset({"amend"})
"""Commands of which nothing can be told before something is filled in."""


@dataclass(frozen=True, slots=True)
class Option:
    """One step that the command may be about, and what comes of it; None: the order as a whole."""

    step: str | None
    what: Consequences


async def act_form(visit: Visit) -> web.StreamResponse:
    """What will happen, for each step that may be meant, and the form."""
    kind = _kind(visit)
    given = {"step": visit.request.query.get("step", "")}
    return await _shown(visit, kind, given, None, settled=kind not in _UNSETTLED)


async def act(visit: Visit) -> web.StreamResponse:
    """Sends the command, or tells what it would do; back to the order with the answer."""
    kind, form = _kind(visit), await visit.form()
    given = dict(form)
    if given.get("do") != "send":
        return await _shown(visit, kind, given, None, settled=True)
    try:
        body = {**_body(kind, given), "reason": given.get("reason", "")}
        view = await commanded(visit.call(), body, _PATIENCE_S)
    except ApiProblem as problem:
        return await _shown(visit, kind, given, problem, settled=True)
    return visit.see(f"/orders/{visit.part('id')}", _answer(kind, view))


async def _shown(
    visit: Visit,
    kind: CommandKind,
    given: Mapping[str, str],
    problem: ApiProblem | None,
    *,
    settled: bool,
) -> web.StreamResponse:
    order = await visit.answer(rest.order, PastQuery())
    folded = await visit.reader.ask(lambda reading: reading.folded(visit.tenant, order["id"]))
    options: list[Option] = []
    if settled and problem is None:
        try:
            options = await _options(visit, kind, given, folded)
        except ApiProblem as found:
            problem = found
    return visit.page(
        "order_act.html",
        order=order,
        kind=kind.value,
        words=WORDS,
        final=kind.value in FINAL,
        problem=problem,
        options=[one for one in options if one.what.refused is None],
        refused=_refused(options),
        settled=settled,
        given={**_EMPTY, **given},
        json_field=_JSON_FIELDS.get(kind.value),
        takes_config=_takes_config(kind, folded),
        document=None if folded is None else pretty_json(orjson.loads(folded.accepted.document)),
        id=given.get("id") or f"command-{visit.services.random_bytes(16).hex()}",
    )


async def _options(
    visit: Visit, kind: CommandKind, given: Mapping[str, str], order: Order | None
) -> list[Option]:
    """Each step that may be meant; the one that was asked for, or that stopped it, first."""
    steps: list[str | None] = [] if order is None else [*steps_meant(order, kind)]
    wanted = given.get("step") or None
    stopped = None if order is None else order.failed_step
    steps.sort(key=lambda step: (step != wanted, step != stopped))
    base = _body(kind, {**given, "step": "", "id": ""})
    call = visit.call()
    return [
        Option(step, await foretold(call, visit.part("id"), {**base, **_about(step)}))
        for step in steps or [None]
    ]


def _about(step: str | None) -> dict[str, str]:
    return {} if step is None else {"step": step}


def _refused(options: list[Option]) -> str | None:
    """Why nothing can be asked, where nothing can."""
    reasons = [one.what.refused for one in options]
    return reasons[0] if reasons and all(reasons) else None


def _takes_config(kind: CommandKind, order: Order | None) -> bool:
    reopens = kind is CommandKind.RETRY and order is not None and order.failure is not None
    return kind is CommandKind.AMEND or reopens


def _body(kind: CommandKind, given: Mapping[str, str]) -> dict[str, Any]:
    """The command as REST takes it."""
    plain: dict[str, Any] = {"command": kind.value, "reason": UNSAID}
    plain |= {name: given[name] for name in ("id", "step", "config") if given.get(name)}
    field = _JSON_FIELDS.get(kind.value)
    if field is not None:
        plain[field] = _json(given.get(field) or "{}", field)
    return plain


def _json(text: str, field: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        raise ApiProblem(
            MALFORMED_BODY, f"this is not JSON: {problem}", "mend it there", field
        ) from None
    if not isinstance(found, dict):
        raise ApiProblem(MALFORMED_BODY, "this is not a JSON object", "write {…}", field)
    return found


def _kind(visit: Visit) -> CommandKind:
    try:
        return CommandKind(visit.part("kind"))
    except ValueError:
        raise ApiProblem(
            NOT_FOUND, "there is no such action", "go back to the order and choose one there"
        ) from None


def _answer(kind: CommandKind, view: Mapping[str, Any]) -> str:
    word = WORDS[kind.value]
    if view["status"] == "applied":
        return f"{word}: done"
    if view["status"] == "rejected":
        return f"{word} was rejected: {view['answer']} ({view['code']})"
    return f"{word} is sent; the order answers it as soon as it can"


PAGES = (
    Page("GET", "/orders/{id}/act/{kind}", act_form, Scope.OPERATE),
    Page("POST", "/orders/{id}/act/{kind}", act, Scope.OPERATE),
)
