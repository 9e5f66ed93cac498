"""Connections to subscribers' endpoints alone: each address is checked before it is used."""

import asyncio
import socket
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.agents.webhooks.names import Names
from streams.core.webhooks.egress import (
    AllowList,
    EgressRefusedError,
    Place,
    Target,
    check_address,
    check_url,
)

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

LOOK_UP_S = 5.0
"""Seconds until a name's addresses are given up."""

_URLS_AT_HAND = 4096


def guarded_connector(allow: AllowList, resolver: AbstractResolver | None = None) -> TCPConnector:
    """A connector for `aiohttp.ClientSession` that refuses with `EgressRefusedError`.

    It looks names up anew for each connection, checks every address that it gets, and connects to
    those alone; Host and SNI stay the name's. Literal addresses, redirects and requests over a
    connection that is still open are checked as well. The number of connections is not limited.
    """
    return _GuardedConnector(
        allow, resolver=GuardedResolver(allow, resolver), use_dns_cache=False, limit=0
    )


async def check_endpoint(url: str, allow: AllowList, resolver: AbstractResolver) -> None:
    """Refuses with `EgressRefusedError` where a webhook could not go to the URL now."""
    target, guarded = check_url(url, allow), GuardedResolver(allow, resolver)
    try:
        if target.is_address:
            await guarded.admit(target)
        else:
            await guarded.resolve(target.host, target.port, socket.AF_UNSPEC)
    except OSError:
        raise EgressRefusedError(
            "webhook_host_unknown",
            f"no address is known for {target.host}",
            "correct the name, or try again when the name server knows it",
        ) from None


class GuardedResolver(AbstractResolver):
    """Looks up names and refuses those of which one address is refused."""

    def __init__(self, allow: AllowList, resolver: AbstractResolver | None = None) -> None:
        self._allow = allow
        self._resolver = resolver or Names()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The name's addresses, all of them checked; `OSError` where there are none."""
        target = Target(host.lower(), port, is_address=False)
        found = await self._look_up(host, port, family)
        allow = await self._with_own(port, family)
        for one in found:
            check_address(one["host"], target, allow)
        return found

    async def admit(self, target: Target) -> None:
        """Refuses a literal address that one of our own names leads to."""
        check_address(target.host, target, await self._with_own(target.port, socket.AF_UNSPEC))

    async def close(self) -> None:
        """Closes what looks up."""
        await self._resolver.close()

    async def _look_up(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[ResolveResult]:
        async with asyncio.timeout(LOOK_UP_S):
            found = await self._resolver.resolve(host, port, family)
        if not found:
            raise OSError(None, f"no address is known for {host}")
        return found

    async def _with_own(self, port: int, family: socket.AddressFamily) -> AllowList:
        """With the present addresses of our own names; rarely any, since ports differ."""
        own = [
            Place(one["host"], port)
            for name in self._allow.own_names(port)
            for one in await self._look_up(name, port, family)
        ]
        return replace(self._allow, own=(*self._allow.own, *own)) if own else self._allow


class _GuardedConnector(TCPConnector):
    def __init__(
        self, allow: AllowList, *, resolver: GuardedResolver, use_dns_cache: bool, limit: int
    ) -> None:
        super().__init__(resolver=resolver, use_dns_cache=use_dns_cache, limit=limit)
        self._guarded = resolver
        self._check = lru_cache(_URLS_AT_HAND)(lambda url: check_url(url, allow))

    async def connect(
        self,
        req: ClientRequest,
        traces: list["Trace"],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> "Connection":
        """The one way to a connection, for literal addresses and for redirects, too."""
        target = self._check(str(req.url))
        if target.is_address:
            await self._guarded.admit(target)
        return await super().connect(req, traces, timeout)
