"""Senders of orders say which version of the configuration they have seen."""

from types import SimpleNamespace
from typing import Any

from streams.agents.intake import VERSION_SEEN, versions_seen
from streams.agents.ledger import Ledger


def sent(version: bytes | None = None, tenant: bytes | None = None) -> Any:
    named = {VERSION_SEEN: version, "waybill-tenant": tenant}
    headers = [(name, value) for name, value in named.items() if value is not None]
    return SimpleNamespace(headers=headers or None)


def test_the_highest_of_each_tenant_counts_and_what_is_no_number_does_not() -> None:
    first = [sent(b"4"), sent(b"3"), sent(b"7", b"acme"), sent()]
    second = [sent(b"5"), sent(b"-6"), sent(b""), sent(b"9" * 40), sent(b"\xff")]
    found = versions_seen([(Ledger(0, 0), first), (Ledger(1, 0), second)])
    assert found == {"default": 5, "acme": 7}
