"""`/configuration/edit`: a draft as text and as forms, its findings, its plan, and its saving."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from waybill.api import configuring as rest
from waybill.api import planning
from waybill.api.planning_shapes import MOST_REPLAYED
from waybill.api.principal import Scope
from waybill.api.problems import NOT_FOUND, OVERSIZE, ApiProblem
from waybill.configuring.drafts import Draft
from waybill.console.configuration import (
    differences,
    made_words,
    reason_of,
    version_in_use,
    version_of,
)
from waybill.console.entry_form import (
    OPTION,
    Field,
    entries_at,
    entry_fields,
    entry_of,
    holders,
    option_fields,
)
from waybill.console.pages import Page, Visit
from waybill.documents import RefusedDocumentError, parse_document
from waybill.findings import errors

REPLAYED = 1000
CHOICES = (100, 1000, MOST_REPLAYED)
_FIRST: Mapping[str, Any] = {"sequence": []}
_FEWEST_LINES = 12
_LONGEST_NUMBER = 9


class _Sent(NamedTuple):
    """What the editor sends: the draft, and the version that it was made from (0: none)."""

    text: str
    base: int
    do: str
    at: str


async def edit_form(visit: Visit) -> web.StreamResponse:
    """The version in use, or another one, to be edited."""
    in_use = version_in_use(visit)
    begun = in_use
    if number := visit.request.query.get("version"):
        begun = await version_of(visit, number)
    document = _FIRST if begun is None else begun.document
    sent = _Sent(_text(document), 0 if in_use is None else in_use.version, "", "")
    return await _editor(visit, sent)


async def edit(visit: Visit) -> web.StreamResponse:
    """Checks, reviews or saves the draft, or opens the form of one entry; never loses the text."""
    form = await visit.form()
    sent = _sent(form)
    try:
        match sent.do:
            case "review":
                return await _review(visit, sent, _last(form))
            case "save":
                return await _saved(visit, sent, form)
            case "entry":
                return await _entry_page(visit, sent)
            case "remove" | "up" | "down":
                sent = _rearranged(sent)
            case _:
                pass  # the draft is shown with its findings
    except ApiProblem as problem:
        return await _editor(visit, sent, problem)
    return await _editor(visit, sent)


async def add_form(visit: Visit) -> web.StreamResponse:
    """The form of a new step with a plugin, at the end of the version in use."""
    in_use = version_in_use(visit)
    text = _text(_FIRST if in_use is None else in_use.document)
    sent = _Sent(text, 0 if in_use is None else in_use.version, "entry", "/sequence/-")
    return await _entry_page(visit, sent, {"name": visit.request.query.get("plugin", "")})


async def edit_entry(visit: Visit) -> web.StreamResponse:
    """Puts the entry of the form into the draft; another plugin brings other fields."""
    form = await visit.form()
    sent = _sent(form)
    if sent.do == "back":
        return await _editor(visit, sent)
    name = form.get("name", "")
    fields = [one.filled(form.get(one.name, "")) for one in _fields(visit, _asked(form))]
    try:
        entry = entry_of(form, fields)
    except ApiProblem as problem:
        return await _entry_form(visit, sent, name, fields, problem)
    if sent.do == "plugin" and form.get("plugin", name) != name:
        kept = {name: value for name, value in entry.items() if name != "options"}
        return await _entry_page(visit, sent, {**kept, "name": form.get("plugin", "")})
    try:
        document, entries, index = _found(sent)
    except ApiProblem as problem:
        return await _editor(visit, sent, problem)
    if index is None:
        entries.append(entry)
    else:
        entries[index] = entry
    return await _editor(visit, sent._replace(text=_text(document)))


def _asked(form: Mapping[str, str]) -> dict[str, Any]:
    """What the fields of the form depend on: the plugin, and options that it does not know."""
    names = [name.removeprefix(OPTION) for name in form if name.startswith(OPTION)]
    return {"name": form.get("name", ""), "options": dict.fromkeys(names)}


async def _editor(
    visit: Visit, sent: _Sent, problem: ApiProblem | None = None
) -> web.StreamResponse:
    draft = _drafted(visit, sent.text)
    lines = sent.text.count("\n") + 1
    marks: dict[int, str] = {}
    for finding in draft.findings:
        if finding.line and marks.get(finding.line) != "error":
            marks[finding.line] = finding.severity.value
    return visit.page(
        "configuration_edit.html",
        sent=sent,
        findings=draft.findings,
        wrong=len(errors(draft.findings)),
        rows=max(_FEWEST_LINES, lines),
        marks=marks,
        holders=[*holders(draft.document)],
        problem=problem,
        in_use=version_in_use(visit),
    )


async def _review(
    visit: Visit, sent: _Sent, last: int, problem: ApiProblem | None = None, reason: str = ""
) -> web.StreamResponse:
    draft = _drafted(visit, sent.text)
    in_use = version_in_use(visit)
    if errors(draft.findings):
        return await _editor(visit, sent)
    plan = None
    findings: Sequence[Any] = [rest.finding_view(one) for one in draft.findings]
    if in_use is not None:
        replay = planning.replay_of(visit.services, visit.tenant, draft, last)
        async for _ in planning.progress(visit.services, replay):
            pass
        drafted = (sent.text, draft)
        plan = planning.plan_view(visit.services, visit.tenant, drafted, replay.plan())
        findings = plan["findings"]
    return visit.page(
        "configuration_review.html",
        sent=sent,
        in_use=in_use,
        found=differences(in_use, draft.document),
        plan=plan,
        findings=findings,
        last=last,
        choices=CHOICES,
        problem=problem,
        reason=reason,
    )


async def _saved(visit: Visit, sent: _Sent, form: Mapping[str, str]) -> web.StreamResponse:
    draft = _drafted(visit, sent.text)
    if errors(draft.findings):
        return await _editor(visit, sent)
    try:
        reason = reason_of(form)
        made = await rest.changed(
            visit.services, visit.principal, draft.document, sent.base, reason
        )
    except ApiProblem as problem:
        return await _review(visit, sent, _last(form), problem, form.get("reason", ""))
    return visit.see("/configuration", made_words(made.version.version, is_new=made.is_new))


async def _entry_page(
    visit: Visit,
    sent: _Sent,
    entry: Mapping[str, Any] | None = None,
    problem: ApiProblem | None = None,
) -> web.StreamResponse:
    """The form of the entry that the draft has there, or of `entry`."""
    if entry is None:
        _, entries, index = _found(sent)
        entry = {} if index is None else entries[index]
    fields = _fields(visit, entry)
    return await _entry_form(visit, sent, entry.get("name", ""), fields, problem)


async def _entry_form(
    visit: Visit,
    sent: _Sent,
    name: str,
    fields: Sequence[Field],
    problem: ApiProblem | None = None,
) -> web.StreamResponse:
    return visit.page(
        "configuration_entry.html",
        sent=sent,
        name=name,
        names=sorted(visit.services.configurations.drafting.catalogue.names()),
        about=_schema(visit, name).get("description", ""),
        fields=fields,
        ends=_ends(sent.text) if sent.at.endswith("/-") else [],
        problem=problem,
    )


def _ends(text: str) -> list[tuple[str, str]]:
    """Where the draft takes new entries: a label, and the pointer behind the last one."""
    try:
        document = parse_document(text, "").value
    except RefusedDocumentError:
        return []
    return [(label, f"{at}/-") for label, at, _ in holders(document)]


def _fields(visit: Visit, entry: Mapping[str, Any]) -> list[Field]:
    options = entry.get("options")
    schema = _schema(visit, entry.get("name"))
    return [
        *entry_fields(entry),
        *option_fields(schema, options if isinstance(options, dict) else {}),
    ]


def _schema(visit: Visit, name: Any) -> Mapping[str, Any]:
    """The JSON Schema of the plugin's options; nothing where there is no such plugin."""
    catalogue = visit.services.configurations.drafting.catalogue
    if name not in set(catalogue.names()):
        return {}
    return catalogue.get(name).manifest.options.model_json_schema()


