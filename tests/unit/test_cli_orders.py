"""Commands about orders: what they ask and print. The API is a server with scripted answers."""

import json
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from waybill.cli.main import main
from waybill.cli.timeline import duration

ORDER_ID = "order-" + "a" * 32
STEPS = [
    {
        "id": "salesforceV3",
        "name": "salesforceV3",
        "service": "salesforce",
        "phase": "main",
        "critical": True,
        "status": "succeeded",
        "attempts": 1,
        "error": None,
        "started": "2026-03-01T10:00:00.000000+00:00",
        "ended": "2026-03-01T10:00:00.012000+00:00",
    },
    {
        "id": "zuora",
        "name": "zuora",
        "service": "zuora",
        "phase": "main",
        "critical": True,
        "status": "failed",
        "attempts": 2,
        "error": {"code": "card_declined"},
        "started": "2026-03-01T10:00:00.012000+00:00",
        "ended": "2026-03-01T10:00:03.412000+00:00",
    },
]
ORDER = {
    "id": ORDER_ID,
    "order_reference": "7Q2KX5M9ADLP",
    "status": "failed",
    "external_id": "SHOP-1",
    "subscriptionReference": "SUB1",
    "owner": "id-41",
    "order_type": "new",
    "mode": "production",
    "created": "2026-03-01T10:00:00+00:00",
    "updated": "2026-03-01T10:00:03.500000+00:00",
    "config_version": 1,
    "lane": "default/SUB1",
    "stage": "zuora",
    "run": 1,
    "completion": None,
    "error": {"code": "card_declined", "buyer_message": "no", "message": "Declined\x1b[2J"},
    "next_action": "needs a person: step zuora failed (card_declined)",
    "steps": STEPS,
}
CALLOUT = {
    "plugin": "zuora",
    "attempt": 2,
    "method": "POST",
    "url": "https://rest.zuora.com/v1/orders",
    "status": 400,
    "duration_ms": 212.4,
    "error": None,
}
TIMELINE = [
    {"type": "OrderAccepted", "at": ORDER["created"], "order": ORDER_ID, "data": {}},
    {
        "type": "StepFailed",
        "at": ORDER["updated"],
        "order": ORDER_ID,
        "data": {
            "step": "zuora",
            "attempt": 2,
            "callouts": [CALLOUT],
            "failure": {"code": "card_declined", "message": "the card was declined"},
        },
    },
]
ANSWER = {"id": ORDER_ID, "status": "submitted", "token": f"o{ORDER_ID}"}


