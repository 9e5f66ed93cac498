"""Receivers in JavaScript verify what we sign: the official library `v1`, Node's crypto `v1a`."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.sealing import TenantKeys
from streams.core.webhooks.changing import Sealer, rotated
from streams.core.webhooks.endpoint import Endpoint, endpoint_bytes
from streams.core.webhooks.signing import SigningKey, signature_headers
from streams.kafka.admin import Cluster
from waybill.clock import random_bytes

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "standard-webhooks"
NOW = datetime.now(UTC)
KEYS = TenantKeys.derived_from(b"k" * 32)
BODY = '{"type":"order.failed","data":{"name":"Zoë 🚚"}}'.encode()

Verify: TypeAlias = Callable[[str, Mapping[str, str], bytes], str]

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or shutil.which("node") is None,
    reason="no receiver in JavaScript: Node.js with npm is not installed",
)


@pytest.fixture(scope="module")
def verify() -> Verify:
    subprocess.run([str(ROOT / "scripts" / "npm.sh"), "standard-webhooks"], check=True, timeout=300)

    def ask(secret: str, headers: Mapping[str, str], body: bytes) -> str:
        case = {"secret": secret, "headers": headers, "body": base64.b64encode(body).decode()}
        program = Path(__file__).with_name("verify_webhooks.cjs")
        answer = subprocess.run(
            ["node", str(program), str(CACHE)],
            input=json.dumps([case]),
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        (verdict,) = json.loads(answer.stdout)
        return str(verdict)

    return ask


def signed(keys: list[SigningKey]) -> dict[str, str]:
    return signature_headers("msg_1", int(datetime.now(UTC).timestamp()), BODY, keys)


@pytest.mark.parametrize("kind", ["v1", "v1a"])
def test_a_receiver_in_javascript_verifies(kind: str, verify: Verify) -> None:
    key = SigningKey("v1" if kind == "v1" else "v1a", random_bytes(32))
    headers = signed([key])
    assert verify(key.shown(), headers, BODY) == "verified"
    assert verify(key.shown(), headers, BODY + b" ") == "No matching signature found"
    other = SigningKey(key.kind, random_bytes(32))
    assert verify(other.shown(), headers, BODY) == "No matching signature found"


def test_a_rotation_from_v1_to_v1a_leaves_no_receiver_behind(verify: Verify) -> None:
    """The endpoint as its topic has it, before, during and after the overlap."""
    sealer = Sealer(KEYS, random_bytes)
    old, old_key = sealer.secret("whe_1", "v1", NOW)
    new, new_key = sealer.secret("whe_1", "v1a", NOW)
    endpoint = Endpoint(
        id="whe_1", tenant="acme", url="https://x", secrets=(old,), created=NOW, updated=NOW
    )
    book = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", {"acme": KEYS})

    def verdicts(after: timedelta) -> tuple[str, str]:
        held = book.get("whe_1")
        assert held is not None
        headers = signed(list(book.signing_keys(held, NOW + after)))
        return tuple(verify(key.shown(), headers, BODY) for key in (old_key, new_key))  # type: ignore[return-value]

    book.take(endpoint_bytes(endpoint))
    assert verdicts(timedelta()) == ("verified", "No matching signature found")
    book.take(endpoint_bytes(rotated(endpoint, new, timedelta(hours=24), NOW)))
    assert verdicts(timedelta(hours=23)) == ("verified", "verified")
    assert verdicts(timedelta(hours=24)) == ("No matching signature found", "verified")
