"""Prism, a mock that checks requests against the partners' OpenAPI documents.

The documents are the vendors' and not part of this repository: they are read from
`../shared/specs` beside the checkout. Without them, or without npm, there is nothing to check.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
SPECS = {
    "zuora": SHARED / "specs" / "zuora-connectors-strict-2026-05-01.json",
    "salesforce": SHARED / "specs" / "salesforce-connectors-subset.json",
}
START_S = 90.0
KEY = "5f0c2d7e-9b1a-5c3f-8e6d-5a4b3c2d1e0f"


def missing() -> str | None:
    """Why nothing can be checked, if so."""
    absent = [str(path) for path in SPECS.values() if not path.is_file()]
    if absent:
        return f"Prism checks nothing: the vendors' documents are not here ({', '.join(absent)})"
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "Prism checks nothing: Node.js with npm is not installed"
    return None


@contextmanager
def running_prisms(folder: Path) -> Iterator[Mapping[str, httpx.Client]]:
    """A client for each partner's mock; both start at once, because each takes some seconds."""
    subprocess.run([str(ROOT / "scripts" / "npm.sh"), "prism"], check=True, timeout=300)
    running = {name: _started(spec, folder / name) for name, spec in SPECS.items()}
    try:
        for name, (process, port) in running.items():
            _await_start(process, port, folder / name)
        yield {
            name: httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0, trust_env=False)
            for name, (_, port) in running.items()
        }
    finally:
        for process, _ in running.values():
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=10)


def violations(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    query: Any = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> str | None:
    """What Prism says against the request; None where it is as it should be."""
    sent = {"Authorization": "Bearer invented", **(headers or {})}
    reply = client.request(method, path, params=query, json=body, headers=sent)
    said = reply.headers.get("sl-violations")
    if said is None and reply.is_success:
        return None
    return f"{reply.status_code} {said or reply.text}"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _started(spec: Path, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = _free_port()
    cli = ROOT / ".cache/prism/node_modules/@stoplight/prism-cli/dist/index.js"
    command = ["node", str(cli), "mock", "-h", "127.0.0.1", "-p", str(port), "--errors", str(spec)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    return process, port


def _await_start(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"Prism did not start:\n{log.read_text(errors='replace')[-2000:]}")
