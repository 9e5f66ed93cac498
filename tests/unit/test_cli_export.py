"""`waybill orders --format`: files that others can read, whole or not there at all."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from pyarrow import parquet

from projections.export_columns import EXPORTED
from waybill.cli.main import main

NAMES = [one.name for one in EXPORTED]
ROOT = Path(__file__).parents[2]


def row(number: int) -> dict[str, Any]:
    return {
        **dict.fromkeys(NAMES),
        "id": f"order-{number:032x}",
        "external_id": f'Nº "{number}", twice',
        "run": 1,
        "config_version": number,
        "created": f"2026-03-01T10:00:00.{number:06d}+00:00",
        "updated": "2026-03-01T10:00:01+00:00",
    }


class Streaming(BaseHTTPRequestHandler):
    """Sends rows in chunks; `whole` False: breaks off before the end."""

    protocol_version = "HTTP/1.1"
    rows: ClassVar[list[dict[str, Any]]] = []
    whole: ClassVar[bool] = True
    asked: ClassVar[list[Any]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.asked.append((url.path, parse_qs(url.query)))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for one in self.rows:
            line = json.dumps(one).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if self.whole:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Streaming]]:
    made = type("Made", (Streaming,), {"rows": [row(n) for n in range(25)], "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), made)
    monkeypatch.setenv("WAYBILL_HTTP", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("WAYBILL_DATA", str(tmp_path / "data"))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


def test_json_lines_go_to_a_pipe_with_the_filters_of_the_api(
    api: type[Streaming], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    asked = ["orders", "--format", "jsonl", "--subscription", "S-1", "--search", "two words"]
    assert main(asked) == 0
    printed = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert printed == api.rows
    assert api.asked == [
        ("/api/orders/export", {"subscription": ["S-1"], "q": ["two words"]}),
    ]


def test_csv_has_every_column_and_survives_quotes(api: type[Streaming], tmp_path: Path) -> None:
    target = tmp_path / "orders.csv"
    assert main(["orders", "--format", "csv", "--output", str(target), "--limit", "7"]) == 0
    read = list(csv.DictReader(io.StringIO(target.read_text("utf-8"), newline="")))
    assert list(read[0]) == NAMES
    assert [one["external_id"] for one in read] == [one["external_id"] for one in api.rows[:7]]
    assert read[3]["stage"] == ""


def test_parquet_has_types_and_descriptions(
    api: type[Streaming], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waybill.cli.export._AT_ONCE", 10)
    target = tmp_path / "orders.parquet"
    assert main(["orders", "--format", "parquet", "--output", str(target)]) == 0
    file = parquet.ParquetFile(target)
    assert file.num_row_groups == 3
    table = file.read()
    assert table.schema.field("created").type == pa.timestamp("us", tz="UTC")
    assert table.column("created")[3].as_py().isoformat() == api.rows[3]["created"]
    assert table.column("config_version").to_pylist() == list(range(25))
    assert table.schema.field("status").metadata[b"description"] == b"Where it stands"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_stream_that_breaks_off_leaves_no_file(
    api: type[Streaming], tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.whole = False
    target = tmp_path / "orders"
    target.write_text("the one before")
    assert main(["orders", "--format", form, "--output", str(target)]) == 3
    assert "incomplete" in capsys.readouterr().err
    assert target.read_text() == "the one before"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("orders")] == [
        "orders"
    ]


def test_parquet_without_pyarrow_names_the_extra(
    api: type[Streaming],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["orders", "--format", "parquet", "--output", str(tmp_path / "x")]) == 1
    assert "pip install 'waybill[parquet]'" in capsys.readouterr().err
    assert not api.asked


@pytest.mark.parametrize(
    "given", [["--format", "csv", "--follow"], ["--format", "csv", "--json"], ["--output", "x"]]
)
def test_what_does_not_go_together_is_refused(api: type[Streaming], given: list[str]) -> None:
    assert main(["orders", *given]) == 2
    assert not api.asked


def test_the_columns_are_documented() -> None:
    page = (ROOT / "docs/how-to/search-and-export-orders.md").read_text("utf-8")
    for one in EXPORTED:
        assert f"| `{one.name}` | {one.kind} | {one.description} |" in page
