"""The receiver that the documentation shows takes what we send, and nothing else."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from streams.core.webhooks.signing import SigningKey, signature_headers
from waybill.ports import free_port

RECEIVER = Path(__file__).parents[2] / "examples" / "clients" / "receive_webhooks.py"
NEW, OLD, FOREIGN = (SigningKey("v1", letter * 32) for letter in (b"n", b"o", b"f"))
BODY = b'{"type":"order.failed","data":{"id":"order-1"}}'


@pytest.fixture
def receiver() -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    port = free_port()
    command = [sys.executable, str(RECEIVER), str(port), NEW.shown(), OLD.shown()]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client, process
    process.kill()
    process.wait()


def delivered(client: httpx.Client, message: str, keys: list[SigningKey], age: int = 0) -> int:
    at = int(datetime.now(UTC).timestamp()) - age
    headers = signature_headers(message, at, BODY, keys)
    headers["waybill-event-type"] = "order.failed"
    for _ in range(200):
        try:
            return client.post("/", content=BODY, headers=headers).status_code
        except httpx.ConnectError:
            time.sleep(0.05)
    pytest.fail("the receiver does not start")


def test_the_receiver_of_the_documentation(
    receiver: tuple[httpx.Client, "subprocess.Popen[str]"],
) -> None:
    client, process = receiver
    assert delivered(client, "msg_1", [NEW, OLD]) == 204
    assert delivered(client, "msg_1", [OLD]) == 204
    assert delivered(client, "msg_2", [FOREIGN]) == 401
    assert delivered(client, "msg_3", [NEW], age=600) == 401
    assert client.post("/", content=BODY).status_code == 401
    assert client.post("/", headers={"webhook-signature": "%"}).status_code == 401
    process.kill()
    said, _ = process.communicate()
    assert said.splitlines() == ["order.failed {'id': 'order-1'}"]
