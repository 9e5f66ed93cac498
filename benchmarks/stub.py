"""A partner that costs next to nothing: nginx, answering every POST with a small JSON."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """
worker_processes 1; daemon off; pid nginx.pid; error_log nginx.err warn;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000; keepalive_timeout 300s;
 client_body_buffer_size 256k;
 server {{ listen 127.0.0.1:{port} backlog=1024;
  location / {{ default_type application/json; return 200 '{{"success":true,"id":"A-1"}}'; }} }} }}
"""


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """The base URL of a running stub."""
    program = shutil.which("nginx")
    if program is None:
        sys.exit(
            "the benchmark's partner is nginx: install it (Debian: apt-get install nginx-light)"
        )
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(CONFIGURATION.format(port=port))
    process = subprocess.Popen([program, "-p", str(folder), "-c", "nginx.conf"])
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("nginx did not start")
