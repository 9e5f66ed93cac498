"""What webhooks are not sent to, when an endpoint is made and again at every attempt."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from projections.webhooks.queue import Due
from streams.agents.webhooks.egress import check_endpoint, guarded_connector
from streams.agents.webhooks.endpoints import EndpointBook
from streams.agents.webhooks.sender import Sender
from streams.core.sealing import TenantKeys
from streams.core.webhooks.changing import Sealer
from streams.core.webhooks.egress import (
    AllowList,
    EgressRefusedError,
    Place,
    check_url,
    is_public,
)
from streams.core.webhooks.endpoint import Endpoint
from streams.kafka.admin import Cluster
from waybill.clock import monotonic, random_bytes, utc_now
from waybill.egress import allow_list
from waybill.reference.codes import CODES as ALL_CODES
from waybill.settings import Settings, SettingsError

PRIVATE = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1"),
    *("172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200"),
    *("192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("168.63.129.16", "192.0.2.1", "198.51.100.1", "203.0.113.1"),
    *("::1", "::", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "2001::1", "2001:db8::1"),
)
"""Of each block of the list at least one; NAT64 and 6to4 even where they wrap public addresses."""

URLS = (
    # Addresses in forms that some resolvers understand.
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://017700000001/"),
    *("https://0177.0.0.1/", "https://127.1/", "https://127.0.1/", "https://010.8.8.8/"),
    # Names of one's own network, and points at the end.
    *("https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/"),
    *("https://kafka/", "https://metadata.google.internal/", "https://printer.local/"),
    *("https://example.com./", "https://8.8.8.8./", "https://example..com/", "https://.com/"),
    # Somebody else's host by the look of it.
    *("https://example.com@127.0.0.1/", "https://user:pass@example.com/", "https://@example.com/"),
    *("https://example.com\\@127.0.0.1/", "https://example.com#@127.0.0.1/", "https://a.com#b"),
    # Letters that look like others, or become others.
    *("https://\u0435xample.com/", "https://\uff4cocalhost/", "https://\uff11\uff12\uff17.0.0.1/"),
    "https://ex\u3002com/",
    *("https://exa%6dple.com/", "https://127\u30020\u30020\u30021/", "https://\u24d4xample.com/"),
    # Requests that would be two.
    *("https://example.com/a\r\nHost: b", "https://example.com/\n", "https://example.com/ a"),
    *("https://example.com/%0d%0aX", "https://example.com/%0A", "https://example.com/\x00"),
    "https://example.com/\t",
    # Other schemes and ports.
    *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/"),
    *("javascript:alert(1)", "//example.com/", "example.com", "", "https://", "https:///x"),
    *("https://example.com:22/", "https://example.com:80/", "https://example.com:6379/"),
    *("https://example.com:9092/", "https://example.com:0/", "https://example.com:65536/"),
    *("https://example.com:443:80/", "https://example.com:/", "https://example.com:+443/"),
    *("https://[fe80::1%25eth0]/", "https://[::1", "https://[v1.a]/", "https://::1/"),
    "https://example.com/" + "a" * 2048,
)

CODES = ALL_CODES["A webhook endpoint is refused"]


class Names(AbstractResolver):
    """A name server whose answers the test says: for each look-up the next one, the last stays."""

    def __init__(self, answers: Mapping[str, list[list[str]]]) -> None:
        self._answers = {name: list(turns) for name, turns in answers.items()}
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature
    ) -> list[ResolveResult]:
        self.asked += 1
        turns = self._answers.get(host)
        if turns is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


class Server:
    """A real one on this machine; `seen` are the requests that got through to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.redirect: str | None = None
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(f"{request.host}{request.path}")
        if self.redirect is not None:
            return web.Response(status=307, headers={"Location": self.redirect})
        return web.Response(text="taken")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    made.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    yield made
    await runner.cleanup()


async def refused_at_creation(url: str, allow: AllowList, names: Names) -> str:
    with pytest.raises(EgressRefusedError) as refused:
        await check_endpoint(url, allow, names)
    assert refused.value.message
    assert refused.value.remedy
    return refused.value.code


async def post(url: str, allow: AllowList, names: Names, **options: Any) -> int:
    async with (
        aiohttp.ClientSession(connector=guarded_connector(allow, names)) as session,
        session.post(url, data=b"{}", **options) as response,
    ):
        return response.status


@pytest.mark.parametrize("address", PRIVATE)
async def test_private_addresses_are_refused_at_creation_and_at_send(address: str) -> None:
    literal = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    names = Names({"example.com": [[address]], "mixed.com": [["93.184.215.14", address]]})
    for url in (literal, "https://example.com/", "https://mixed.com/"):
        assert await refused_at_creation(url, AllowList(), names) == "webhook_address_refused"
        with pytest.raises(EgressRefusedError) as refused:
            await post(url, AllowList(), names)
        assert refused.value.code == "webhook_address_refused"
        # Nobody learns from us what a name leads to.
        assert url == literal or address not in str(refused.value)


