"""Receives webhooks, verified and each once: receive_webhooks.py PORT SECRET [OLD_SECRET]."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SEEN: set[str] = set()  # yours outlives the process: a unique column beside what you store


def receive(secrets: list[str], headers: dict[str, str], body: bytes) -> int:
    """Deals with one delivery; the status to answer with. All but 2xx comes again."""
    if not is_genuine(secrets, headers, body):
        return 401
    if headers["webhook-id"] not in SEEN:
        SEEN.add(headers["webhook-id"])
        print(headers["waybill-event-type"], json.loads(body).get("data", {}), flush=True)
    return 204


def is_genuine(secrets: list[str], headers: dict[str, str], body: bytes) -> bool:
    """Whether one of the secrets signed it, within five minutes of now."""
    for secret in secrets:
        try:
            Webhook(secret).verify(body, headers)
        except (WebhookVerificationError, ValueError):
            continue
        return True
    return False


class Receiver(BaseHTTPRequestHandler):
    """The server around it."""

    secrets: list[str]

    def do_POST(self) -> None:
        """One delivery."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(receive(self.secrets, headers, body))
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    port, *Receiver.secrets = sys.argv[1:]
    ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()
