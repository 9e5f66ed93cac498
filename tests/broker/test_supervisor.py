"""Children are kept running, are ready when they say so, and end with their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from waybill.ports import free_port
from waybill.supervisor import Child, NotReadyError, RefusedError, Supervisor, stop_requested

SERVER = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
SLEEPER = "import time; time.sleep(600)"
PARENT = """
import asyncio, os, sys
from pathlib import Path
from waybill.supervisor import Child, Supervisor
async def main():
    supervisor = Supervisor(Path(sys.argv[1]))
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    supervisor.start([Child("sleeper", sleeper, dict(os.environ))])
    while supervisor.pid("sleeper") is None:
        await asyncio.sleep(0.01)
    print(supervisor.pid("sleeper"), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def child(name: str, code: str, *arguments: str, url: str | None = None) -> Child:
    return Child(name, [sys.executable, "-c", code, *arguments], dict(os.environ), url)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_started(supervisor: Supervisor, name: str, starts: int = 1) -> int:
    async with asyncio.timeout(10):
        while supervisor.starts(name) < starts or supervisor.pid(name) is None:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.01)
    pid = supervisor.pid(name)
    assert pid is not None
    return pid


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs")
    yield supervisor
    await supervisor.stop()


async def test_a_child_is_ready_once_its_probe_answers(supervisor: Supervisor) -> None:
    port = free_port()
    supervisor.start([child("api", SERVER, str(port), url=f"http://127.0.0.1:{port}/readyz")])
    await supervisor.ready(10)
    assert supervisor.log_file("api").read_text() == "serving\n"


async def test_a_child_that_is_killed_is_started_again(supervisor: Supervisor) -> None:
    supervisor.start([child("worker", SLEEPER)])
    first = await until_started(supervisor, "worker")
    os.kill(first, signal.SIGKILL)
    assert await until_started(supervisor, "worker", starts=2) != first


async def test_a_child_that_never_gets_ready_is_named(supervisor: Supervisor) -> None:
    supervisor.start(
        [
            child("worker", SLEEPER, url=f"http://127.0.0.1:{free_port()}/readyz"),
            child(
                "api",
                "print('no keys'); raise SystemExit(3)",
                url=f"http://127.0.0.1:{free_port()}/readyz",
            ),
        ]
    )
    with pytest.raises(NotReadyError) as error:
        await supervisor.ready(0.5)
    assert error.value.waiting == {
        "worker": "runs but is not ready",
        "api": "ended with code 3: no keys",
    }


async def test_a_child_that_ends_again_and_again_is_not_waited_for(supervisor: Supervisor) -> None:
    supervisor.start([child("api", "raise SystemExit(3)", url="http://127.0.0.1:1/readyz")])
    began = time.monotonic()
    with pytest.raises(NotReadyError, match="api ended with code 3"):
        await supervisor.ready(60)
    assert time.monotonic() - began < 30


async def test_stopping_ends_every_child(supervisor: Supervisor) -> None:
    supervisor.start([child(name, SLEEPER) for name in ("worker", "projector")])
    pids = [await until_started(supervisor, name) for name in ("worker", "projector")]
    await supervisor.stop()
    assert not any(map(is_alive, pids))


async def test_a_child_that_ignores_the_request_is_killed_in_time(supervisor: Supervisor) -> None:
    supervisor.start([child("deaf", DEAF)])
    pid = await until_started(supervisor, "deaf")
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await supervisor.stop()
    assert not is_alive(pid)
    assert time.monotonic() - began < 15


def test_a_killed_supervisor_leaves_no_orphans(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


async def test_a_signal_asks_to_stop() -> None:
    async with stop_requested() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 1)


async def test_a_child_that_refuses_its_configuration_is_not_started_again(
    supervisor: Supervisor,
) -> None:
    line = '{"level":"error","message":"no such plugin: zuoar"}'
    refusing = f"import sys; print({line!r}); sys.exit(78)"
    supervisor.start([child("worker", refusing), child("sleeper", SLEEPER)])
    async with asyncio.timeout(10):
        with pytest.raises(RefusedError, match=r"worker refuses to run\.\n  no such plugin"):
            await supervisor.refused()
    await asyncio.sleep(0.8)
    assert supervisor.starts("worker") == 1
    assert supervisor.pid("sleeper") is not None