class Asked(ThreadingHTTPServer):
    """Answers by method and path, and keeps what was asked."""

    answers: dict[str, tuple[int, Any]]
    asked: list[tuple[str, Mapping[str, list[str]], Mapping[str, str], bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Asked

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = f"{self.command} {url.path}"
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((key, parse_qs(url.query), headers, body))
        status, document = self.server.answers.get(key, (404, problem("not_found")))
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name that the library calls

    def log_message(self, *_: Any) -> None:
        """Silent."""


def problem(code: str) -> dict[str, Any]:
    return {"code": code, "detail": f"it is {code}", "remedy": "do otherwise", "status": 404}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Asked]:
    server = Asked(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], {
        f"GET /api/orders/{ORDER_ID}": (200, ORDER),
        f"GET /api/orders/{ORDER_ID}/timeline": (200, {"items": TIMELINE, "next": None}),
        f"GET /api/orders/{ORDER_ID}/process-events": (200, {"items": []}),
        "GET /api/orders": (200, {"items": [ORDER], "next": None}),
        "POST /api/order": (202, ANSWER),
    }  # fmt: skip
    monkeypatch.setenv("WAYBILL_HTTP", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("WAYBILL_DATA", str(tmp_path / "data"))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def order_file(tmp_path: Path) -> str:
    path = tmp_path / "order.json"
    path.write_text('{"external_id": "SHOP-1"}')
    return str(path)


Captured = pytest.CaptureFixture[str]


class TestSubmit:
    def test_the_order_is_sent_unchanged_and_its_id_printed(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        assert main(["submit", order_file]) == 0
        [(key, _, _, body)] = api.asked
        assert (key, body) == ("POST /api/order", b'{"external_id": "SHOP-1"}')
        assert capsys.readouterr().out.startswith(ORDER_ID)

    def test_the_key_is_sent_as_bearer(
        self, api: Asked, order_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WAYBILL_API_KEY", "wb_1_2")
        main(["submit", order_file])
        assert api.asked[0][2]["authorization"] == "Bearer wb_1_2"

    def test_a_refusal_is_told_with_its_remedy_and_ends_with_1(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        api.answers["POST /api/order"] = (422, problem("unknown_order_type"))
        assert main(["submit", order_file]) == 1
        told = capsys.readouterr().err
        assert "unknown_order_type: it is unknown_order_type" in told
        assert "do otherwise" in told

    def test_waiting_reads_its_own_write_and_ends_with_1_for_a_failed_order(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        assert main(["submit", order_file, "--wait", "--json"]) == 1
        assert api.asked[1][1] == {"min_offset": [f"o{ORDER_ID}"]}
        assert json.loads(capsys.readouterr().out)["status"] == "failed"

    def test_waiting_ends_when_the_time_is_over(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        api.answers[f"GET /api/orders/{ORDER_ID}"] = (200, {**ORDER, "status": "waiting"})
        assert main(["submit", order_file, "--wait", "--timeout", "0"]) == 1
        assert "still_open" in capsys.readouterr().err

    def test_following_prints_each_event_as_a_line_of_json(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        assert main(["submit", order_file, "--follow", "--json"]) == 1
        printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [entry["type"] for entry in printed] == ["OrderAccepted", "StepFailed"]
        assert api.asked[0][0] == "POST /api/order"

    def test_an_answer_that_is_not_the_apis_is_told(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        api.answers["POST /api/order"] = (502, b"<html>Bad gateway</html>")
        assert main(["submit", order_file]) == 1
        assert "unexpected_answer" in capsys.readouterr().err


class TestPreview:
    PREVIEW: ClassVar = {
        "order_type": "change_offer",
        "effectiveDate": "2026-04-01",
        "currency": "GBP",
        "futureCharges": [
            {"date": "2026-04-01", "amount": "55.00", "description": "Qtr\x1b[2J", "step": "zuora"}
        ],
        "credits": [{"amount": "12.50", "step": "zuora"}],
        "warnings": ["moved to the end of the term"],
    }

    def test_charges_and_credits_are_a_table_with_warnings_below(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        api.answers["POST /api/order/preview"] = (200, self.PREVIEW)
        assert main(["preview", order_file]) == 0
        [(key, _, _, body)] = api.asked
        assert (key, body) == ("POST /api/order/preview", b'{"external_id": "SHOP-1"}')
        told = capsys.readouterr().out
        assert told.startswith("change_offer, effective 2026-04-01\n")
        for words in ("55.00 GBP", "12.50 GBP", "Qtr [2J", "warning: moved to the end"):
            assert words in told
        assert "\x1b" not in told

    def test_an_order_that_costs_nothing_says_so(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        free = {**self.PREVIEW, "futureCharges": [], "credits": [], "warnings": []}
        api.answers["POST /api/order/preview"] = (200, free)
        assert main(["preview", order_file]) == 0
        assert "Nothing is charged" in capsys.readouterr().out

    def test_an_order_that_would_fail_ends_with_1(
        self, api: Asked, order_file: str, capsys: Captured
    ) -> None:
        api.answers["POST /api/order/preview"] = (422, problem("preview_refused"))
        assert main(["preview", order_file, "--json"]) == 1
        assert json.loads(capsys.readouterr().err)["code"] == "preview_refused"


class TestOrder:
    def test_steps_show_durations_attempts_callouts_and_errors(
        self, api: Asked, capsys: Captured
    ) -> None:
        assert main(["order", ORDER_ID]) == 0
        told = capsys.readouterr().out
        assert api.asked[0][0].endswith(ORDER_ID)
        for words in (
            "✓ salesforceV3",
            "12 ms",
            "✗ zuora",
            "3.4 s   2 attempts",
            "POST  400    212 ms  https://rest.zuora.com/v1/orders",
            "card_declined: the card was declined",
            "next: needs a person",
        ):
            assert words in told

    def test_piped_output_has_no_colour_and_nothing_a_terminal_obeys(
        self, api: Asked, capsys: Captured
    ) -> None:
        assert api.answers
        main(["order", ORDER_ID])
        assert "\x1b" not in capsys.readouterr().out

    def test_json_is_one_document_with_timeline_and_process_events(
        self, api: Asked, capsys: Captured
    ) -> None:
        assert api.answers
        assert main(["order", ORDER_ID, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["timeline"], told["process_events"]) == (TIMELINE, {"items": []})

    def test_an_external_id_finds_its_order(self, api: Asked) -> None:
        assert main(["order", "SHOP-1"]) == 0
        assert api.asked[0][1]["external_id"] == ["SHOP-1"]

    def test_several_orders_of_one_name_are_refused(self, api: Asked, capsys: Captured) -> None:
        api.answers["GET /api/orders"] = (200, {"items": [ORDER, ORDER], "next": None})
        assert main(["order", "SHOP-1"]) == 1
        assert "ambiguous" in capsys.readouterr().err

    def test_an_unknown_order_is_told(self, api: Asked, capsys: Captured) -> None:
        api.answers["GET /api/orders"] = (200, {"items": [], "next": None})
        assert main(["order", "SHOP-2", "--json"]) == 1
        assert json.loads(capsys.readouterr().err)["code"] == "not_found"

    def test_who_may_not_operate_sees_the_steps_all_the_same(
        self, api: Asked, capsys: Captured
    ) -> None:
        hidden = {"step": "zuora", "callouts": None, "failure": {"code": "x", "buyer_message": "b"}}
        masked = [{**TIMELINE[1], "data": hidden}]
        api.answers[f"GET /api/orders/{ORDER_ID}/timeline"] = (200, {"items": masked})
        assert main(["order", ORDER_ID]) == 0
        assert "x: b" in capsys.readouterr().out


class TestOrders:
    def test_filters_are_the_apis(self, api: Asked, capsys: Captured) -> None:
        main(["orders", "--status", "failed", "--from", "2026-01-01T00:00:00Z", "--search", "x"])
        asked = {"status": ["failed"], "from": ["2026-01-01T00:00:00Z"], "q": ["x"]}
        assert api.asked[0][1] == {**asked, "limit": ["50"]}
        assert ORDER_ID in capsys.readouterr().out

    def test_pages_are_read_up_to_the_limit(self, api: Asked, capsys: Captured) -> None:
        api.answers["GET /api/orders"] = (200, {"items": [ORDER] * 2, "next": "c"})
        assert main(["orders", "--limit", "5", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["items"]) == 5
        assert [query.get("cursor") for _, query, _, _ in api.asked] == [None, ["c"], ["c"]]

    def test_following_prints_events_and_goes_on_where_the_connection_broke(
        self, api: Asked, capsys: Captured
    ) -> None:
        entry = json.dumps(TIMELINE[1]).encode()
        api.answers["GET /api/events"] = (200, b"id: 0:1\n\nid: 0:2\ndata: " + entry + b"\n\n")
        # The second connection is refused, which ends the command.
        thread = Thread(target=_refuse_second, args=(api,), daemon=True)
        thread.start()
        assert main(["orders", "--follow", "--json"]) == 1
        told = capsys.readouterr()
        assert json.loads(told.out.splitlines()[0])["type"] == "StepFailed"
        assert api.asked[-1][2]["last-event-id"] == "0:2"


def _refuse_second(api: Asked) -> None:
    while not api.asked:
        time.sleep(0.01)
    time.sleep(0.1)
    api.answers["GET /api/events"] = (401, problem("unauthenticated"))


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ("2026-03-01T10:00:00.004+00:00", "4 ms"),
        ("2026-03-01T10:00:03.400+00:00", "3.4 s"),
        ("2026-03-01T10:02:05+00:00", "2 min 5 s"),
        (None, ""),
    ],
)
def test_durations_are_written_for_people(ended: str | None, words: str) -> None:
    assert duration("2026-03-01T10:00:00+00:00", ended) == words
