"""What Stripe keeps: customers, prices, subscriptions and invoices, with the rules among them."""

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]

_PREFIXES = {
    "customer": "cus",
    "price": "price",
    "product": "prod",
    "subscription": "sub",
    "invoice": "in",
}
_INTERVALS = {"day": 1, "week": 7}
_LONGEST_LOOKUP_KEY = 200
_DETAILS = ("name", "email", "phone", "address", "shipping")
_DECLINED = "declined"
"""A payment method with this in its id is turned down by its bank."""


class RefusedError(Exception):
    """A request that Stripe turns down."""

    def __init__(
        self, message: str, code: str | None = None, status: int = 400, **more: Any
    ) -> None:
        super().__init__(message)
        self.code, self.status, self.more = code, status, more
        self.kind = "card_error" if status == 402 else "invalid_request_error"  # noqa: PLR2004


class Ledger:
    """All records by kind and id. `now` is in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._records: dict[str, dict[str, Record]] = {kind: {} for kind in _PREFIXES}
        self._methods: dict[str, str] = {}
        self._intents: dict[str, str] = {}

    def all(self, kind: str) -> list[Record]:
        """Newest first, as Stripe lists."""
        return list(reversed(self._records[kind].values()))

    def get(self, kind: str, key: str) -> Record:
        """One of them, else 404."""
        found = self._records[kind].get(key)
        if found is None:
            raise RefusedError(f"No such {kind}: '{key}'", "resource_missing", 404)
        return found

    def state(self) -> Record:
        """Records as lists, oldest first."""
        lists = {f"{kind}s": list(records.values()) for kind, records in self._records.items()}
        attached = [{"id": key, "customer": to} for key, to in self._methods.items()]
        return {**lists, "payment_methods": attached}

    def shown(self, subscription: Record, query: Mapping[str, str]) -> Record:
        """With the latest invoice where `expand` asks for it."""
        wanted = "latest_invoice" in " ".join(str(value) for value in query.values())
        invoice = subscription["latest_invoice"]
        if not wanted or invoice is None:
            return subscription
        return {**subscription, "latest_invoice": self.get("invoice", invoice)}

    def create_customer(self, _: str, body: Record) -> tuple[Record, str]:
        """A new customer, whatever others there are."""
        made = self._made("customer", {**_customer({}, body), "created": int(self._now())})
        return made, made["id"]

    def update_customer(self, key: str, body: Record) -> tuple[Record, str | None]:
        """What is named is set."""
        before = self.get("customer", key)
        after = _customer(before, body)
        self._records["customer"][key] = after
        return after, key if after != before else None

    def create_price(self, _: str, body: Record) -> tuple[Record, str]:
        """A lookup key belongs to one active price."""
        key = body.get("lookup_key")
        for price in self._records["price"].values():
            if key is not None and price["lookup_key"] == key:
                raise RefusedError(f"A price (`{price['id']}`) already uses that lookup key.")
        if key is not None and len(key) > _LONGEST_LOOKUP_KEY:
            raise RefusedError("lookup_key is too long", "parameter_invalid_string")
        product = self._made("product", {"name": _required(body, "product_data", "name")})
        recurring = body.get("recurring")
        if recurring is not None:
            recurring = {
                "interval": _one_of(recurring, "interval", ("day", "week", "month", "year")),
                "interval_count": _number(recurring, "interval_count", 1),
            }
        price = {
            "active": True,
            "currency": _required(body, "currency"),
            "unit_amount": _number(body, "unit_amount"),
            "lookup_key": key,
            "product": product["id"],
            "recurring": recurring,
            "type": "recurring" if recurring else "one_time",
        }
        made = self._made("price", price)
        return made, made["id"]

    def attach(self, method: str, body: Record) -> tuple[Record, str | None]:
        """A method belongs to one customer for ever."""
        customer = self.get("customer", _required(body, "customer"))["id"]
        before = self._methods.get(method)
        if before not in (None, customer):
            raise RefusedError("The payment method is attached to another customer.")
        self._methods[method] = customer
        effect = method if before is None else None
        return {"id": method, "object": "payment_method", "customer": customer}, effect

    def create_subscription(self, _: str, body: Record) -> tuple[Record, str]:
        """The first period is billed at once, unless a trial comes first."""
        customer = self.get("customer", _required(body, "customer"))
        entries = self._entries(body.get("items") or [], "recurring")
        if len({str(price["recurring"]) for price, _ in entries}) != 1:
            raise RefusedError("Items need one interval.", "parameter_invalid_empty")
        once = self._entries(body.get("add_invoice_items") or [], "one_time")
        start, trial = int(self._now()), _number(body, "trial_end", 0)
        if trial and trial <= start:
            message = "Invalid timestamp: must be an integer Unix timestamp in the future."
            raise RefusedError(message, param="trial_end")
        billed = once if trial else [*entries, *once]
        due = sum(price["unit_amount"] * quantity for price, quantity in billed)
        status, paid = self._charged(customer, body, due)
        subscription = self._made("subscription", self._terms(body, entries, start, trial))
        subscription["status"] = "trialing" if trial and status == "active" else status
        invoice = self._invoice(subscription, due, paid=paid)
        subscription["latest_invoice"] = invoice["id"]
        return self.shown(subscription, {"e": str(body.get("expand"))}), subscription["id"]

    def change_subscription(self, key: str, body: Record) -> tuple[Record, str | None]:
        """An end, metadata, a payment method."""
        found = self.get("subscription", key)
        if found["status"] == "canceled":
            message = f"No such subscription: '{key}'"
            raise RefusedError(message, "resource_missing", 404)
        if "cancel_at" in body and "cancel_at_period_end" in body:
            raise RefusedError("Give cancel_at or cancel_at_period_end, not both.")
        before = {**found, "metadata": dict(found["metadata"])}
        if "cancel_at" in body:
            found |= {"cancel_at": _number(body, "cancel_at"), "cancel_at_period_end": False}
        if "cancel_at_period_end" in body:
            at_end = body["cancel_at_period_end"] == "true"
            end = found["current_period_end"] if at_end else None
            found |= {"cancel_at_period_end": at_end, "cancel_at": end}
        found["metadata"].update(body.get("metadata") or {})
        found["cancellation_details"] |= body.get("cancellation_details") or {}
        return found, key if found != before else None

    def end_subscription(self, key: str, body: Record) -> tuple[Record, str]:
        """At once."""
        found = self.get("subscription", key)
        if found["status"] == "canceled":
            message = f"No such subscription: '{key}'"
            raise RefusedError(message, "resource_missing", 404)
        found["cancellation_details"] |= body.get("cancellation_details") or {}
        self._end(found, int(self._now()))
        return found, key

    def pay(self, key: str, body: Record) -> tuple[Record, str | None]:
        """A payment that was made elsewhere settles the invoice; it does so once."""
        invoice, intent = self.get("invoice", key), _required(body, "payment_intent")
        before = self._intents.setdefault(intent, key)
        if before != key:
            raise RefusedError("The payment is attached to another invoice.")
        if invoice["status"] == "paid":
            return invoice, None
        invoice |= {
            "status": "paid",
            "amount_paid": invoice["amount_due"],
            "payment_intent": intent,
        }
        subscription = self.get("subscription", invoice["subscription"])
        if subscription["status"] == "incomplete":
            subscription["status"] = "active"
        return invoice, key

    def advance(self) -> None:
        """Trials end, periods follow one another, ends come."""
        now = int(self._now())
        for subscription in self._records["subscription"].values():
            while subscription["status"] in {"active", "trialing"}:
                end, renewal = subscription["cancel_at"], subscription["current_period_end"]
                if end is not None and end <= min(now, renewal):
                    self._end(subscription, end)
                elif renewal <= now:
                    self._renew(subscription)
                else:
                    break

    def _renew(self, subscription: Record) -> None:
        entries = subscription["items"]["data"]
        start = subscription["current_period_end"]
        due = sum(entry["price"]["unit_amount"] * entry["quantity"] for entry in entries)
        period = entries[0]["price"]["recurring"]
        subscription |= {
            "status": "active",
            "current_period_start": start,
            "current_period_end": _after(start, period),
        }
        by_card = subscription["collection_method"] == "charge_automatically"
        invoice = self._invoice(subscription, due, paid=by_card)
        subscription["latest_invoice"] = invoice["id"]

    def _end(self, subscription: Record, at: int) -> None:
        subscription |= {"status": "canceled", "ended_at": at, "canceled_at": at}

    def _charged(self, customer: Record, body: Record, due: int) -> tuple[str, bool]:
        """The subscription's status, and whether its first invoice is paid."""
        if body.get("collection_method") == "send_invoice":
            _number(body, "days_until_due")
            return "active", False
        behaviour = body.get("payment_behavior", "allow_incomplete")
        method = body.get("default_payment_method")
        if method is not None and self._methods.get(method) != customer["id"]:
            message = "The customer does not have a payment method with that ID."
            raise RefusedError(message, "resource_missing")
        if due == 0:
            return "active", True
        if behaviour == "default_incomplete":
            return "incomplete", False
        if method is None:
            message = "This customer has no attached payment source or default payment method."
            raise RefusedError(message, "resource_missing")
        if _DECLINED not in method:
            return "active", True
        if behaviour == "error_if_incomplete":
            raise RefusedError(
                "Your card was declined.", "card_declined", 402, decline_code="generic_decline"
            )
        return "incomplete", False

    def _terms(
        self, body: Record, entries: list[tuple[Record, int]], start: int, trial: int
    ) -> Record:
        period = entries[0][0]["recurring"]
        end = trial or _after(start, period)
        at_end = body.get("cancel_at_period_end") == "true"
        return {
            "customer": body["customer"],
            "items": {"data": [{"price": price, "quantity": count} for price, count in entries]},
            "metadata": body.get("metadata") or {},
            "default_payment_method": body.get("default_payment_method"),
            "collection_method": body.get("collection_method", "charge_automatically"),
            "current_period_start": start,
            "current_period_end": end,
            "trial_end": trial or None,
            "cancel_at": _number(body, "cancel_at", 0) or (end if at_end else None),
            "cancel_at_period_end": at_end,
            "canceled_at": None,
            "ended_at": None,
            "cancellation_details": {"comment": None, "feedback": None},
            "created": start,
        }

    def _entries(self, listed: list[Record], kind: str) -> list[tuple[Record, int]]:
        found: list[tuple[Record, int]] = []
        for entry in listed:
            price = self.get("price", _required(entry, "price"))
            if price["type"] != kind:
                raise RefusedError(f"The price is of type {price['type']}, not {kind}.")
            if any(price is known for known, _ in found):
                raise RefusedError("Two items have the same price.")
            found.append((price, _number(entry, "quantity", 1)))
        if kind == "recurring" and not found:
            raise RefusedError("Missing required param: items.", "parameter_missing")
        return found

    def _invoice(self, subscription: Record, due: int, *, paid: bool) -> Record:
        count = len(self._records["invoice"]) + 1
        return self._made(
            "invoice",
            {
                "customer": subscription["customer"],
                "subscription": subscription["id"],
                "number": f"WB-{count:04}",
                "status": "paid" if paid else "open",
                "amount_due": due,
                "amount_paid": due if paid else 0,
                "currency": subscription["items"]["data"][0]["price"]["currency"],
            },
        )

    def _made(self, kind: str, record: Record) -> Record:
        count = len(self._records[kind]) + 1
        digest = blake2b(f"{kind}/{count}".encode(), digest_size=9).hexdigest()
        made = {"id": f"{_PREFIXES[kind]}_{digest}", "object": kind, **record}
        self._records[kind][made["id"]] = made
        return made


