"""What Zuora keeps: accounts, contacts, payment methods, subscriptions, orders and documents."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from waybill.sandbox.zuora.amounts import ZERO

Record: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Contact:
    """A person of an account; `fields` are Zuora's, with `zipCode`."""

    id: str
    account: str
    fields: Record

    @property
    def number(self) -> str:
        """Contacts are known by their id."""
        return self.id


@dataclass(slots=True)
class PaymentMethod:
    """How an account pays; without an account it is an orphan of the hosted page."""

    id: str
    account: str | None
    type: str
    status: str = "Active"
    fields: Record = field(default_factory=dict)
    holders: int = 0

    @property
    def number(self) -> str:
        """Payment methods are known by their id."""
        return self.id


@dataclass(slots=True)
class Account:
    """Who is billed. The lists hold the numbers of what belongs to it, oldest first."""

    number: str
    id: str
    name: str
    currency: str
    bill_to: str = ""
    sold_to: str = ""
    auto_pay: bool = False
    method: str | None = None
    fields: Record = field(default_factory=dict)
    custom: Record = field(default_factory=dict)
    subscriptions: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Billed:
    """A period that a charge was billed for; `ends` is the day after it."""

    begins: date
    ends: date
    amount: Decimal


@dataclass(slots=True)
class Charge:
    """One segment of a charge of a subscription.

    `through` is the day up to which it is billed, `periods` how many periods a discount is left.
    """

    number: str
    product_charge: str
    name: str
    kind: str
    model: str
    price: Decimal
    quantity: Decimal
    period: str
    begins: date | None
    change: str
    increase: Decimal = ZERO
    ends: date | None = None
    through: date | None = None
    segment: int = 1
    level: str = "subscription"
    periods: int | None = None
    billed: list[Billed] = field(default_factory=list)
    custom: Record = field(default_factory=dict)

    @property
    def is_discount(self) -> bool:
        """Whether it takes from other charges."""
        return self.model.startswith("Discount")


@dataclass(slots=True)
class RatePlan:
    """A rate plan of a subscription; `change` is Zuora's lastChangeType."""

    id: str
    number: str
    product_plan: str
    name: str
    change: str
    charges: list[Charge]
    token: str | None = None
    custom: Record = field(default_factory=dict)


@dataclass(slots=True)
class Subscription:
    """A subscription in its newest version. A term ends the day before `term_end`."""

    number: str
    id: str
    account: str
    currency: str
    status: str
    term_type: str
    term_start: date
    term_end: date | None
    begins: date
    initial: Record
    current: Record = field(default_factory=dict)
    auto_renew: bool = False
    renewal_setting: str = "RENEW_WITH_SPECIFIC_TERM"
    renewal_terms: list[Record] = field(default_factory=list)
    version: int = 1
    activation: date | None = None
    acceptance: date | None = None
    cancelled_on: date | None = None
    cancelled_by_terms: bool = False
    suspended_on: date | None = None
    cancel_reason: str | None = None
    invoice_account: str | None = None
    settings: Record = field(default_factory=dict)
    custom: Record = field(default_factory=dict)
    rate_plans: list[RatePlan] = field(default_factory=list)


@dataclass(slots=True)
class Item:
    """A line of an invoice or a memo; `ends` is the day after the service."""

    id: str
    charge: str | None
    product_charge: str
    name: str
    amount: Decimal
    begins: date | None
    ends: date | None
    subscription: str | None = None
    kind: str = "Charge"
    quantity: Decimal = Decimal(1)
    credited: Decimal = ZERO


@dataclass(slots=True)
class Document:
    """An invoice, a credit memo or a debit memo.

    `balance` is what is still to be paid, of a credit memo what is still unapplied.
    """

    kind: str
    number: str
    id: str
    account: str
    currency: str
    day: date
    amount: Decimal
    balance: Decimal
    items: list[Item]
    status: str = "Posted"
    due: date | None = None
    applied: Decimal = ZERO
    refunded: Decimal = ZERO
    excluded: bool = False
    auto_pay: bool = False
    reason: str | None = None
    comment: str | None = None
    invoice: str | None = None
    order: str | None = None
    custom: Record = field(default_factory=dict)


