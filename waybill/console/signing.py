"""Signing in with an API key, signing out, and the choice of light or dark."""

from ipaddress import ip_address

from aiohttp import web

from waybill.api.problems import ApiProblem, Kind
from waybill.api.sessions import COOKIE, LASTS
from waybill.console.pages import THEME, THEMES, Page, Visit, own_path

_YEAR_S = 365 * 86_400
_PLAIN = Kind(400, "plain_http", "The connection is not encrypted")


async def login_form(visit: Visit) -> web.StreamResponse:
    """Asks for a key; where no keys are in use there is nothing to ask."""
    to = own_path(visit.request.query.get("next", "/"))
    if not visit.services.gate.asks_for_keys:
        return visit.see("/")
    return visit.page("login.html", next=to)


async def login(visit: Visit) -> web.StreamResponse:
    """A session for who has a key."""
    form = await visit.form()
    to = own_path(form.get("next", "/"))
    is_local = _is_local(visit.request.url.host)
    try:
        _check_encryption(visit, is_local=is_local)
        cookie = visit.services.gate.session(form.get("key", ""))
    except ApiProblem as problem:
        return visit.page("login.html", next=to, problem=problem)
    response = visit.see(to)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="Strict",
        secure=not is_local,
    )
    return response


async def logout(visit: Visit) -> web.StreamResponse:
    """Away with the session."""
    response = visit.see("/login")
    response.del_cookie(COOKIE)
    return response


async def theme(visit: Visit) -> web.StreamResponse:
    """Remembers which colours the visitor wants; anything else: those of their system."""
    form = await visit.form()
    response = visit.see(own_path(form.get("next", "/")))
    if (chosen := form.get("theme", "")) in THEMES:
        response.set_cookie(THEME, chosen, max_age=_YEAR_S, samesite="Strict")
    else:
        response.del_cookie(THEME)
    return response


def _check_encryption(visit: Visit, *, is_local: bool) -> None:
    if not is_local and visit.request.headers.get("Origin", "").startswith("http:"):
        raise ApiProblem(
            _PLAIN,
            "beyond this machine the console is for HTTPS only: else others read your key",
            "put a proxy with a certificate before it, and open that",
        )


def _is_local(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


PAGES = (
    Page("GET", "/login", login_form, None),
    Page("POST", "/login", login, None),
    Page("POST", "/logout", logout, None),
    Page("POST", "/theme", theme, None),
)
