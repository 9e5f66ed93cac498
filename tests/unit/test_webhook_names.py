"""Looking up the names of endpoints: one that hangs holds up no other."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from streams.agents.webhooks.names import Names


async def test_a_name_server_that_hangs_holds_up_no_other_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering, asked, real = threading.Event(), [], socket.getaddrinfo

    def hanging(host: str, *options: Any, **more: Any) -> Any:
        asked.append(host)
        if host.startswith("dead"):
            answering.wait(30)
        return real("127.0.0.1", *options, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    names = Names()
    try:
        for _ in range(3):
            waiting = [names.resolve(f"dead-{n % 4}.com", 443) for n in range(200)]
            _, pending = await asyncio.wait(map(asyncio.ensure_future, waiting), timeout=0.05)
            for one in pending:
                one.cancel()
        (found,) = await asyncio.wait_for(names.resolve("alive.com", 443), 5)
        assert (found["hostname"], found["host"], found["port"]) == ("alive.com", "127.0.0.1", 443)
        assert sorted(asked) == ["alive.com", *(f"dead-{n}.com" for n in range(4))]
        # Nothing is kept: the next one asks anew.
        await names.resolve("alive.com", 443)
        assert asked.count("alive.com") == 2
    finally:
        answering.set()
        await names.close()


async def test_the_system_is_asked_for_names_and_says_where_there_are_none() -> None:
    names = Names()
    assert "127.0.0.1" in {one["host"] for one in await names.resolve("localhost", 80)}
    with pytest.raises(OSError, match="known"):
        await names.resolve("nowhere.invalid", 80)
    await names.close()
