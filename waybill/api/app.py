"""The aiohttp application: routes, who may use them, and problems instead of stack traces."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from difflib import get_close_matches
from functools import cache

from aiohttp import web
from pydantic import BaseModel, ValidationError

from schemas.orders import MAX_ORDER_BYTES
from waybill.api.auth import NOBODY
from waybill.api.bulk import BULKS, Bulks
from waybill.api.call import Api, ApiServices, Call, Route
from waybill.api.feeding import Feed
from waybill.api.health import learn_log_end
from waybill.api.metrics import ApiMetrics
from waybill.api.openapi import openapi
from waybill.api.problems import (
    BAD_QUERY,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    ApiProblem,
    Kind,
)
from waybill.api.reading import Reader
from waybill.api.routes import ROUTES
from waybill.api.shapes import Reread
from waybill.api.tokens import parse_token, vector_text
from waybill.api.waiting import Watch

log = logging.getLogger(__name__)

API: web.AppKey[Api] = web.AppKey("api", Api)

_SERVER_ERROR = 500
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FRAMES = 4

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Addition = Callable[[web.Application], None]
"""Puts more into the application, before it starts."""


def build_api(services: ApiServices, add: Addition | None = None) -> web.Application:
    """The application; `services.kafka` is started and closed by the caller.

    `add` puts more beside the API, such as the console.
    """
    reader = Reader(services.reading)
    watch = Watch(reader)
    api = Api(
        services=services,
        reader=reader,
        watch=watch,
        feed=Feed(reader),
        metrics=ApiMetrics(lambda: watch.waiting),
        openapi=_document(),
    )
    app = web.Application(client_max_size=MAX_ORDER_BYTES + 1, middlewares=[_answers_with_problems])
    app[API] = api
    app[BULKS] = Bulks()
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _endpoint(api, route), name=route.id)
    if add is not None:
        add(app)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_let_go)
    app.cleanup_ctx.append(_background)
    return app


@cache
def _document() -> bytes:
    """It is the same for all applications of a process, and takes long to make."""
    return openapi(ROUTES)


def _endpoint(api: Api, route: Route) -> _Handler:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        principal = NOBODY
        if route.scope is not None:
            principal = api.services.gate.admit(request, route.scope, route.partner)
        query = query_of(request, route.query)
        if isinstance(query, Reread) and query.min_offset is not None:
            await api.watch.holds(parse_token(query.min_offset), principal.tenant)
        return await route.handler(Call(request, api, principal, query))

    return endpoint


def query_of(request: web.Request, shape: type[BaseModel], *, empty: bool = True) -> BaseModel:
    """The query as the shape has it; a 400 problem that names what is wrong else.

    Without `empty`, names without a value count as left out, as forms send them.
    """
    if len(request.query) > len(set(request.query)) or "\x00" in "".join(request.query.values()):
        raise ApiProblem(
            BAD_QUERY, "a parameter is there twice or holds a NUL", "give each parameter once"
        )
    try:
        given = {name: value for name, value in request.query.items() if value or empty}
        return shape.model_validate(given)
    except ValidationError as problem:
        found = problem.errors(include_input=False, include_url=False)[0]
        name = str(found["loc"][0])
        known = [field.alias or key for key, field in shape.model_fields.items()]
        raise ApiProblem(BAD_QUERY, found["msg"], _remedy(name, known), name) from None


def _remedy(name: str, known: list[str]) -> str:
    if name in known:
        return f"correct {name!r}"
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"leave {name[:80]!r} out"


@web.middleware
async def _answers_with_problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    api = request.app[API]
    api.reader.begin()
    began = api.services.monotonic()
    try:
        response = await handler(request)
    except ApiProblem as problem:
        response = _told(request, problem)
    except web.HTTPException as surprise:
        response = _told(request, unrouted(request, surprise))
    except Exception as surprise:  # noqa: BLE001 - whatever it is, the caller gets a problem
        response = _told(request, incident(request, surprise))
    api.metrics.answered(_route_name(request), response.status, api.services.monotonic() - began)
    return response


def _told(request: web.Request, problem: ApiProblem) -> web.Response:
    if problem.kind.status >= _SERVER_ERROR and problem.kind is not INTERNAL:
        _log_problem(request, problem.kind, problem.detail)
    return problem.response()


def _log_problem(request: web.Request, kind: Kind, detail: str) -> None:
    log.error(
        "%s %s answered %d %s: %s",
        request.method,
        _route_name(request),
        kind.status,
        kind.code,
        detail,
    )


def incident(request: web.Request, surprise: Exception) -> ApiProblem:
    """What to say of a fault of ours.

    Nothing of the exception's text is told or logged: it may quote what was sent.
    """
    name = request.app[API].services.random_bytes(6).hex()
    frames = traceback.extract_tb(surprise.__traceback__)[-_FRAMES:]
    place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    _log_problem(request, INTERNAL, f"incident {name}: {type(surprise).__name__} in {place}")
    return ApiProblem(
        INTERNAL,
        "the request could not be answered, by a fault of this program",
        f"try again; if it stays, tell the operator the incident {name}",
        more={"incident": name},
    )


def unrouted(request: web.Request, surprise: web.HTTPException) -> ApiProblem:
    """What to say of an address or a method that is not there."""
    if isinstance(surprise, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(surprise.allowed_methods))
        return ApiProblem(
            METHOD_NOT_ALLOWED,
            f"{request.method} does not fit {request.path[:200]}",
            f"use {allowed}",
            headers={"Allow": allowed},
        )
    if surprise.status == NOT_FOUND.status:
        return ApiProblem(
            NOT_FOUND,
            f"there is nothing at {request.path[:200]}",
            "see /api/openapi.json for what there is",
        )
    kind = Kind(surprise.status, "http", surprise.reason)
    return ApiProblem(kind, surprise.reason, "correct the request")


def _route_name(request: web.Request) -> str:
    return request.match_info.route.name or "none"


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    applied = request.app[API].reader.answered
    response.headers["Waybill-Applied"] = vector_text(dict(applied))
    response.headers["Server"] = "waybill"
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


async def _background(app: web.Application) -> AsyncIterator[None]:
    api = app[API]
    learning = asyncio.create_task(learn_log_end(api), name="log-end")
    yield
    learning.cancel()
    await asyncio.wait([learning])
    await app[BULKS].close()
    await api.watch.close()
    await api.feed.close()
    api.reader.close()


async def _let_go(app: web.Application) -> None:
    """Whoever waits is answered now, and streams end: their readers come back elsewhere."""
    app[API].closing.set()
    app[API].feed.release()
    app[API].watch.release()


def served(app: web.Application) -> Iterable[tuple[str, str]]:
    """Method and path of every route of the application."""
    for route in app.router.routes():
        assert route.resource is not None
        yield route.method, route.resource.canonical
