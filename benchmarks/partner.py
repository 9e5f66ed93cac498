"""A partner for figures: cheap, with a delay of its own, which can go down, hang, and remember.

`python -m benchmarks.partner PORT` answers `POST /NAME/DELAY_MS...`. `PUT /_state` takes
`{"down": [names], "refusing": [names], "hang_next": bool, "shut": bool}`: one call hangs; all calls
wait until the next `PUT`. `GET /_calls` gives, per call since the last `PUT`, when it came (seconds
since the epoch), name, key and status.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from benchmarks.stub import free_port

HANG_S = 30.0
START_S = 20.0
_HEAD = re.compile(rb"(\w+) (\S+) HTTP/1.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"\r\nidempotency-key: *(\S+)", re.IGNORECASE)
_GOOD = b'{"success":true,"id":"A-1"}'
_BAD = b'{"success":false}'


class State:
    """What all connections share."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.refusing: set[str] = set()
        self.hang_next = False
        self.shut = False
        self.waiting: list[Callable[[], object]] = []
        self.calls: list[tuple[float, str, str, int]] = []

    def set(self, given: dict[str, Any]) -> None:
        """Another way to behave, and an empty memory."""
        self.down = set(given.get("down", ()))
        self.refusing = set(given.get("refusing", ()))
        self.hang_next = bool(given.get("hang_next"))
        self.shut = bool(given.get("shut"))
        self.calls = []
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            answer()


class Connection(asyncio.Protocol):
    """HTTP/1.1 with content lengths, one request at a time, which is all that we send."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = b""
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        """Somebody connects."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers every request that is complete."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._request(head, body)

    def _request(self, head: bytes, body: bytes) -> None:
        found = _HEAD.match(head)
        assert found is not None, head[:80]
        path = found[2].decode()
        if path == "/_state":
            self._state.set(json.loads(body))
            self._answer(200, b"{}")
        elif path == "/_calls":
            self._answer(200, json.dumps(self._state.calls).encode())
        else:
            self._call(path, head)

    def _call(self, path: str, head: bytes) -> None:
        _, name, delay_ms, *_ = path.split("/")
        status = 503 if name in self._state.down else 422 if name in self._state.refusing else 200
        key = _KEY.search(head)
        self._state.calls.append((time.time(), name, key[1].decode() if key else "", status))
        delay_s = int(delay_ms) / 1000
        if self._state.hang_next:
            self._state.hang_next, delay_s = False, HANG_S
        text = _GOOD if status == 200 else _BAD  # noqa: PLR2004 - HTTP's own number
        if self._state.shut:
            self._state.waiting.append(lambda: self._answer(status, text))
        elif delay_s and status == 200:  # noqa: PLR2004
            self._loop.call_later(delay_s, self._answer, status, text)
        else:
            self._answer(status, text)

    def _answer(self, status: int, body: bytes) -> None:
        if self._transport.is_closing():
            return
        wait = "retry-after: 1\r\n" if status == 503 else ""  # noqa: PLR2004 - HTTP's own number
        self._transport.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{wait}"
            f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )


async def serve(port: int) -> None:
    """Until the process is ended."""
    state = State()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


class Partner:
    """A running partner, seen from a measurement."""

    def __init__(self, base: str) -> None:
        self.base = base

    def set(self, **state: Any) -> None:
        """Another way to behave; forgets the calls so far."""
        body = json.dumps(state).encode()
        request = urllib.request.Request(f"{self.base}/_state", body, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as reply:
            reply.read()

    def calls(self) -> list[tuple[float, str, str, int]]:
        """Moment, name, key and status of each call since the last `set`."""
        with urllib.request.urlopen(f"{self.base}/_calls", timeout=60) as reply:
            return [tuple(call) for call in json.load(reply)]


@contextmanager
def partner() -> Iterator[Partner]:
    """Starts one."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.partner", str(port)])
    found, until = Partner(f"http://127.0.0.1:{port}"), time.monotonic() + START_S
    try:
        while True:
            try:
                found.set()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
