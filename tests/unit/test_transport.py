"""What is known after a request: answered, surely not sent, or lost. Against real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from plugins.transport import Answer, Lost, NotSent, Timeouts, Transport

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SOON = Timeouts(connect=1, read=1, total=2)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Partner:
    """A server that counts the requests that reached it whole."""

    def __init__(self, answer: Callable[[int], bytes | None], *, linger: bool = True) -> None:
        self.answer = answer
        self.linger = linger
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int([*head.lower().split(b"content-length: "), b"0"][1].split(b"\r")[0])
                self.requests.append(head + await reader.readexactly(length))
                said = self.answer(len(self.requests))
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
                if not self.linger:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def partner(
    answer: Callable[[int], bytes | None], *, linger: bool = True
) -> AsyncIterator[tuple[Partner, Transport]]:
    stub = Partner(answer, linger=linger)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    transport = Transport.over_aiohttp()
    try:
        yield stub, transport
    finally:
        await transport.aclose()
        server.close()


def request(url: str, method: str = "POST") -> httpx.Request:
    return httpx.Request(method, url, content=b'{"a":1}' if method != "GET" else None)


async def test_an_answer_has_status_headers_and_body():
    async with partner(lambda _: OK) as (stub, transport):
        answer = await transport.send(request(stub.url), SOON)
        assert isinstance(answer, Answer)
        assert (answer.status, answer.body, answer.cut) == (200, b"{}", False)
        assert answer.headers["content-length"] == "2"


async def test_only_the_headers_that_were_given_are_sent():
    async with partner(lambda _: OK) as (stub, transport):
        await transport.send(request(stub.url), SOON)
        names = {line.split(b":")[0].lower() for line in stub.requests[0].split(b"\r\n")[1:-2]}
        assert names == {b"host", b"content-length"}


async def test_connections_are_kept():
    async with partner(lambda _: OK) as (stub, transport):
        for _ in range(3):
            await transport.send(request(stub.url), SOON)
        assert stub.connections == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_request_that_changes_something_is_never_sent_twice(method):
    # The second request meets a connection that closes under it: aiohttp would repeat a PUT.
    async with partner(lambda n: OK if n == 1 else None) as (stub, transport):
        await transport.send(request(stub.url, method), SOON)
        lost = await transport.send(request(stub.url, method), SOON)
        assert isinstance(lost, Lost)
        assert lost.code == "disconnected"
        assert len(stub.requests) == 2


async def test_a_get_that_meets_a_closing_connection_is_sent_again():
    async with partner(lambda n: None if n == 2 else OK) as (stub, transport):
        await transport.send(request(stub.url, "GET"), SOON)
        again = await transport.send(request(stub.url, "GET"), SOON)
        assert isinstance(again, Answer)
        assert len(stub.requests) == 3


async def test_a_server_that_hangs_up_after_reading_is_no_failed_connect():
    async with partner(lambda _: None) as (stub, transport):
        assert isinstance(await transport.send(request(stub.url), SOON), Lost)


async def test_an_answer_that_breaks_off_is_lost():
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{}"
    async with partner(lambda _: half, linger=False) as (stub, transport):
        lost = await transport.send(request(stub.url), SOON)
        assert isinstance(lost, Lost)
        assert lost.code == "reply_cut"


async def test_no_answer_in_time_is_lost():
    async with partner(lambda _: b"") as (stub, transport):
        read = await transport.send(request(stub.url), Timeouts(1, 0.05, 2))
        total = await transport.send(request(stub.url), Timeouts(1, 2, 0.05))
        for lost in (read, total):
            assert isinstance(lost, Lost)
            assert lost.code == "timeout"


async def test_a_refused_connection_is_surely_not_sent():
    async with partner(lambda _: OK) as (stub, _):
        pass
    transport = Transport.over_aiohttp()
    assert isinstance(await transport.send(request(stub.url), SOON), NotSent)
    await transport.aclose()


async def test_an_unknown_host_is_surely_not_sent():
    transport = Transport.over_aiohttp()
    assert isinstance(await transport.send(request("http://nowhere.invalid/"), SOON), NotSent)
    await transport.aclose()


async def test_a_failed_handshake_is_surely_not_sent():
    async with partner(lambda _: OK) as (stub, _):
        transport = Transport.over_aiohttp(ssl.create_default_context())
        secure = stub.url.replace("http:", "https:")
        assert isinstance(await transport.send(request(secure), SOON), NotSent)
        await transport.aclose()


async def test_a_huge_answer_is_cut():
    huge = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000
    async with partner(lambda _: huge) as (stub, _):
        transport = Transport(AiohttpTransport(), max_body=1000)
        answer = await transport.send(request(stub.url), SOON)
        assert isinstance(answer, Answer)
        assert (len(answer.body), answer.cut) == (1000, True)
        await transport.aclose()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("x"), NotSent),
        (httpx.ConnectTimeout("x"), NotSent),
        (httpx.PoolTimeout("x"), NotSent),
        (httpx.UnsupportedProtocol("x"), NotSent),
        (httpx.ReadTimeout("x"), Lost),
        (httpx.WriteError("x"), Lost),
        (httpx.RemoteProtocolError("x"), Lost),
        (RuntimeError("x"), Lost),
    ],
)
async def test_other_transports_errors_are_classed_alike(error, kind):
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    sent = await Transport(httpx.MockTransport(fail)).send(request("http://x/"), SOON)
    assert isinstance(sent, kind)


async def test_cancellation_passes():
    async with partner(lambda _: b"") as (stub, transport):
        task = asyncio.create_task(transport.send(request(stub.url), SOON))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