@pytest.mark.parametrize("url", URLS)
async def test_urls_that_mislead_are_refused_at_creation_and_at_send(url: str) -> None:
    names = Names({})
    code = await refused_at_creation(url, AllowList(), names)
    assert code != "webhook_host_unknown"
    assert names.asked == 0
    # aiohttp itself refuses some, and reads others as the plain URL that they stand for: then it
    # gets as far as the name server, which knows no name, or to the guard, and never further.
    with pytest.raises((EgressRefusedError, aiohttp.ClientError, ValueError)):
        await post(url, AllowList(), names)


@pytest.mark.parametrize("url", [f"https://{a}/" for a in PRIVATE if ":" not in a] + [*URLS])
async def test_the_sender_of_deliveries_refuses_them_as_well(url: str) -> None:
    """An endpoint from before a list was narrowed: the attempt says why, nothing is sent."""
    keys = {"acme": TenantKeys.derived_from(b"k" * 32)}
    book = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", keys)
    secret, _ = Sealer(keys["acme"], random_bytes).secret("whe_1", "v1", utc_now())
    endpoint = Endpoint(
        id="whe_1", tenant="acme", url=url, secrets=(secret,), created=utc_now(), updated=utc_now()
    )
    due = Due(
        *("del_1", "acme", "whe_1", "msg_1", "full", "order.failed", "o"), *[0] * 6, None, b""
    )
    sender = Sender(guarded_connector(AllowList(), Names({})), book, utc_now, monotonic)
    try:
        answer = await sender.attempt(endpoint, due)
    finally:
        await sender.close()
    assert answer.status is None
    assert answer.error in {code for code in CODES if code.startswith("webhook_")} | {"not_reached"}


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com", "https://EXAMPLE.com:8443/a/b?c=d%20e&f", "https://8.8.8.8/x"),
        *("https://[2606:4700:4700::1111]:443/", "https://xn--bcher-kva.example.com/"),
        "HTTPS://a-b.c_d.example.com/~x;y=1",
    ],
)
async def test_public_places_are_taken(url: str) -> None:
    host = check_url(url, AllowList()).host
    await check_endpoint(url, AllowList(), Names({host: [["93.184.215.14"], ["2a00::1"]]}))


async def test_a_name_that_leads_nowhere_is_refused_at_creation() -> None:
    code = await refused_at_creation("https://example.com/", AllowList(), Names({}))
    assert code == "webhook_host_unknown"
    code = await refused_at_creation("https://a.com/", AllowList(), Names({"a.com": [[]]}))
    assert code == "webhook_host_unknown"


async def test_a_name_that_is_bound_anew_is_refused_at_the_next_attempt(server: Server) -> None:
    """Public when the endpoint is made, private when the webhook is sent."""
    names = Names({"rebound.com": [["93.184.215.14"], ["127.0.0.1"]]})
    url = "https://rebound.com/"
    await check_endpoint(url, AllowList(), names)
    with pytest.raises(EgressRefusedError, match="not public"):
        await post(url, AllowList(), names)
    assert (server.seen, names.asked) == ([], 2)


async def test_each_connection_looks_the_name_up_and_connects_to_what_was_checked(
    server: Server,
) -> None:
    """First ours, as the list allows; then elsewhere, in the middle of a session."""
    allow = AllowList.parsed(f"127.0.0.1:{server.port}, hooks.test:{server.port}")
    names = Names({"hooks.test": [["127.0.0.1"]], "turning.com": [["127.0.0.1"], ["10.0.0.1"]]})
    async with aiohttp.ClientSession(connector=guarded_connector(allow, names)) as session:
        for _ in range(2):
            # Closed by us each time, so that the next one is a new connection.
            headers = {"Connection": "close"}
            url = f"http://hooks.test:{server.port}/in"
            async with session.post(url, data=b"{}", headers=headers) as response:
                assert response.status == 200
    assert server.seen == [f"hooks.test:{server.port}/in"] * 2
    assert names.asked == 2


@pytest.mark.parametrize("status", ["followed", "not followed"])
async def test_a_redirect_leads_nowhere(server: Server, status: str) -> None:
    """Even where the sender forgot to forbid redirects."""
    allow = AllowList.parsed(f"127.0.0.1:{server.port}")
    url = f"http://127.0.0.1:{server.port}/"
    for target in ("http://127.0.0.1:1/", "http://169.254.169.254/", "http://localhost/"):
        server.redirect, server.seen = target, []
        if status == "followed":
            with pytest.raises(EgressRefusedError):
                await post(url, allow, Names({"localhost": [["127.0.0.1"]]}))
        else:
            assert await post(url, allow, Names({}), allow_redirects=False) == 307
        assert len(server.seen) == 1


