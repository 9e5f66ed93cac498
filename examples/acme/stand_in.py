"""Acme on this machine: opens accounts, and answers a repeated key as it did the first time."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

PORT = 8491


class Acme(BaseHTTPRequestHandler):
    """Accounts in memory: by the key they were opened with, and by their reference."""

    by_key: ClassVar[dict[str, dict[str, str]]] = {}
    by_reference: ClassVar[dict[str, dict[str, str]]] = {}

    def do_POST(self) -> None:
        """`POST /accounts`."""
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        account = self.by_key.get(key) or {**wanted, "number": f"A-{len(self.by_key) + 1}"}
        self.by_key[key] = self.by_reference[account["reference"]] = account
        print(f"{account['number']} for {account['reference']} under {key}", flush=True)
        self._answer(201, account)

    def do_GET(self) -> None:
        """`GET /accounts?reference=...`."""
        reference = parse_qs(urlsplit(self.path).query).get("reference", [""])[0]
        account = self.by_reference.get(reference)
        self._answer(200 if account else 404, account or {"error": "no such account"})

    def _answer(self, status: int, body: dict[str, str]) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        """The line printed in `do_POST` says more."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    print(f"Acme listens at http://127.0.0.1:{port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Acme).serve_forever()
