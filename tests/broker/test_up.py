"""`waybill up` and `waybill topics` as far as they need no other process."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.connections import OAuthAuth, SecretFromFile
from waybill.configuration import load_connections
from waybill.embedded.broker import running_bootstrap
from waybill.ports import free_port
from waybill.settings import Settings
from waybill.up import children, run_topics, run_up

UP = """
import os, sys
from waybill.settings import load_settings
from waybill.up import run_up
sys.exit(run_up(load_settings()))
"""


def settings(data: Path, **more: str) -> Settings:
    addresses = {
        "WAYBILL_HTTP": f"127.0.0.1:{free_port()}",
        "WAYBILL_SANDBOX": f"127.0.0.1:{free_port()}",
    }
    return Settings.from_environment({"WAYBILL_DATA": str(data), **addresses, **more})


def test_an_address_that_is_taken_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_up(settings(tmp_path, WAYBILL_HTTP=f"127.0.0.1:{port}")) == 1
    assert "WAYBILL_HTTP" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_api_never_listens_beyond_loopback_without_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_up(settings(tmp_path, WAYBILL_HTTP=f"0.0.0.0:{free_port()}")) == 1
    assert "setting_unsafe" in capsys.readouterr().out


def test_every_process_gets_kafka_and_a_probe_address_of_its_own(tmp_path: Path) -> None:
    started = children(settings(tmp_path), "127.0.0.1:9092")
    assert [child.name for child in started] == [
        "sandbox",
        "worker",
        "projector",
        "outlet",
        "webhooks",
        "api",
    ]
    assert {child.environment["WAYBILL_KAFKA"] for child in started} == {"127.0.0.1:9092"}
    assert len({child.ready_url for child in started}) == len(started)


def test_what_the_user_did_not_set_stays_unset_for_the_processes(tmp_path: Path) -> None:
    for child in children(settings(tmp_path), "127.0.0.1:9092"):
        assert child.environment["WAYBILL_CONNECTIONS"] == ""
        assert child.environment["WAYBILL_CONFIG"] == ""


def test_the_shipped_connections_follow_a_sandbox_that_was_moved(tmp_path: Path) -> None:
    moved = settings(tmp_path)
    ours = children(moved, "127.0.0.1:9092")[1].environment
    given = {name: value for name, value in ours.items() if name.startswith("WAYBILL_")}
    connections = load_connections(Settings.from_environment(given)).root["default"]["production"]
    assert {one.base_url.removeprefix(moved.sandbox.url) for one in connections.values()} == {
        "/zuora",
        "/salesforce",
        "/entitlements",
        "/callout",
        "/stripe",
    }
    assert isinstance(auth := connections["zuora"].auth, OAuthAuth)
    assert isinstance(auth.client_secret, SecretFromFile)
    assert Path(auth.client_secret.file).is_file()


def test_the_topics_command_makes_the_topics_and_tells(
    kafka: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings(tmp_path, WAYBILL_KAFKA=kafka, WAYBILL_TOPIC_PREFIX="told.")
    assert run_topics(given, json_output=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["facts"]["told.order-events"]["retention_ms"] == -1
    assert run_topics(given, json_output=False) == 0
    assert "found" in capsys.readouterr().out


def test_the_topics_command_says_where_no_kafka_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_topics(settings(tmp_path), json_output=False) == 1
    assert "WAYBILL_KAFKA" in capsys.readouterr().out


def test_up_stops_cleanly_when_asked_and_leaves_no_broker(tmp_path: Path) -> None:
    given = settings(tmp_path)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WAYBILL_")},
        "WAYBILL_DATA": str(tmp_path),
        "WAYBILL_HTTP": str(given.http),
        "WAYBILL_SANDBOX": str(given.sandbox),
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", UP], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any("Kafka answers" in line for line in lines)
    assert running_bootstrap(tmp_path) is not None
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert running_bootstrap(tmp_path) is None
