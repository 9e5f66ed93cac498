"""What a page of the console is, and what its handler gets.

To add a page:

1. Write `waybill/console/<name>.py` with handlers and `PAGES: tuple[Page, ...]`, and join it to
   `CONSOLE` in `routes.py` by one line.
2. A handler takes a `Visit` and returns `visit.page("<name>.html", **values)`. What REST knows is
   asked by `await visit.answer(stages.attention)` (the same function, the same redaction, parsed),
   or by `visit.reader.ask(...)`. Queries: `visit.query(Shape)`; forms: `await visit.form()`
   (origin and CSRF token were checked before the handler ran); afterwards
   `visit.see("/orders/1", "Retry sent")`: 303 with a line that the next page shows once.
   An `ApiProblem` that a handler lets go becomes an error page; one that it catches is shown by
   `{{ ui.problem(problem) }}`.
3. The template:

       {% extends layout %}
       {% import "macros.html" as ui with context %}
       {% block title %}Orders{% endblock %}
       {% block main %}
       <h1>Orders</h1>
       <section data-live="list">...</section>
       {% endblock %}

   `layout` is the whole frame, or next to nothing where a fragment is asked for (header
   `Waybill-Fragment`), so a page is written once. Every undefined name is an error.
   Forms: `<form method="post">{{ ui.csrf() }}...`. No `style=`, no `on...=`, no inline script.
   `<input {{ ui.named("url") }}>` gives a field its name and id, and says that it is wrong where
   the problem is about it; `{{ ui.problem(problem, fields=["url"]) }}` leads to it.
4. Live: `visit.page(..., live="order=...")` opens one stream `/api/events?order=...` (`live=""`:
   all events), `refresh=5` asks again every five seconds. Then the page is fetched anew, and what
   stands in elements with `data-live="name"` is merged in; keyed by `id` or `data-key`, so give
   rows one. Focus, open `<details>`, selection and what was typed stay. Nothing of it is read out;
   `data-say="A sentence"` on the element is, when it has changed, at most every ten seconds.
5. Script, all optional: `data-dialog` on a link opens its page in a dialog; `data-copy="text"`
   on a button copies; `data-list` on a table's body or list lets j/k/x/Enter move (items:
   `data-item`, with a link and perhaps a checkbox); a form with `data-auto` submits when a field
   changes; `data-check-all="name"` on a checkbox checks all of that name, `data-checked="name"`
   shows how many are; `/` goes to the field with
   `data-key="/"`; `data-press="r"` is clicked by that key (say so in `{% block keys %}`);
   what needs script has the class `scripted-only`. A module of one page's own is a file in
   `static/`, loaded in `{% block head %}`; so is a style sheet.
6. Looks (`static/console.css`): tables that become cards on a phone are
   `<table class="cards">` with a caption and `data-label` on each cell; `columns`, `split`, `row`
   (fields side by side), `panel`, `facts` (a `dl`), `figures`, `actions` (buttons), `note`,
   `problem`, `told`, `narrow`, `scroll`, `number`, `soft`, `quiet`, `danger`; tones `good`, `bad`,
   `warn`, `busy`, `idle`. Macros: badge, time, moment, id, copy, json, csrf, reason, problem,
   pages, empty, figures. Filters: ago, moment, duration (s), duration_ms, number, json, path.
   Functions: `url("/orders", status="failed")`, `here(cursor=...)`, `asset("x.js")`. New states
   get their word and symbol in `states.py`.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import orjson
from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel

from waybill.api.app import query_of
from waybill.api.call import Api, ApiServices, Call
from waybill.api.principal import Principal, Scope
from waybill.api.problems import MALFORMED_BODY, ApiProblem
from waybill.api.reading import Reader
from waybill.api.shapes import NoQuery
from waybill.console.rendering import Rendering

FRAGMENT = "Waybill-Fragment"
"""The request header by which a script asks for the page without its frame."""

TOLD = "wb_told"
"""The cookie that carries one line to the next page."""

THEME = "wb_theme"
THEMES = ("light", "dark")

_TOLD_S = 60
_SEE_OTHER = 303

_Shape = TypeVar("_Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page, admitted, and its form's token checked."""

    request: web.Request
    api: Api
    principal: Principal
    csrf: str
    rendering: Rendering

    @property
    def tenant(self) -> str:
        """Whose console it is."""
        return self.principal.tenant

    @property
    def services(self) -> ApiServices:
        """What the API works with."""
        return self.api.services

    @property
    def reader(self) -> Reader:
        """The views."""
        return self.api.reader

    @property
    def now(self) -> datetime:
        """The present moment."""
        return self.services.now()

    @property
    def is_fragment(self) -> bool:
        """Whether a script asks, for what stands inside the frame only."""
        return FRAGMENT in self.request.headers

    @property
    def theme(self) -> str | None:
        """The colours that the visitor chose; None: as their system has it."""
        found = self.request.cookies.get(THEME)
        return found if found in THEMES else None

    @property
    def signed_in(self) -> bool:
        """Whether there is a session to end."""
        return bool(self.principal.scopes) and self.services.gate.asks_for_keys

    def is_at(self, path: str) -> bool:
        """Whether the page shown is that place, or lies below it."""
        at = self.request.path
        return at == path or (path != "/" and at.startswith(f"{path}/"))

    def may(self, scope: Scope) -> bool:
        """Whether the visitor may do that; pages offer nothing else."""
        return self.principal.may(scope)

    def part(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def query(self, shape: type[_Shape]) -> _Shape:
        """The query as the shape has it, empty fields of a form left out; a 400 problem else."""
        found = query_of(self.request, shape, empty=False)
        assert isinstance(found, shape)
        return found

    async def form(self) -> MultiDict[str]:
        """The fields of the form that was sent, without files."""
        try:
            fields = await self.request.post()
        except ValueError:
            raise ApiProblem(
                MALFORMED_BODY, "the form cannot be read", "send it again from its page"
            ) from None
        return MultiDict((name, value) for name, value in fields.items() if isinstance(value, str))

    def call(self, query: BaseModel | None = None) -> Call:
        """The visit as REST's handlers take it; parts of the path go by the same names."""
        return Call(self.request, self.api, self.principal, query or NoQuery())

    async def answer(
        self,
        handler: Callable[[Call], Awaitable[web.StreamResponse]],
        query: BaseModel | None = None,
    ) -> Any:
        """What REST would answer to the same person, as parsed JSON."""
        response = await handler(self.call(query))
        assert isinstance(response, web.Response)
        assert isinstance(response.body, bytes)
        return orjson.loads(response.body)

    def page(
        self,
        template: str,
        *,
        status: int | None = None,
        problem: ApiProblem | None = None,
        live: str | None = None,
        refresh: int | None = None,
        **values: Any,
    ) -> web.Response:
        """The rendered template. `live`: the query of the stream of events that renews it.

        Where `status` does not say otherwise, it is the problem's, and 200 without one.
        """
        if status is None:
            status = 200 if problem is None else problem.kind.status
        if self.request.method != "GET":
            live = refresh = None  # what answers a form has no address to be asked for again
        told = None if self.is_fragment else self.request.cookies.get(TOLD)
        text = self.rendering.page(
            template,
            {
                **values,
                "problem": problem,
                "fault": _field_of(problem),
                "visit": self,
                "live": live,
                "refresh": refresh,
                "told": told,
                "now": self.now,
            },
        )
        response = web.Response(text=text, status=status, content_type="text/html")
        if told is not None:
            response.del_cookie(TOLD)
        return response

    def see(self, location: str, told: str | None = None) -> web.Response:
        """303 to another page of ours, which says `told` once."""
        response = web.Response(status=_SEE_OTHER, headers={"Location": location})
        if told is not None:
            response.set_cookie(
                TOLD, quote(told[:1000]), max_age=_TOLD_S, httponly=True, samesite="Strict"
            )
        return response


def _field_of(problem: ApiProblem | None) -> str:
    """The field of a form that the problem is about, by the first part of its pointer."""
    return "" if problem is None else (problem.field or "").strip("/").partition("/")[0]


def own_path(given: str) -> str:
    """The address where it leads to a page of ours, else the overview's: nobody is sent away."""
    return given if re.match(r"/(?![/\\])[!-~]*$", given) else "/"


PageHandler: TypeAlias = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page or action. `scope` None: open to everybody who can reach the address."""

    method: str
    path: str
    handler: PageHandler
    scope: Scope | None
