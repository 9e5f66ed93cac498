"""Puts the console into the API's application: admission, forms' tokens, headers, error pages."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from waybill.api.app import API, incident, unrouted
from waybill.api.auth import NOBODY, Principal
from waybill.api.feed_shapes import TYPES
from waybill.api.problems import FOREIGN_HOST, UNAUTHENTICATED, ApiProblem, Kind
from waybill.console.assets import packaged
from waybill.console.looking import LOOKS, Looks
from waybill.console.pages import FRAGMENT, Page, Visit, own_path
from waybill.console.rendering import Rendering, url
from waybill.console.routes import CONSOLE, NAVIGATION
from waybill.console.tokens import CSRF_FIELD, Tokens

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Vary": f"{FRAGMENT}, Cookie",
}
_SAFE = frozenset({"GET", "HEAD"})
_FORGED = Kind(403, "forged", "The form does not come from this console")
_SECRET_BYTES = 32
_STATIC = "page.get.static"
_OWN_BODIES = ("/api/", "/subjects", "/schemas", "/static/")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Console:
    def __init__(self, app: web.Application, pages: Sequence[Page]) -> None:
        self._api = app[API]
        paths = {page.path for page in pages}
        places = [place for place in NAVIGATION if place.path in paths]
        self._rendering = Rendering({"places": places, "event_types": ",".join(TYPES)})
        self._tokens = Tokens(self._api.services.random_bytes(_SECRET_BYTES))

    def endpoint(self, page: Page) -> _Handler:
        async def endpoint(request: web.Request) -> web.StreamResponse:
            if request.method not in _SAFE:
                _check_origin(request)
            principal = self._admit(request, page)
            visit = self._visit(request, principal)
            if request.method not in _SAFE and page.scope is not None:
                await self._check_form(visit)
            response = await page.handler(visit)
            return _finished(response)

        return endpoint

    def _admit(self, request: web.Request, page: Page) -> Principal:
        gate = self._api.services.gate
        if page.scope is None:
            return self._visitor(request)
        return gate.admit_visitor(request, page.scope)

    def _visitor(self, request: web.Request) -> Principal:
        """Who it is, as far as they may be known."""
        try:
            return self._api.services.gate.visitor(request) or NOBODY
        except ApiProblem:
            return NOBODY

    def _visit(self, request: web.Request, principal: Principal) -> Visit:
        token = self._tokens.made(request, self._api.services.random_bytes)
        return Visit(request, self._api, principal, token, self._rendering)

    async def _check_form(self, visit: Visit) -> None:
        given = (await visit.form()).get(CSRF_FIELD, "")
        if not self._tokens.fits(visit.request, given):
            raise ApiProblem(
                _FORGED,
                "the form's token does not fit: the page is from another session or an older start",
                "open the page again and send the form from there",
            )

    @property
    def error_pages(self) -> Any:
        """Shows problems as pages to who asks for pages."""

        @web.middleware
        async def told(request: web.Request, handler: _Handler) -> web.StreamResponse:
            if not _wants_page(request):
                return await handler(request)
            try:
                return await handler(request)
            except ApiProblem as problem:
                return self._told(request, problem)
            except web.HTTPException as surprise:
                return self._told(request, unrouted(request, surprise))
            except Exception as surprise:  # noqa: BLE001 - whatever it is, there is a page for it
                return self._told(request, incident(request, surprise))

        return told

    def _told(self, request: web.Request, problem: ApiProblem) -> web.StreamResponse:
        if problem.kind in {UNAUTHENTICATED, FOREIGN_HOST} and _follows_link(request):
            # The session's cookie, or our own name, comes with the next step, which is ours.
            return self._page(
                request, NOBODY, "entering.html", 200, {"next": own_path(request.path_qs)}
            )
        if problem.kind is UNAUTHENTICATED and request.method in _SAFE:
            to = url("/login", next=None if request.path == "/" else request.path_qs)
            return web.Response(status=303, headers={"Location": to})
        principal = self._visitor(request)
        values = {"problem": problem}
        return self._page(request, principal, "error.html", problem.kind.status, values)

    def _page(
        self,
        request: web.Request,
        principal: Principal,
        template: str,
        status: int,
        values: Mapping[str, Any],
    ) -> web.StreamResponse:
        visit = self._visit(request, principal)
        return _finished(visit.page(template, status=status, **values))


def add_console(app: web.Application, pages: Sequence[Page] = CONSOLE) -> None:
    """Adds all pages and static files to the application that `build_api` makes."""
    console = _Console(app, pages)
    app.middlewares.append(console.error_pages)
    app[LOOKS] = Looks(app[API].services.monotonic)
    app.on_cleanup.append(_stop_looking)
    for page in pages:
        app.router.add_route(page.method, page.path, console.endpoint(page), name=_name(page))
    app.router.add_route("GET", "/static/{digest}/{name:.+}", _static, name=_STATIC)


async def _static(request: web.Request) -> web.StreamResponse:
    return packaged().answer(request)


async def _stop_looking(app: web.Application) -> None:
    await app[LOOKS].close()


def _name(page: Page) -> str:
    """The page in metrics; aiohttp takes identifiers with dots."""
    words = re.sub(r"\W+", "_", page.path).strip("_") or "overview"
    return f"page.{page.method.lower()}.at_{words}"


def _wants_page(request: web.Request) -> bool:
    name = request.match_info.route.name or ""
    if name.startswith("page."):
        return name != _STATIC
    return (
        not name
        and not request.path.startswith(_OWN_BODIES)
        and "text/html" in request.headers.get("Accept", "")
    )


def _follows_link(request: web.Request) -> bool:
    """Whether a person came by a link of another site: then our own cookie is withheld."""
    return (
        request.method in _SAFE
        and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )


def _check_origin(request: web.Request) -> None:
    """A form of ours is sent by a page of ours; browsers tell, and nobody else can."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin", "")
    same = (
        site == "same-origin"
        if site
        else hmac.compare_digest(origin.partition("://")[2].encode(), request.host.encode())
    )
    if not same:
        raise ApiProblem(
            _FORGED, "the form was sent by a page of another origin", "send it from this console"
        )


def _finished(response: web.StreamResponse) -> web.StreamResponse:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if isinstance(response, web.Response) and response.body:
        response.enable_compression()
    return response
