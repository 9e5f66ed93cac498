"""The partner `zuora`: its front door, its tokens, and the desks behind them."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from secrets import token_hex

from waybill.sandbox.exchange import Advance, Answer, Call, Route, answer
from waybill.sandbox.keys import KeyBook
from waybill.sandbox.zuora.catalog import Catalog
from waybill.sandbox.zuora.envelope import (
    CATEGORIES,
    READS,
    Desk,
    failure,
    stamped,
    success,
    tracked,
)
from waybill.sandbox.zuora.money_desks import MoneyDesks
from waybill.sandbox.zuora.money_reads import MoneyReads
from waybill.sandbox.zuora.order_desks import OrderDesks
from waybill.sandbox.zuora.passing import advance
from waybill.sandbox.zuora.people_desks import PeopleDesks
from waybill.sandbox.zuora.queries import Queries
from waybill.sandbox.zuora.state import Books, Record
from waybill.sandbox.zuora.statement import statement

TOKEN_SECONDS = 3599
CLIENT_ID_LENGTH = 36
LONGEST_SECRET = 42
LONGEST_KEY = 255
LONGEST_TRACK_ID = 64
UNAUTHENTICATED = 90000011
RATE_LIMITED, CONCURRENCY_LIMITED = 70, 50000070
CONCURRENCY_SECONDS = 120
_CATEGORIES = {404: 40, 405: 45, 409: 50, 422: 20}


class Zuora:
    """A tenant of Zuora, empty at first."""

    name = "zuora"

    def __init__(self, now: Callable[[], float]) -> None:
        self.keys: KeyBook[Answer] | None = KeyBook(now)
        self._now = now
        self._tokens: dict[str, float] = {}
        self._catalog = Catalog()
        self._books = Books()

    def routes(self) -> list[Route]:
        """The part of Zuora's surface that the connectors use."""
        return [
            Route("POST", "/oauth/token", tracked(self.token)),
            *(desk.route() for desk in self._desks()),
        ]

    def _desks(self) -> Sequence[Desk]:
        books, catalog = self._books, self._catalog
        return [
            *OrderDesks(books, catalog).desks(),
            *PeopleDesks(books).desks(),
            *MoneyDesks(books, catalog, self._today).desks(),
            *MoneyReads(books).desks(),
            *Queries(books, catalog).desks(),
            Desk("GET", "/v1/catalog/products", self.products),
        ]

    def _today(self) -> date:
        """The day that time was moved to, else the clock's."""
        if self._books.day != date.min:
            return self._books.day
        return datetime.fromtimestamp(self._now(), UTC).date()

    def state(self) -> Record:
        """Everything that the tenant keeps."""
        return statement(self._books, self._catalog)

    def advance(self, wanted: Advance) -> Record:
        """Move the tenant's day on; what is closed then takes no order and no memo any more."""
        if wanted.closed_through is not None:
            self._books.closed_through = wanted.closed_through
        bills = advance(self._books, self._catalog, wanted.to)
        return {"day": self._books.day.isoformat(), "bills": bills}

    def key_of(self, call: Call) -> str | None:
        """The Idempotency-Key."""
        return call.headers.get("Idempotency-Key")

    def honours(self, call: Call) -> bool:
        """Keys count on POST and PATCH of the API, not on the token."""
        return call.method in {"POST", "PATCH"} and not call.path.startswith("/oauth/")

    def refuse(self, call: Call) -> Answer | None:
        """What is refused before any key is looked at."""
        if call.path.startswith("/oauth/"):
            return None
        refused = self._refusal(call)
        return stamped(refused, call) if refused else None

    def _refusal(self, call: Call) -> Answer | None:
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) <= self._now():
            return self.failing(401)
        if call.raw and "json" not in call.headers.get("Content-Type", ""):
            return failure(415, [(READS * CATEGORIES + 90, "Send application/json.")])
        if call.malformed:
            return failure(400, [(READS * CATEGORIES + 90, "The body is not valid JSON.")])
        complaint = _header_complaint(call)
        return failure(400, [(READS * CATEGORIES + 23, complaint)]) if complaint else None

    def failing(self, status: int) -> Answer:
        """Zuora's envelope for an HTTP error; 502 to 504 come from a gateway before it."""
        match status:
            case 401:
                message = "The access token is missing or expired."
                return failure(401, [(UNAUTHENTICATED, message)])
            case 429:
                return _refusal_with(str(RATE_LIMITED), "Too many requests.")
            case 500:
                reasons = [{"code": READS * 100 + 60, "message": "An unexpected error occurred."}]
                return answer(500, {"reasons": reasons})
            case 502 | 503 | 504:
                return Answer(status, b"<html>Bad gateway</html>", content_type="text/html")
            case _:
                code = READS * CATEGORIES + _CATEGORIES.get(status, 20)
                return failure(status, [(code, f"Zuora answers {status}.")])

    def refusing(self, call: Call, code: str, message: str | None) -> Answer:
        """The refusal with that code, in the envelope that goes with it."""
        return stamped(_refusal_with(code, message), call)

    def token(self, call: Call) -> Answer:
        """Client credentials; the shape of id and secret is checked, not their value."""
        form = call.body if call.form else {}
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        fits = len(client) == CLIENT_ID_LENGTH and 0 < len(secret) <= LONGEST_SECRET
        if not fits or form.get("grant_type") != "client_credentials":
            return failure(401, [(UNAUTHENTICATED, "The client id or secret is not valid.")])
        token = token_hex(16)
        self._tokens[token] = self._now() + TOKEN_SECONDS
        document = {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
        return answer(200, {**document, "jti": token, "scope": "tenant.19"})

    def products(self, call: Call) -> Answer:
        """`GET /v1/catalog/products`, on one page."""
        del call
        return success(products=self._catalog.products())


def _refusal_with(code: str, message: str | None) -> Answer:
    number = int(code) if code.isdecimal() else code
    reasons = [(number, message or f"Zuora refuses with {code}.")]
    limits = {RATE_LIMITED: 1, CONCURRENCY_LIMITED: CONCURRENCY_SECONDS}
    if isinstance(number, int) and number in limits:
        wait = str(limits[number])
        document = {"reasons": [{"code": number, "message": reasons[0][1]}]}
        return answer(429, document, Retry_After=wait, RateLimit_Reset=wait)
    return failure(401 if number == UNAUTHENTICATED else 200, reasons)


def _header_complaint(call: Call) -> str | None:
    key = call.headers.get("Idempotency-Key")
    if key is not None and call.method == "PUT":
        return "Idempotency-Key is not supported on PUT."
    if key is not None and len(key) > LONGEST_KEY:
        return "Idempotency-Key must have at most 255 characters."
    track = call.headers.get("Zuora-Track-Id", "")
    if len(track) > LONGEST_TRACK_ID or not track.isascii() or any(c in ":;\"'" for c in track):
        return "Zuora-Track-Id takes at most 64 ASCII characters without : ; \" and '."
    return None
