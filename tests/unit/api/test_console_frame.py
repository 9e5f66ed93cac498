"""The console's frame over HTTP: who gets in, forms, errors, files; the overview."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.kafka.lag import Standing
from tests.unit.api.conftest import NOW, World
from tests.unit.api.test_api_auth import key
from tests.unit.api.test_api_commands import failed_order
from waybill.api import build_api
from waybill.api.auth import Scope
from waybill.api.sessions import COOKIE
from waybill.console import add_console
from waybill.console.looking import Looks
from waybill.console.pages import Page, Visit, own_path
from waybill.console.routes import CONSOLE

TEMPLATES = Path(__file__).parents[3] / "waybill/console/templates"
OURS = {"Sec-Fetch-Site": "same-origin"}
FROM_ELSEWHERE = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


async def do(visit: Visit) -> Any:
    return visit.see("/", f"Done by {visit.principal.actor}: {(await visit.form())['what']}")


async def break_down(visit: Visit) -> Any:
    raise RuntimeError(f"secret of {visit.tenant}")


EXTRA = (Page("POST", "/do", do, Scope.OPERATE), Page("GET", "/broken", break_down, Scope.READ))


@pytest.fixture
async def visitor(world: World) -> AsyncIterator[Any]:
    """A browser, as far as cookies go; keys as the world has them by the first request."""
    services = []

    async def start() -> TestClient[Any, Any]:
        app = build_api(world.services(), partial(add_console, pages=(*CONSOLE, *EXTRA)))
        client = TestClient(TestServer(app))
        await client.start_server()
        services.append(client)
        return client

    yield start
    for client in services:
        await client.close()


async def signed_in(visitor: Any, headers: dict[str, str]) -> Any:
    client = await visitor()
    text = headers["Authorization"].removeprefix("Bearer ")
    response = await client.post(
        "/login", data={"key": text, "next": "/"}, headers=OURS, allow_redirects=False
    )
    assert (response.status, response.headers["Location"]) == (303, "/")
    return client


def token_in(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found
    return found[1]


class TestSigningIn:
    async def test_without_keys_nobody_signs_in(self, client: Any) -> None:
        page = await client.get("/")
        assert page.status == 200
        assert "Sign out" not in await page.text()
        to = await client.get("/login", allow_redirects=False)
        assert (to.status, to.headers["Location"]) == (303, "/")

    async def test_a_page_leads_to_the_form_and_a_key_opens_a_session(
        self, world: World, visitor: Any
    ) -> None:
        headers, entry = key("acme", Scope.READ)
        world.keys = [entry]
        client = await visitor()
        asked = await client.get("/broken?a=b", allow_redirects=False)
        assert (asked.status, asked.headers["Location"]) == (303, "/login?next=%2Fbroken%3Fa%3Db")
        wrong = await client.post("/login", data={"key": "wb_x_y"}, headers=OURS)
        assert wrong.status == 401
        assert "no API key that is valid" in await wrong.text()
        text = headers["Authorization"].removeprefix("Bearer ")
        right = await client.post(
            "/login", data={"key": f" {text} "}, headers=OURS, allow_redirects=False
        )
        cookie = right.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"], cookie["path"]) == (
            True,
            "Strict",
            "43200",
            "/",
        )
        assert text.rsplit("_", 1)[1] not in cookie.value
        page = await client.get("/")
        assert "Sign out" in await page.text()

    async def test_a_session_ends_with_its_hours_and_with_its_key(
        self, world: World, visitor: Any
    ) -> None:
        headers, entry = key("acme", Scope.READ)
        world.keys = [entry]
        client = await signed_in(visitor, headers)
        cookie = {"Cookie": f"{COOKIE}={_session(client)}"}
        world.now = NOW + timedelta(hours=12)
        assert (await client.get("/", allow_redirects=False)).status == 303
        world.now = NOW
        assert (await client.get("/", allow_redirects=False)).status == 200
        world.keys = [entry.model_copy(update={"hash": "0" * 64})]
        renewed = await visitor()
        assert (await renewed.get("/", headers=cookie, allow_redirects=False)).status == 303
        world.keys = [key("acme", Scope.READ)[1]]
        gone = await visitor()
        assert (await gone.get("/", headers=cookie, allow_redirects=False)).status == 303
        for forged in ("", ".", f"{entry.id}.", f"{entry.id}.AAAA", f"{entry.id}.\u00e9"):
            bad = {"Cookie": f"{COOKIE}={forged}"}
            assert (await renewed.get("/", headers=bad, allow_redirects=False)).status == 303

    async def test_a_session_reads_the_api_and_changes_nothing_there(
        self, world: World, visitor: Any
    ) -> None:
        headers, entry = key("acme", *Scope)
        world.keys = [entry]
        client = await signed_in(visitor, headers)
        assert (await client.get("/api/orders")).status == 200
        assert (await client.post("/api/order", json={})).status == 401
        wrong = {"Authorization": "Bearer wb_x_y"}
        assert (await client.get("/api/orders", headers=wrong)).status == 401

    async def test_signing_out_takes_the_session_away(self, world: World, visitor: Any) -> None:
        headers, entry = key("acme", Scope.READ)
        world.keys = [entry]
        client = await signed_in(visitor, headers)
        out = await client.post("/logout", headers=OURS, allow_redirects=False)
        assert out.headers["Location"] == "/login"
        assert (await client.get("/", allow_redirects=False)).status == 303

    async def test_who_comes_by_a_link_of_another_site_is_let_in_by_a_step_of_ours(
        self, world: World, visitor: Any
    ) -> None:
        world.keys = [key("acme", Scope.READ)[1]]
        client = await visitor()
        page = await client.get("/broken?x=1", headers=FROM_ELSEWHERE, allow_redirects=False)
        assert page.status == 200
        assert 'content="0; url=/broken?x=1"' in await page.text()

    async def test_a_read_only_visitor_is_offered_nothing_else(
        self, world: World, visitor: Any
    ) -> None:
        failed_order(world)
        headers, entry = key("default", Scope.READ)
        world.keys = [entry]
        client = await signed_in(visitor, headers)
        text = await (await client.get("/")).text()
        assert "Needs attention" not in text
        assert "/stages" not in text
        refused = await client.post("/do", data={"what": "x"}, headers=OURS)
        assert refused.status == 403
        assert "missing_scope" in await refused.text()

    @pytest.mark.parametrize(
        "given", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb", "x"]
    )
    def test_nobody_is_sent_away(self, given: str) -> None:
        assert own_path(given) == "/"


def _session(client: Any) -> str:
    [cookie] = [one for one in client.session.cookie_jar if one.key == COOKIE]
    return str(cookie.value)


class TestForms:
    async def test_a_form_is_taken_with_the_token_of_its_page(
        self, world: World, visitor: Any
    ) -> None:
        headers, entry = key("acme", Scope.READ, Scope.OPERATE)
        world.keys = [entry]
        client = await signed_in(visitor, headers)
        page = await (await client.get("/")).text()
        token = token_in(page)
        assert token != token_in(await (await client.get("/")).text())
        data = {"csrf": token, "what": "<b>\u00e4</b>"}
        done = await client.post("/do", data=data, headers=OURS, allow_redirects=False)
        assert done.status == 303
        said = await (await client.get("/")).text()
        assert f"Done by key:{entry.id}: &lt;b&gt;\u00e4&lt;/b&gt;" in said
        assert "Done by" not in await (await client.get("/")).text()

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            ({**OURS}, 303),
            ({"Origin": "http://{host}"}, 303),
            ({"Origin": "https://{host}"}, 303),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({}, 403),
        ],
    )
    async def test_a_form_is_taken_from_a_page_of_ours_only(
        self, world: World, visitor: Any, sent: dict[str, str], status: int
    ) -> None:
        headers, entry = key("acme", Scope.READ, Scope.OPERATE)
        world.keys = [entry]
        client = await signed_in(visitor, headers)
        token = token_in(await (await client.get("/")).text())
        host = f"{client.host}:{client.port}"
        sent = {name: value.replace("{host}", host) for name, value in sent.items()}
        data = {"csrf": token, "what": "it"}
        done = await client.post("/do", data=data, headers=sent, allow_redirects=False)
        assert done.status == status

    @pytest.mark.parametrize("token", ["", "x", "00.\u00e4", "another session's"])
    async def test_a_token_that_does_not_fit_is_refused(
        self, world: World, visitor: Any, token: str
    ) -> None:
        headers, entry = key("acme", Scope.READ, Scope.OPERATE)
        other, its = key("acme", Scope.READ, Scope.OPERATE)
        world.keys = [entry, its]
        client = await signed_in(visitor, headers)
        if token.startswith("another"):
            stranger = await signed_in(visitor, other)
            token = token_in(await (await stranger.get("/")).text())
        done = await client.post("/do", data={"csrf": token, "what": "it"}, headers=OURS)
        assert done.status == 403
        assert "forged" in await done.text()


class TestAnswers:
    async def test_pages_allow_nothing_but_our_own_files(self, client: Any) -> None:
        page = await client.get("/")
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Content-Encoding"] in {"gzip", "deflate"}

    def test_templates_hold_no_inline_script_or_style(self) -> None:
        for path in TEMPLATES.glob("*.html"):
            text = path.read_text()
            assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:|\|safe", text), path
            assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path

    async def test_a_fragment_comes_without_the_frame(self, client: Any) -> None:
        page = await client.get("/", headers={"Waybill-Fragment": "live"})
        text = await page.text()
        assert 'data-live="states"' in text
        assert "<html" not in text

    async def test_what_is_not_there_is_a_page_to_a_browser_and_a_problem_to_a_program(
        self, client: Any
    ) -> None:
        page = await client.get("/nothing", headers={"Accept": "text/html,*/*"})
        assert (page.status, page.content_type) == (404, "text/html")
        program = await client.get("/nothing")
        assert (program.status, program.content_type) == (404, "application/problem+json")
        api = await client.get("/api/nothing", headers={"Accept": "text/html"})
        assert api.content_type == "application/problem+json"

    async def test_a_fault_of_ours_is_a_page_that_tells_nothing_but_its_incident(
        self, visitor: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        page = await (await visitor()).get("/broken")
        text = await page.text()
        assert page.status == 500
        assert "incident" in text
        assert "secret of" not in text + caplog.text

    async def test_files_are_kept_for_ever_under_the_address_of_their_content(
        self, client: Any
    ) -> None:
        text = await (await client.get("/")).text()
        url = re.search(r'href="(/static/[0-9a-f]{16})/console.css"', text)
        assert url
        packed = {"Accept-Encoding": "gzip"}
        found = await client.get(f"{url[1]}/console.css", headers=packed)
        assert found.headers["Content-Encoding"] == "gzip"
        assert "immutable" in found.headers["Cache-Control"]
        other = await client.get("/static/0000000000000000/console.css", headers=packed)
        assert (other.status, other.headers["Cache-Control"]) == (200, "no-cache")
        assert (await client.get(f"{url[1]}/../pages.py")).status == 404

    async def test_the_frame_is_light(self, client: Any) -> None:
        text = await (await client.get("/")).text()
        size = len(gzip.compress(text.encode()))
        for url in sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', text))):
            found = await client.get(url, headers={"Accept-Encoding": "gzip"})
            size += int(found.headers["Content-Length"])
        assert size <= 40_000

    async def test_light_and_dark_are_remembered(self, client: Any) -> None:
        data = {"theme": "dark", "next": "/"}
        await client.post("/theme", data=data, headers=OURS)
        assert 'data-theme="dark"' in await (await client.get("/")).text()
        await client.post("/theme", data={"theme": "system"}, headers=OURS)
        assert "data-theme=" not in await (await client.get("/")).text()


class TestOverview:
    async def test_it_shows_pace_states_causes_pipeline_and_processes(
        self, world: World, client: Any
    ) -> None:
        for number in range(3):
            failed_order(world, f"E-{number}")
        world.controls.held["default"] = {
            "zuora": {"actor": "kim", "reason": "calm", "at": NOW.isoformat()}
        }
        world.lags.answers = {"views": [Standing(0, 9, 1, NOW - timedelta(minutes=5))]}
        text = await (await client.get("/")).text()
        assert 'href="/orders?status=failed"' in text
        assert re.search(r'class="number">3</span>', text)
        assert "/orders?attention=failed&amp;plugin=salesforceV3&amp;code=declined" in text
        assert text.index("#plugin-salesforceV3") < text.index("#plugin-zuora")
        for trouble in ("3 orders need a person", "zuora: held", "projector: stuck"):
            assert trouble in text
        assert "all is well" not in text
        assert text.index(">projector<") < text.index('id="well"') < text.index(">outlet<")
        assert re.search(r"now</dt>\s*<dd>3\.0", text)

    async def test_without_kafka_it_still_shows_what_is_known(
        self, world: World, client: Any
    ) -> None:
        world.lags.reachable = world.orders.reachable = False
        page = await client.get("/")
        assert page.status == 200
        assert "kafka_unavailable" in await page.text()

    async def test_what_is_shown_of_an_order_is_escaped(self, world: World, client: Any) -> None:
        world.controls.held["default"] = {
            "<img src=x>": {"actor": "<i>", "reason": "<i>", "at": NOW.isoformat()}
        }
        text = await (await client.get("/")).text()
        assert "<img src=x>" not in text
        assert "&lt;img src=x&gt;" in text


class TestLooks:
    async def test_many_who_look_ask_once_and_nobody_waits_too_long(self) -> None:
        asked, now, gate = 0, 0.0, asyncio.Event()
        looks = Looks(lambda: now)

        async def ask() -> int:
            nonlocal asked
            asked += 1
            await gate.wait()
            return asked

        async def look(patience_s: float = 5.0) -> int | None:
            return await looks.at("x", ask, keep_s=2, patience_s=patience_s)

        assert await look(0.01) is None
        gate.set()
        assert await asyncio.gather(*(look() for _ in range(5))) == [1] * 5
        now = 1.9
        assert await look() == 1
        now = 2.0
        gate.clear()
        assert await look(0.01) == 1, "the last answer stands in"
        gate.set()
        assert await look() == 2
        await looks.close()