async def test_proxies_of_the_environment_are_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
    with pytest.raises(EgressRefusedError):
        await post("http://example.com/", AllowList(), Names({"example.com": [["8.8.8.8"]]}))
    assert server.seen == []


ENVIRONMENT = {
    "WAYBILL_KAFKA": "127.0.0.1:9092,kafka.example.com:443",
    "WAYBILL_DATABASE": "postgresql://u:p@10.1.1.1/waybill",
    "WAYBILL_SCHEMA_REGISTRY": "https://registry.example.com:8443",
    "WAYBILL_HTTP": "0.0.0.0:8480",
    "WAYBILL_METRICS": "127.0.0.1:9000",
    "WAYBILL_WEBHOOK_ALLOW": "127.0.0.0/8, ::ffff:127.0.0.0/104, 10.0.0.0/8, registry.example.com",
}


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:9092/", "http://10.1.1.1:5432/", "http://127.0.0.1:9000/metrics"),
        *("http://127.0.0.1:8480/api/orders", "http://10.2.3.4:8480/", "http://127.9.9.9:8480/"),
        *("https://kafka.example.com/", "https://KAFKA.example.com:443/"),
        *("https://registry.example.com:8443/", "http://[::ffff:127.0.0.1]:9092/"),
        # Another name for the broker that the setting names, and its address.
        *("https://broker-1.example.com/", "https://93.184.215.99/"),
    ],
)
async def test_our_own_servers_are_refused_even_where_the_list_names_them(url: str) -> None:
    allow = allow_list(Settings.from_environment(ENVIRONMENT))
    ours = {"kafka.example.com": [["93.184.215.99"]], "broker-1.example.com": [["93.184.215.99"]]}
    names = Names({**ours, "registry.example.com": [["93.184.215.98"]]})
    assert await refused_at_creation(url, allow, names) == "webhook_address_refused"
    with pytest.raises(EgressRefusedError):
        await post(url, allow, names)


@pytest.mark.parametrize(
    ("text", "url", "fits"),
    [
        ("127.0.0.1:8490", "http://127.0.0.1:8490/", True),
        ("127.0.0.1:8490", "http://127.0.0.1:8491/", False),
        ("127.0.0.1", "http://127.0.0.1:8491/", True),
        ("10.0.0.0/8", "http://10.9.9.9:80/", True),
        ("10.0.0.0/8:8080", "http://10.9.9.9:80/", False),
        ("10.0.0.0/8", "http://11.0.0.1:80/", False),
        ("[::1]:80", "http://[::1]/", True),
        ("fd00::/8", "https://[fd12::1]:99/", True),
        ("receiver", "http://receiver:80/", True),
        ("Receiver:8080", "http://RECEIVER:8080/", True),
        ("receiver:8080", "http://receiver/", False),
        ("receiver", "http://sub.receiver/", False),
        ("receiver", "http://receiver@other/", False),
        ("example.com", "http://example.com:22/", True),
    ],
)
def test_the_allow_list_means_what_it_says(*, text: str, url: str, fits: bool) -> None:
    if fits:
        check_url(url, AllowList.parsed(text))
        return
    with pytest.raises(EgressRefusedError):
        check_url(url, AllowList.parsed(text))


@pytest.mark.parametrize(
    "text", ["a b", "http://x", "10.0.0.0/33", "x:0", "x:70000", "[::1", "1.2.3", "*", "a..b"]
)
def test_an_allow_list_that_cannot_be_read_is_a_setting_to_correct(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"WAYBILL_WEBHOOK_ALLOW": f"127.0.0.1, {text}"})
    assert refused.value.variable == "WAYBILL_WEBHOOK_ALLOW"
    assert repr(text) in refused.value.message


@given(st.ip_addresses())
def test_what_is_called_public_python_calls_global(address: Any) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


def test_a_look_up_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Names):
        async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
            await asyncio.sleep(60)
            return []

    monkeypatch.setattr("streams.agents.webhooks.egress.LOOK_UP_S", 0.05)

    async def ask() -> str:
        return await refused_at_creation("https://example.com/", AllowList(), Silent({}))

    assert asyncio.run(asyncio.wait_for(ask(), 5)) == "webhook_host_unknown"


def test_own_places_are_compared_by_port() -> None:
    allow = AllowList(own=(Place("example.com", 9092),))
    assert check_url("https://example.com/", allow).port == 443