@dataclass(slots=True)
class Payment:
    """Money that came in; `applied` says how much of it went to which document."""

    number: str
    id: str
    account: str
    currency: str
    amount: Decimal
    unapplied: Decimal
    day: date
    method: str | None
    status: str = "Processed"
    type: str = "Electronic"
    refunded: Decimal = ZERO
    message: str | None = None
    order: str | None = None
    applied: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Refund:
    """Money that went back, of a credit memo or of a payment."""

    number: str
    id: str
    account: str
    amount: Decimal
    day: date
    type: str
    status: str
    memo: str | None = None
    payment: str | None = None
    method: str | None = None
    fields: Record = field(default_factory=dict)
    custom: Record = field(default_factory=dict)
    message: str | None = None


@dataclass(slots=True)
class Order:
    """An order as it was booked; `raw` is its body, in a fifth of the memory of the parsed one.

    `before` keeps the subscriptions as they were (None: not there), while it is their newest.
    """

    number: str
    id: str
    account: str
    status: str
    raw: bytes
    subscriptions: list[tuple[str, str]]
    documents: list[str] = field(default_factory=list)
    payment: str | None = None
    refunds: list[tuple[str, str]] = field(default_factory=list)
    before: dict[str, Subscription | None] = field(default_factory=dict)


_WITH_HYPHENS = 36


class Known(Protocol):
    """What has a number of ours and an id of Zuora's."""

    @property
    def number(self) -> str:
        """Unique in its kind."""
        ...

    @property
    def id(self) -> str:
        """Unique everywhere."""
        ...


T = TypeVar("T", bound=Known)


class Shelf(Generic[T]):
    """Things of one kind, found by number or by id, with or without hyphens."""

    def __init__(self) -> None:
        self._by_number: dict[str, T] = {}
        self._numbers: dict[str, str] = {}

    def __contains__(self, number: str) -> bool:
        return number in self._by_number

    def __iter__(self) -> Iterator[T]:
        return iter(self._by_number.values())

    def put(self, thing: T) -> None:
        """Add it, or replace the one of its number."""
        self._by_number[thing.number] = thing
        if thing.id != thing.number:
            self._numbers[thing.id] = thing.number

    def drop(self, number: str) -> None:
        """Forget it."""
        del self._by_number[number]

    def get(self, key: str | None) -> T | None:
        """By number, else by id."""
        if key is None:
            return None
        found = self._by_number.get(key)
        if found is not None:
            return found
        bare = key.replace("-", "") if len(key) == _WITH_HYPHENS else key
        return self._by_number.get(self._numbers.get(bare, bare))


class Books:
    """All shelves of the tenant, its day and the numbers that it hands out itself."""

    def __init__(self) -> None:
        self.accounts: Shelf[Account] = Shelf()
        self.contacts: Shelf[Contact] = Shelf()
        self.methods: Shelf[PaymentMethod] = Shelf()
        self.subscriptions: Shelf[Subscription] = Shelf()
        self.orders: Shelf[Order] = Shelf()
        self.documents: Shelf[Document] = Shelf()
        self.payments: Shelf[Payment] = Shelf()
        self.refunds: Shelf[Refund] = Shelf()
        self.orders_of: dict[str, list[str]] = {}
        self.by_crm_id: dict[str, list[str]] = {}
        self.day: date = date.min
        self.closed_through: date = date.min
        self._count = 0

    def next(self, prefix: str) -> str:
        """A number of the tenant's own."""
        self._count += 1
        return f"{prefix}{self._count:08d}"

    def document(self, kind: str, key: str) -> Document | None:
        """An invoice, a credit memo or a debit memo."""
        found = self.documents.get(key)
        return found if found is not None and found.kind == kind else None