def _drafted(visit: Visit, text: str) -> Draft:
    """The draft, with the findings of the change and their lines."""
    book = visit.services.configurations
    draft = book.drafting.read(text, visit.tenant, "")
    if draft.configuration is None:
        return draft
    changed = book.draft(visit.tenant, draft.document).findings[len(draft.findings) :]
    document = parse_document(text, "")
    return Draft(
        draft.document,
        draft.configuration,
        (*draft.findings, *(document.placed(one) for one in changed)),
    )


def _rearranged(sent: _Sent) -> _Sent:
    document, entries, index = _found(sent)
    if index is None:
        return sent
    entry = entries.pop(index)
    if sent.do != "remove":
        entries.insert(max(0, index - 1) if sent.do == "up" else index + 1, entry)
    return sent._replace(text=_text(document))


def _found(sent: _Sent) -> tuple[dict[str, Any], list[Any], int | None]:
    """The document, the list that `at` lies in and its index there; None: behind the last."""
    gone = ApiProblem(
        NOT_FOUND, "the draft has no such entry", "go back, and open the form from its list"
    )
    try:
        document = parse_document(sent.text, "").value
        entries = entries_at(document, sent.at)
        last = sent.at.rpartition("/")[2]
        index = None if last == "-" else int(last)
        if index is not None and not isinstance(entries[index], dict):
            raise gone
    except (RefusedDocumentError, LookupError, ValueError, TypeError, AttributeError):
        raise gone from None
    return document, entries, index


def _sent(form: Mapping[str, str]) -> _Sent:
    text = form.get("text", "").replace("\r\n", "\n")
    if len(text.encode()) > rest.MOST_BYTES:
        detail = f"a configuration has at most {rest.MOST_BYTES} bytes"
        raise ApiProblem(OVERSIZE, detail, "shorten the options")
    do, _, at = form.get("do", "").partition(":")
    return _Sent(text, _number(form.get("base", ""), 0), do, at or form.get("at", ""))


def _last(form: Mapping[str, str]) -> int:
    return max(1, min(_number(form.get("last", ""), REPLAYED), MOST_REPLAYED))


def _number(text: str, other: int) -> int:
    is_one = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_one else other


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


PAGES = (
    Page("GET", "/configuration/edit", edit_form, Scope.CONFIGURE),
    Page("POST", "/configuration/edit", edit, Scope.CONFIGURE),
    Page("GET", "/configuration/entry", add_form, Scope.CONFIGURE),
    Page("POST", "/configuration/entry", edit_entry, Scope.CONFIGURE),
)
