"""Where webhooks may be sent: public addresses by https, and what an allow list names beside."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self, TypeAlias

_Address: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL = 2048
PORTS = (443, 8443)
"""Ports of endpoints that no allow list names: what else listens there speaks TLS as well."""

_MOST_PORT = 65535
_URL = re.compile(r"(?i)([a-z][a-z0-9+.-]*)://([^/?#]*)(/[^?#]*)?(\?[^#]*)?")
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]@]+))(?::([0-9]{1,5}))?")
_CHARACTERS = re.compile(r"[!-~]+")
_UNSAFE = re.compile(r"[\\<>\"{}|^`]|%0[0ad]", re.IGNORECASE)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_NAMES = frozenset(
    (
        *("arpa", "corp", "home", "internal", "intranet", "lan", "local", "localdomain"),
        *("localhost", "onion", "private"),
    )
)
"""Ends of names that mean something only in one's own network."""

_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Where Azure's machines find their agent's server: public by number, not by meaning.
        "168.63.129.16/32",
        # Within 2000::/3: Teredo and other protocols, documentation, 6to4.
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
"""All of IPv6 that is routed; what wraps IPv4 addresses (mapped, NAT64) lies outside."""


class EgressRefusedError(Exception):
    """A webhook must not be sent there: `code` for programs, `message` and `remedy` for people.

    It names no address that a name led to: who asks must not learn what our resolver knows.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy} [{code}]")
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port; without one, each port of the host."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class _Block:
    """Addresses at one port; without one, at each."""

    network: _Network
    port: int | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: a name in lower case, or an address, and a port."""

    host: str
    port: int
    is_address: bool


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may be reached although it is not public, for development and private receivers.

    `own` are Waybill's own addresses (Kafka, database, registry, API): they are refused even
    where the list names them.
    """

    hosts: tuple[Place, ...] = ()
    blocks: tuple[_Block, ...] = ()
    own: tuple[Place, ...] = ()

    @classmethod
    def parsed(cls, text: str, own: Iterable[Place] = ()) -> Self:
        """From `host[:port]`, addresses or networks with an optional port, parted by commas.

        `ValueError` with the entry that is none of them; IPv6 with a port stands in brackets.
        """
        hosts: list[Place] = []
        blocks: list[_Block] = []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            found = _entry(entry)
            if isinstance(found, Place):
                hosts.append(found)
            else:
                blocks.append(found)
        return cls(tuple(hosts), tuple(blocks), tuple(own))

    def names(self, target: Target) -> bool:
        """Whether the list has the target by its name."""
        return any(
            place.host == target.host and place.port in {None, target.port} for place in self.hosts
        )

    def holds(self, address: _Address, port: int) -> bool:
        """Whether the list has the address."""
        return any(
            block.network.version == address.version
            and address in block.network
            and block.port in {None, port}
            for block in self.blocks
        )

    def is_own(self, host: str, port: int) -> bool:
        """Whether Waybill itself, or what it stands on, listens there."""
        address = _plain(host)
        return any(
            place.port == port and (place.host.lower() == host or _is_at(place, address))
            for place in self.own
        )

    def own_names(self, port: int) -> tuple[str, ...]:
        """Names of our own at that port: they have to be looked up to know their addresses."""
        return tuple(
            place.host for place in self.own if place.port == port and _plain(place.host) is None
        )


def check_url(url: str, allow: AllowList) -> Target:
    """Where the URL leads, without looking up any name.

    `EgressRefusedError` where it is no plain https URL of a public name or address, or of what
    the list allows. A name's addresses are checked by `check_address`, at each attempt.
    """
    scheme, target = _target(url)
    if allow.is_own(target.host, target.port):
        raise _own()
    listed = allow.names(target) or (
        target.is_address and allow.holds(ip_address(target.host), target.port)
    )
    if not listed:
        _check_public(scheme, target)
    return target


def check_address(address: str, target: Target, allow: AllowList) -> None:
    """Refuses an address that the target's name led to, or that the target itself is."""
    found = ip_address(address)
    if allow.is_own(str(found), target.port):
        raise _own()
    if allow.names(target) or allow.holds(found, target.port) or is_public(found):
        return
    raise EgressRefusedError(
        "webhook_address_refused",
        f"{target.host} leads to an address that is not public",
        "use a receiver with a public address, or have WAYBILL_WEBHOOK_ALLOW name this one",
    )


