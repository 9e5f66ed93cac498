"""Stripe as the connector sees it: forms, keys that know their body, customers to invoices."""

import re
from collections.abc import Callable
from hashlib import blake2b
from urllib.parse import unquote

from waybill.sandbox.exchange import Advance, Answer, Call, Handler, Route, answer
from waybill.sandbox.keys import KeyBook
from waybill.sandbox.stripe_forms import FORMS, misfits, nested
from waybill.sandbox.stripe_ledger import Ledger, Record, RefusedError

_KEY = re.compile(r"Bearer (sk|rk)_\w+")
_SEARCH = re.compile(r'metadata\["(\w+)"\]:"((?:[^"\\]|\\.)*)"')
_TYPES = {401: "invalid_request_error", 409: "idempotency_error", 429: "invalid_request_error"}
_CODES = {404: "resource_missing", 409: "idempotency_key_in_use", 429: "rate_limit"}
_DECLINES = frozenset({"card_declined", "expired_card", "incorrect_cvc", "processing_error"})
_MOST_LISTED = 100
_ELSEWHERE = 422


class Stripe:
    """The partner `stripe`. Any secret key is taken; a key's second use must have the same body."""

    name = "stripe"

    def __init__(self, now: Callable[[], float]) -> None:
        self.keys: KeyBook[Answer] | None = KeyBook(now)
        self._bodies: dict[str, str] = {}
        self._ledger = Ledger(now)

    def routes(self) -> list[Route]:
        """The part of Stripe's surface that the connector uses."""
        ledger, one = self._ledger, "/v1/subscriptions/{id}"
        return [
            Route("POST", "/v1/customers", self._writing("customer", ledger.create_customer)),
            Route("GET", "/v1/customers", self.customers),
            Route("GET", "/v1/customers/{id}", self._reading("customer")),
            Route("POST", "/v1/customers/{id}", self._writing("customer", ledger.update_customer)),
            Route("POST", "/v1/prices", self._writing("price", ledger.create_price)),
            Route("GET", "/v1/prices", self.prices),
            Route(
                "POST", "/v1/payment_methods/{id}/attach", self._writing("attach", ledger.attach)
            ),
            Route(
                "POST",
                "/v1/subscriptions",
                self._writing("subscription", ledger.create_subscription),
            ),
            Route("GET", "/v1/subscriptions", self.subscriptions),
            Route("GET", "/v1/subscriptions/search", self.search),
            Route("GET", one, self._reading("subscription")),
            Route("POST", one, self._writing("change", ledger.change_subscription)),
            Route("DELETE", one, self._writing("end", ledger.end_subscription)),
            Route("GET", "/v1/invoices/{id}", self._reading("invoice")),
            Route("POST", "/v1/invoices/{id}/attach_payment", self._writing("payment", ledger.pay)),
        ]

    def key_of(self, call: Call) -> str | None:
        """The Idempotency-Key."""
        return call.headers.get("Idempotency-Key")

    def honours(self, call: Call) -> bool:
        """Stripe takes keys on POST and ignores them elsewhere."""
        return call.method == "POST"

    def refuse(self, call: Call) -> Answer | None:
        """What is refused before any key is looked at."""
        if not _KEY.fullmatch(call.headers.get("Authorization", "")):
            return self.failing(401)
        if call.raw and not call.form:
            return _error(400, "Send the parameters as a form.", code="parameter_unknown")
        key = self.key_of(call)
        if key is None or not self.honours(call):
            return None
        digest = blake2b(call.raw, digest_size=16).hexdigest()
        if self._bodies.setdefault(key, digest) != digest:
            return self.failing(_ELSEWHERE)
        return None

    def failing(self, status: int) -> Answer:
        """Stripe's error object; a gateway's page for 502 to 504."""
        if status in {502, 503, 504}:
            return Answer(status, b"<html>Bad gateway</html>", content_type="text/html")
        if status == _ELSEWHERE:
            message = "Keys for idempotent requests can only be used with the same parameters."
            return _error(400, message, kind="idempotency_error")
        kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")  # noqa: PLR2004
        return _error(status, f"Stripe answers {status}.", code=_CODES.get(status), kind=kind)

    def state(self) -> Record:
        """All that there is, by id."""
        return self._ledger.state()

    def refusing(self, call: Call, code: str, message: str | None) -> Answer:
        """The error with that code; what the bank declines is a 402."""
        del call
        said = message or f"Stripe refuses with {code}."
        declined = code in _DECLINES
        kind = "card_error" if declined else "invalid_request_error"
        return _error(402 if declined else 400, said, code=code, kind=kind)

    def advance(self, wanted: Advance) -> Record:
        """What the passing of the clock's time brings: ends and renewals."""
        del wanted
        self._ledger.advance()
        return {}

    def customers(self, call: Call) -> Answer:
        """Those with exactly that e-mail address, newest first."""
        wanted = call.query.get("email")
        found = self._ledger.all("customer")
        return _listed([one for one in found if wanted in (None, one.get("email"))], call)

    def prices(self, call: Call) -> Answer:
        """Active prices with one of the lookup keys."""
        asked = nested(dict(call.query)).get("lookup_keys", [])
        found = self._ledger.all("price")
        return _listed([one for one in found if not asked or one.get("lookup_key") in asked], call)

    def subscriptions(self, call: Call) -> Answer:
        """Of one customer; canceled ones only where `status` asks for them."""
        customer, status = call.query.get("customer"), call.query.get("status")
        found = [
            one
            for one in self._ledger.all("subscription")
            if customer in (None, one["customer"])
            and (
                status == "all" or one["status"] == status
                if status
                else one["status"] != "canceled"
            )
        ]
        return _listed([self._ledger.shown(one, call.query) for one in found], call)

    def search(self, call: Call) -> Answer:
        """By one value of the metadata."""
        query = _SEARCH.fullmatch(call.query.get("query", ""))
        if query is None:
            return _error(400, 'The sandbox searches for metadata["name"]:"value".')
        name, value = query[1], re.sub(r"\\(.)", r"\1", query[2])
        found = self._ledger.all("subscription")
        return _listed([one for one in found if one["metadata"].get(name) == value], call)

    def _reading(self, kind: str) -> Handler:
        def read(call: Call) -> Answer:
            return _said(lambda: (self._ledger.get(kind, _id(call)), None))

        return read

    def _writing(
        self, form: str, write: Callable[[str, Record], tuple[Record, str | None]]
    ) -> Handler:
        def run(call: Call) -> Answer:
            body = nested(call.body or {})
            unknown = misfits(FORMS[form], body)
            if unknown:
                message = f"Received unknown parameter: {unknown[0]}"
                return _error(400, message, code="parameter_unknown")
            return _said(lambda: write(_id(call), body))

        return run


def _id(call: Call) -> str:
    return unquote(call.params.get("id", ""))


def _said(work: Callable[[], tuple[Record, str | None]]) -> Answer:
    try:
        document, effect = work()
    except RefusedError as refused:
        return _error(refused.status, str(refused), refused.code, refused.kind, refused.more)
    return answer(200, document, effect)


def _listed(found: list[Record], call: Call) -> Answer:
    limit = call.query.get("limit", "10")
    if not limit.isdecimal() or not 0 < int(limit) <= _MOST_LISTED:
        return _error(400, "limit is between 1 and 100", code="parameter_invalid_integer")
    rest = len(found) > int(limit)
    document = {"object": "list", "data": found[: int(limit)], "has_more": rest, "url": call.path}
    return answer(200, document)


def _error(
    status: int,
    message: str,
    code: str | None = None,
    kind: str = "invalid_request_error",
    more: Record | None = None,
) -> Answer:
    said = {"type": kind, "message": message, **({"code": code} if code else {}), **(more or {})}
    return answer(status, {"error": said})