def _customer(before: Record, body: Record) -> Record:
    """Addresses are replaced as a whole, metadata name by name."""
    named: Record = {name: body[name] for name in _DETAILS if name in body}
    metadata = {**before.get("metadata", {}), **(body.get("metadata") or {})}
    return {**before, **named, "metadata": metadata}


def _required(body: Record, *path: str) -> str:
    found: Any = body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        where = path[0] + "".join(f"[{name}]" for name in path[1:])
        raise RefusedError(f"Missing required param: {where}.", "parameter_missing")
    return found


def _number(body: Record, name: str, default: int | None = None) -> int:
    found = body.get(name)
    if found is None and default is not None:
        return default
    if not isinstance(found, str) or not found.isdecimal():
        raise RefusedError(f"Invalid integer: {name}", "parameter_invalid_integer")
    return int(found)


def _one_of(body: Record, name: str, known: tuple[str, ...]) -> str:
    found = _required(body, name)
    if found not in known:
        raise RefusedError(f"Invalid {name}: must be one of {', '.join(known)}")
    return found


def _after(seconds: int, period: Record) -> int:
    start = datetime.fromtimestamp(seconds, UTC)
    count = period["interval_count"]
    if period["interval"] in _INTERVALS:
        return int((start + timedelta(days=count * _INTERVALS[period["interval"]])).timestamp())
    months = start.month - 1 + count * (12 if period["interval"] == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    last = monthrange(year, month)[1]
    return int(start.replace(year=year, month=month, day=min(start.day, last)).timestamp())