def is_public(address: _Address) -> bool:
    """Whether everybody in the internet means the same machine by it."""
    if address.version == 6 and address not in _PUBLIC_V6:  # noqa: PLR2004 - IP's own number
        return False
    return not any(
        network.version == address.version and address in network for network in _NOT_PUBLIC
    )


def _entry(entry: str) -> Place | _Block:
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^\[\]:]+))(?::([0-9]{1,5}))?", entry)
    text, port = (entry, None) if found is None else (found[1] or found[2], found[3])
    number = None if port is None else int(port)
    if number is not None and not 0 < number <= _MOST_PORT:
        raise ValueError(entry)
    try:
        return _Block(ip_network(text), number)
    except ValueError:
        if found is None or not _NAME.fullmatch(text) or _NUMBER.fullmatch(text.split(".")[-1]):
            raise ValueError(entry) from None
    return Place(text, number)


def _target(url: str) -> tuple[str, Target]:
    found = _URL.fullmatch(url) if _is_plain(url) else None
    if found is None:
        raise _malformed("it is not a URL of at most 2048 plain characters, without a fragment")
    scheme = found[1].lower()
    if scheme not in {"https", "http"}:
        raise EgressRefusedError(
            "webhook_url_scheme", f"{scheme[:20]} is not https", "begin the URL with https://"
        )
    if "@" in found[2]:
        raise _malformed("it holds a user name or a password")
    authority = _AUTHORITY.fullmatch(found[2])
    if authority is None:
        raise _malformed("its host or its port cannot be read")
    port = int(authority[3] or (443 if scheme == "https" else 80))
    if not 0 < port <= _MOST_PORT:
        raise _malformed("there is no such port")
    return scheme, _host(authority, port)


def _is_plain(url: str) -> bool:
    """No blanks, controls and letters beyond ASCII, which look like others or split requests."""
    return len(url) <= MAX_URL and bool(_CHARACTERS.fullmatch(url)) and not _UNSAFE.search(url)


def _host(authority: re.Match[str], port: int) -> Target:
    host = (authority[1] or authority[2]).lower()
    if authority[1] is not None or _NUMBER.fullmatch(host.rstrip(".").split(".")[-1]):
        try:
            return Target(str(ip_address(host)), port, is_address=True)
        except ValueError:
            raise _malformed(
                "its host is an address in an unusual form",
                "write four decimal numbers without leading zeros, or IPv6 in brackets",
            ) from None
    if not _NAME.fullmatch(host):
        raise _malformed("its host is not a name", "write the name without a point at its end")
    return Target(host, port, is_address=False)


def _check_public(scheme: str, target: Target) -> None:
    if target.is_address:
        check_address(target.host, target, AllowList())
    last = target.host.split(".")[-1]
    if not target.is_address and ("." not in target.host or last in _LOCAL_NAMES):
        raise EgressRefusedError(
            "webhook_host_refused",
            f"{target.host} is a name of a private network",
            "use a public name, or have WAYBILL_WEBHOOK_ALLOW name this one",
        )
    if scheme != "https":
        raise EgressRefusedError(
            "webhook_url_scheme",
            "webhooks go out by https only",
            "begin the URL with https://, or have WAYBILL_WEBHOOK_ALLOW name its host",
        )
    if target.port not in PORTS:
        raise EgressRefusedError(
            "webhook_port_refused",
            f"port {target.port} is not one of {', '.join(map(str, PORTS))}",
            "use one of them, or have WAYBILL_WEBHOOK_ALLOW name host and port",
        )


def _plain(host: str) -> _Address | None:
    """The address; an IPv4 address that IPv6 wraps is unwrapped. None for names."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_at(place: Place, address: _Address | None) -> bool:
    """Who listens at 0.0.0.0 listens at every address of the machine; those are not public."""
    own = _plain(place.host)
    if own is None or address is None:
        return False
    return own == address or (own.is_unspecified and not is_public(address))


def _own() -> EgressRefusedError:
    return EgressRefusedError(
        "webhook_address_refused",
        "Waybill itself, its Kafka, its database or its registry listens there",
        "use the address of a receiver",
    )


def _malformed(message: str, remedy: str = "write https://host/path") -> EgressRefusedError:
    return EgressRefusedError("webhook_url_malformed", message, remedy)
