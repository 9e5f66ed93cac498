"""Looks up names in threads of their own: a name server that hangs holds up nobody else."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

LOOK_UPS = 32
"""Names that are looked up at the same time at most."""


class Names(AbstractResolver):
    """Asks the system, for each name at most once at a time. For one event loop.

    A look-up cannot be broken off; whoever asks for a name whose look-up hangs joins it. So a dead
    name holds one thread, however many deliveries go there. Nothing is kept once it is answered.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(LOOK_UPS, "names")
        self._open: dict[tuple[str, int, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of the name; `OSError` where there are none."""
        asked = (host, port, family)
        looking = self._open.get(asked)
        if looking is None:
            loop = asyncio.get_running_loop()
            looking = loop.run_in_executor(self._pool, _addresses, host, port, family)
            self._open[asked] = looking
            looking.add_done_callback(lambda done: self._answered(asked, done))
        return await asyncio.shield(looking)

    async def close(self) -> None:
        """Waits for nobody."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answered(
        self, asked: tuple[str, int, int], done: asyncio.Future[list[ResolveResult]]
    ) -> None:
        del self._open[asked]
        if not done.cancelled():
            # Looked at, else asyncio complains of it where everybody has given up waiting.
            done.exception()


def _addresses(host: str, port: int, family: int) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]
