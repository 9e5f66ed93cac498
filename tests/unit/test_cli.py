"""Commands: how they are found and end, and what those print that need no API."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from plugins.registry import Registry
from waybill.api.auth import load_api_keys
from waybill.cli import processes
from waybill.cli.main import COMMANDS, cli, main
from waybill.ports import free_port

Captured = pytest.CaptureFixture[str]


class TestGroup:
    def test_each_commands_first_line_of_help_is_the_one_in_the_list(self) -> None:
        context = click.Context(cli)
        for name, (_, line) in COMMANDS.items():
            command = cli.get_command(context, name)
            assert command is not None
            assert (command.help or "").splitlines()[0] == line

    def test_every_command_has_json_except_those_that_stay_or_group(self) -> None:
        context = click.Context(cli)
        without = {"up", "worker", "projector", "outlet", "webhooks", "api", "sandbox"}
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None
            parts = command.commands.values() if isinstance(command, click.Group) else [command]
            for part in parts:
                flags = {flag for parameter in part.params for flag in parameter.opts}
                assert ("--json" in flags) is (name not in without)

    def test_help_is_there_at_once_and_imports_no_command(self) -> None:
        code = (
            "import sys; from waybill.cli.main import main; main(['--help']);"
            "print([m for m in sys.modules if m.split('.')[0] in ('httpx', 'rich', 'pydantic')])"
        )
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"
        assert time.monotonic() - started < 3  # 0.2 s on an idle machine

    def test_the_version_is_told(self, capsys: Captured) -> None:
        assert main(["--version"]) == 0
        assert capsys.readouterr().out == "waybill 0.1.0\n"

    def test_wrong_usage_ends_with_2(self, capsys: Captured) -> None:
        assert main(["orders", "--colour"]) == 2
        assert main(["orders", "--colour", "--json"]) == 2
        assert '"code": "usage"' in capsys.readouterr().err

    def test_a_wrong_setting_is_told_by_name(
        self, capsys: Captured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WAYBILL_HTTP", "nowhere")
        assert main(["orders", "--json"]) == 1
        told = json.loads(capsys.readouterr().err)
        assert (told["code"], told["field"]) == ("setting_invalid", "WAYBILL_HTTP")

    def test_a_process_without_kafka_says_so(
        self, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("WAYBILL_DATA", str(tmp_path))
        assert main(["worker"]) == 3
        assert "no_kafka" in capsys.readouterr().err

    def test_where_nobody_answers_the_exit_code_is_3(
        self, capsys: Captured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WAYBILL_HTTP", f"127.0.0.1:{free_port()}")
        assert main(["orders"]) == 3
        told = capsys.readouterr().err
        assert "unreachable" in told
        assert "waybill up" in told

    @pytest.mark.parametrize("name", sorted(processes.ENTRIES))
    def test_every_process_has_a_beginning(self, name: str) -> None:
        entry = processes.ENTRIES[name]
        assert callable(entry.loaded())


class TestUpkeep:
    def test_validate_prints_place_path_and_remedy_and_ends_with_1(
        self, tmp_path: Path, capsys: Captured
    ) -> None:
        path = tmp_path / "c.json"
        path.write_text('{"version": 1,\n "sequence": [{"name": "zurora"}]}')
        assert main(["config", "validate", str(path)]) == 1
        told = capsys.readouterr().out
        assert f"{path}:2:16: error: /sequence/0/name: there is no plugin 'zurora'" in told
        assert "Did you mean 'zuora'?" in told
        assert main(["config", "validate", str(path), "--json"]) == 1
        [finding] = json.loads(capsys.readouterr().out)["findings"]
        assert (finding["line"], finding["path"]) == (2, "/sequence/0/name")

    def test_validate_without_a_file_checks_what_is_in_use(self, capsys: Captured) -> None:
        assert main(["config", "validate"]) == 0
        assert "0 errors, 0 warnings" in capsys.readouterr().out

    def test_show_prints_each_part(self, capsys: Captured) -> None:
        assert main(["config", "show", "--file"]) == 0
        told = capsys.readouterr().out
        assert [name in told for name in ("salesforceV3", "not critical")] == [True, True]
        assert main(["config", "show", "--file", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tenants"]["default"]["version"] == 1

    def test_connectors_lists_every_plugin(self, capsys: Captured) -> None:
        assert main(["connectors", "--json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert tuple(json.loads(line)["name"] for line in lines) == Registry.found().names()

    def test_a_new_key_is_shown_once_and_kept_as_its_hash(
        self, tmp_path: Path, capsys: Captured
    ) -> None:
        path = tmp_path / "keys.json"
        for _ in range(2):
            assert main(["keys", "new", "--file", str(path), "--scope", "operate"]) == 0
        told = capsys.readouterr().out.splitlines()
        assert len(set(told)) == 2
        assert not any(key.rpartition("_")[2] in path.read_text() for key in told)
        assert [key.scopes for key in load_api_keys(path)] == [{"operate"}] * 2
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_key_is_revoked_with_a_reason_and_stays_listed(
        self, tmp_path: Path, capsys: Captured
    ) -> None:
        path = tmp_path / "keys.json"
        for reason in ("the shop", "the till"):
            assert main(["keys", "new", "--file", str(path), "--reason", reason, "--json"]) == 0
        gone, stays = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
        revoke = ["keys", "revoke", gone, "--file", str(path)]
        assert main(revoke) == 2
        assert main([*revoke, "--reason", "it leaked"]) == 0
        assert "Restart the API" in capsys.readouterr().out
        assert main([*revoke, "--reason", "it leaked"]) == 1
        assert "not_found" in capsys.readouterr().err
        assert main(["keys", "list", "--file", str(path), "--json"]) == 0
        items = {one["id"]: one for one in json.loads(capsys.readouterr().out)["items"]}
        assert items[gone]["revoked"]["reason"] == "it leaked"
        assert items[gone]["revoked"]["by"].startswith("cli:")
        assert (items[stays]["revoked"], items[stays]["made"]["reason"]) == (None, "the till")
        assert "hash" not in items[gone]
        assert main(["keys", "list", "--file", str(path)]) == 0
        assert "it leaked" in capsys.readouterr().out

    def test_a_key_file_that_is_broken_is_left_alone(
        self, tmp_path: Path, capsys: Captured
    ) -> None:
        path = tmp_path / "keys.json"
        path.write_text("{}")
        assert main(["keys", "new", "--file", str(path)]) == 1
        assert path.read_text() == "{}"
        assert str(path) in capsys.readouterr().err
