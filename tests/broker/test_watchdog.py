"""A process whose loop is stuck is ended, says where, and is started again; others are let be."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from waybill.running import FAILED
from waybill.supervisor import Child, Supervisor

PROGRAM = """
import asyncio, re, sys, time
from waybill.watchdog import Watchdog

def stuck_in_python():
    while True:
        pass

def stuck_in_c():
    re.match("(a+)+$", "a" * 64 + "b")

def busy_at_start():
    time.sleep(2.2)

async def main():
    watchdog = Watchdog(asyncio.get_running_loop(), 75, patience_s=1.0, start_patience_s=30.0)
    watchdog.start()
    if sys.argv[1] == "busy_at_start":
        busy_at_start()
    watchdog.begun()
    print("begun", flush=True)
    await asyncio.sleep(0.6)
    globals().get(sys.argv[1], int)()
    await asyncio.sleep(60)

asyncio.run(main())
"""


def started(what: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs")
    yield supervisor
    await supervisor.stop()


async def test_a_stuck_loop_is_ended_and_started_again(supervisor: Supervisor) -> None:
    argv = [sys.executable, "-c", PROGRAM, "stuck_in_python"]
    supervisor.start([Child("worker", argv, dict(os.environ))])
    async with asyncio.timeout(20):
        while supervisor.starts("worker") < 2:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.05)
    said = supervisor.log_file("worker").read_text()
    assert '"level":"critical"' in said
    assert "has not answered" in said
    assert "in stuck_in_python" in said, "the log tells where it was"
    assert supervisor._running["worker"].last_code == FAILED


def test_what_never_gives_the_interpreter_back_ends_by_its_processor_time() -> None:
    process = started("stuck_in_c")
    _, said = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGPROF
    assert "in stuck_in_c" in said


def test_a_process_that_was_stopped_gets_a_fair_chance() -> None:
    process = started("nothing")
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    time.sleep(1.2)
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_a_start_may_take_its_time() -> None:
    process = started("busy_at_start")
    time.sleep(1.2)
    assert process.poll() is None
    process.kill()
    process.communicate()
