"""Zuora as the connectors see it: tokens, envelopes, keys, orders, accounts and look-ups."""

import re
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Any
from uuid import uuid4

import orjson

from waybill.sandbox.exchange import Answer, Call, Route, answer
from waybill.sandbox.keys import KeyBook
from waybill.sandbox.rules import Found, Rule
from waybill.sandbox.zuora_bodies import account_body, order_body
from waybill.sandbox.zuora_catalog import Catalog, Record
from waybill.sandbox.zuora_ledger import Ledger, Refusal

TOKEN_SECONDS = 3599
CLIENT_ID_LENGTH = 36
LONGEST_SECRET = 42
LONGEST_KEY = 255
LONGEST_TRACK_ID = 64
# An error code is a resource followed by a category of two digits.
READS = 500000
ORDERS = 531003
ACCOUNTS = 511003
UNAUTHENTICATED = 90000011
_CATEGORIES = {404: 40, 405: 45, 409: 50, 422: 20, 429: 70}
_FILTERABLE = {"id": "id", "name": "name", "productid": "productId"}
_FILTER = re.compile(r"(id|name|productid)\.(?:EQ:(.+)|IN:\[(.+)\])")


class Zuora:
    """The partner `zuora`."""

    name = "zuora"

    def __init__(self, now: Callable[[], float]) -> None:
        self.keys: KeyBook[Answer] | None = KeyBook(now)
        self._now = now
        self._tokens: dict[str, float] = {}
        self._catalog = Catalog()
        self._ledger = Ledger(self._catalog)

    def routes(self) -> list[Route]:
        """The part of Zuora's surface that the connectors use."""
        return [
            Route("POST", "/oauth/token", _tracked(self.token)),
            Route("POST", "/v1/orders", _tracked(self.create_order)),
            Route("GET", "/v1/orders/{number}", _tracked(self.order)),
            Route("GET", "/v1/orders/subscription/{number}", _tracked(self.orders_of)),
            Route("POST", "/v1/accounts", _tracked(self.create_account)),
            Route("GET", "/v1/accounts/{key}", _tracked(self.account)),
            Route("GET", "/v1/accounts/{key}/payment-methods", _tracked(self.payment_methods)),
            Route("GET", "/v1/subscriptions/{number}", _tracked(self.subscription)),
            Route("GET", "/v1/catalog/products", _tracked(self.products)),
            Route("GET", "/object-query/product-rate-plans", _tracked(self.rate_plans)),
        ]

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
        return _stamped(refused, call) if refused else None

    def _refusal(self, call: Call) -> Answer | None:
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) <= self._now():
            return self.failing(401)
        if call.raw and "json" not in call.headers.get("Content-Type", ""):
            return _failure(415, [(READS * 100 + 90, "Send application/json.")])
        if call.malformed:
            return _failure(400, [(READS * 100 + 90, "The body is not valid JSON.")])
        complaint = _header_complaint(call)
        return _failure(400, [(READS * 100 + 23, complaint)]) if complaint else None

    def failing(self, status: int) -> Answer:
        """Zuora's envelope for an HTTP error; 502 to 504 come from a gateway before it."""
        match status:
            case 401:
                message = "The access token is missing or expired."
                return _failure(401, [(UNAUTHENTICATED, message)])
            case 429:
                reasons = [{"code": 70, "message": "Too many requests."}]
                return answer(429, {"reasons": reasons}, Retry_After="1", RateLimit_Reset="1")
            case 500:
                reasons = [{"code": READS * 100 + 60, "message": "An unexpected error occurred."}]
                return answer(500, {"reasons": reasons})
            case 502 | 503 | 504:
                return Answer(status, b"<html>Bad gateway</html>", content_type="text/html")
            case _:
                code = READS * 100 + _CATEGORIES.get(status, 20)
                return _failure(status, [(code, f"Zuora answers {status}.")])

    def token(self, call: Call) -> Answer:
        """Client credentials; the shape of id and secret is checked, not their value."""
        form = call.body if call.form else {}
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        fits = len(client) == CLIENT_ID_LENGTH and 0 < len(secret) <= LONGEST_SECRET
        if not fits or form.get("grant_type") != "client_credentials":
            return _failure(401, [(UNAUTHENTICATED, "The client id or secret is not valid.")])
        token = token_hex(16)
        self._tokens[token] = self._now() + TOKEN_SECONDS
        document = {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
        return answer(200, {**document, "jti": token, "scope": "tenant.19"})

    def create_order(self, call: Call) -> Answer:
        """`POST /v1/orders`: all of it is booked, or nothing."""
        wrong = _checked(ORDERS, order_body, call.body)
        wrong = wrong or _objections(ORDERS, self._ledger.objections_to_order, call.body)
        if wrong:
            return _failure(200, wrong)
        order = self._ledger.book(call.body, call.raw)
        document = {
            "success": True,
            "orderNumber": order["orderNumber"],
            "accountNumber": order["accountNumber"],
            "status": order["status"],
            "subscriptions": [
                {"subscriptionNumber": found["subscriptionNumber"], "status": found["status"]}
                for found in order["subscriptions"]
            ],
            "invoiceNumbers": [order["invoice"]] if order["invoice"] else [],
            "creditMemoNumbers": [],
        }
        if order["payment"]:
            document["paymentNumber"] = order["payment"]
            document["paidAmount"] = f"{order['paid']:.2f}"
        return answer(200, document, order["orderNumber"])

    def create_account(self, call: Call) -> Answer:
        """`POST /v1/accounts`."""
        wrong = _checked(ACCOUNTS, account_body, call.body)
        wrong = wrong or _objections(ACCOUNTS, self._ledger.objections_to_account, call.body)
        if wrong:
            return _failure(200, wrong)
        account = self._ledger.open_account(call.body)
        document = {
            "success": True,
            "accountId": account["id"],
            "accountNumber": account["accountNumber"],
            "billToContactId": f"b{account['id'][1:]}",
            "soldToContactId": f"c{account['id'][1:]}",
            "paymentMethodId": account["paymentMethodId"],
        }
        return answer(200, document, account["accountNumber"])

    def order(self, call: Call) -> Answer:
        """`GET /v1/orders/{number}`."""
        order = self._ledger.orders.get(call.params["number"])
        if order is None:
            return _not_found(404, call.params["number"])
        return answer(200, {"success": True, "order": _listed_order(order)})

    def orders_of(self, call: Call) -> Answer:
        """`GET /v1/orders/subscription/{number}`."""
        number = call.params["number"]
        if number not in self._ledger.subscriptions:
            return _not_found(404, number)
        orders = [_listed_order(order) for order in self._ledger.orders_of(number)]
        return answer(200, {"success": True, "orders": orders})

    def subscription(self, call: Call) -> Answer:
        """`GET /v1/subscriptions/{number}`; an unknown one is told with HTTP 200."""
        found = self._ledger.subscriptions.get(call.params["number"])
        if found is None:
            return _not_found(200, call.params["number"])
        shown = {key: value for key, value in found.items() if key not in {"customFields", "price"}}
        return answer(200, {"success": True, **shown, **found["customFields"]})

    def account(self, call: Call) -> Answer:
        """`GET /v1/accounts/{key}`; an unknown one is told with HTTP 200."""
        account = self._ledger.account(call.params["key"])
        if account is None:
            return _not_found(200, call.params["key"])
        body = account["body"]
        custom = {key: value for key, value in body.items() if key.endswith("__c")}
        basic = {
            "id": account["id"],
            "accountNumber": account["accountNumber"],
            "name": body["name"],
            "crmId": body.get("crmId"),
            "status": "Active",
            **custom,
            **body.get("customFields", {}),
        }
        billing = {
            "currency": body["currency"],
            "autoPay": body.get("autoPay", False),
            "billCycleDay": body.get("billCycleDay", 0),
            "defaultPaymentMethodId": account["paymentMethodId"],
        }
        contacts = {
            "billToContact": body["billToContact"],
            "soldToContact": body.get("soldToContact", body["billToContact"]),
        }
        document = {"success": True, "basicInfo": basic, "billingAndPayment": billing, **contacts}
        return answer(200, document)

    def payment_methods(self, call: Call) -> Answer:
        """`GET /v1/accounts/{key}/payment-methods`."""
        account = self._ledger.account(call.params["key"])
        if account is None:
            return _not_found(200, call.params["key"])
        method = account["paymentMethodId"]
        cards = [{"id": method, "type": "CreditCard", "status": "Active", "isDefault": True}]
        document = {"success": True, "defaultPaymentMethodId": method}
        return answer(200, {**document, "creditcard": cards if method else []})

    def products(self, call: Call) -> Answer:
        """`GET /v1/catalog/products`, on one page."""
        del call
        return answer(200, {"success": True, "products": self._catalog.products()})

    def rate_plans(self, call: Call) -> Answer:
        """`GET /object-query/product-rate-plans`; asking by name makes what is missing."""
        wanted: dict[str, list[str]] = {}
        for given in call.query.getall("filter[]", []) if call.query else []:
            found = _FILTER.fullmatch(given)
            if found is None:
                message = f"The filter '{given}' is not supported; use name.EQ:a or name.IN:[a,b]"
                reasons = [{"code": READS * 100 + 23, "message": message}]
                return answer(400, {"reasons": reasons, "requestId": str(uuid4())})
            field, one, several = found.groups()
            wanted[field] = several.split(",") if several is not None else [one]
        for name in wanted.get("name", []):
            self._catalog.plan_named(name)
        expand = call.query.getall("expand[]", []) if call.query else []
        expanded = "productrateplancharges" in expand
        plans = [plan for plan in self._catalog.plans() if _fits(plan, wanted)]
        return answer(200, {"data": [_queried(plan, expanded=expanded) for plan in plans]})


def _fits(plan: Record, wanted: dict[str, list[str]]) -> bool:
    return all(plan[_FILTERABLE[name]] in values for name, values in wanted.items())


def _queried(plan: Record, *, expanded: bool) -> Record:
    """As Object Query shows it: charges only when expanded, and with other names."""
    shown = {"id": plan["id"], "name": plan["name"], "productId": plan["productId"]}
    if expanded:
        shown["productRatePlanCharges"] = [
            {
                "id": charge["id"],
                "name": charge["name"],
                "chargeType": charge["type"],
                "chargeModel": "Flat Fee Pricing",
            }
            for charge in plan["productRatePlanCharges"]
        ]
    return shown


def _checked(resource: int, rule: Rule, body: Any) -> list[tuple[int, str]]:
    found: Found = []
    rule(body, "", found)
    return [(resource * 100 + violation.kind, violation.message) for violation in found]


def _objections(
    resource: int, rules: Callable[[Record], Iterable[Refusal]], body: Record
) -> list[tuple[int, str]]:
    return [(resource * 100 + refusal.category, refusal.message) for refusal in rules(body)]


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


def _failure(status: int, reasons: list[tuple[int, str]]) -> Answer:
    document = {
        "success": False,
        "processId": token_hex(8).upper(),
        "requestId": str(uuid4()),
        "reasons": [{"code": code, "message": message} for code, message in reasons],
    }
    return answer(status, document)


def _not_found(status: int, key: str) -> Answer:
    """Tenants differ on the status, so the sandbox uses both; the category is always 40."""
    return _failure(status, [(READS * 100 + 40, f"Cannot find entity by key: '{key}'.")])


def _listed_order(order: Record) -> Record:
    body = orjson.loads(order["raw"])
    return {
        "orderNumber": order["orderNumber"],
        "orderDate": body["orderDate"],
        "existingAccountNumber": order["accountNumber"],
        "status": order["status"],
        "customFields": body.get("customFields", {}),
        "subscriptions": [
            {
                "subscriptionNumber": found["subscriptionNumber"],
                "status": found["status"],
                "customFields": found["customFields"],
                "orderActions": entry["orderActions"],
            }
            for found, entry in zip(
                order["subscriptions"], body.get("subscriptions", []), strict=True
            )
        ],
        "invoiceNumbers": [order["invoice"]] if order["invoice"] else [],
    }


def _tracked(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """Give every answer Zuora's request id and the caller's track id."""

    def tracked(call: Call) -> Answer:
        return _stamped(handler(call), call)

    return tracked


def _stamped(given: Answer, call: Call) -> Answer:
    headers = {**given.headers, "Zuora-Request-Id": str(uuid4())}
    track = call.headers.get("Zuora-Track-Id")
    if track is not None and track.isprintable() and track.isascii():
        headers["Zuora-Track-Id"] = track
    return Answer(given.status, given.body, given.effect, headers, given.content_type)
