"""Connections for the doctor: all of them checked, and the same finding said once."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from waybill import clock
from waybill.configuration import connections_file, load_connections
from waybill.connection_checks import ConnectionChecker
from waybill.findings import Finding
from waybill.partner_connections import PartnerConnection, PartnerConnections, Place
from waybill.settings import Settings


async def check_connections(settings: Settings) -> list[PartnerConnection]:
    """Of every tenant, in both modes.

    Raises:
        RefusedConfigurationError: the document of connections cannot be used.
        BadConnectorError: a connector cannot be used.
    """
    transport = Transport.over_aiohttp()
    checker = ConnectionChecker(transport, SecretValues(os.environ), clock.utc_now, clock.monotonic)
    book = PartnerConnections(load_connections(settings), Registry.found(), checker)
    try:
        return [one for tenant in book.tenants for one in await book.check(tenant)]
    finally:
        await transport.aclose()


def connection_findings(
    settings: Settings, checked: Sequence[PartnerConnection]
) -> Iterator[Finding]:
    """What is wrong, each thing once, with the connections that it is wrong with."""
    places: dict[Finding, list[Place]] = {}
    for one in checked:
        for finding in one.check.findings if one.check else ():
            places.setdefault(finding, []).append(one.place)
    for finding, concerned in places.items():
        named = ", ".join(f"{one.tenant}/{one.mode}/{one.name}" for one in concerned)
        file = str(connections_file(settings))
        yield replace(finding, message=f"{finding.message} ({named})", file=file)
