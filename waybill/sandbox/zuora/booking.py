"""Booking an order: every action is tried on copies first, so that all of it happens or nothing."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from waybill.sandbox.zuora import gateway
from waybill.sandbox.zuora.actions import Acting, act, term_end
from waybill.sandbox.zuora.amounts import ZERO, decimal
from waybill.sandbox.zuora.billing import bill
from waybill.sandbox.zuora.catalog import Catalog, hex_id
from waybill.sandbox.zuora.charges import subscribed
from waybill.sandbox.zuora.money import (
    CREDIT_MEMO,
    INVOICE,
    Issue,
    apply_credit,
    given_back,
    issue,
    new_refund,
    open_credit,
    owed,
    pay,
    refund_memo,
    total,
)
from waybill.sandbox.zuora.people import Opened, account_of, attach, opened, own_contact, own_method
from waybill.sandbox.zuora.periods import parsed
from waybill.sandbox.zuora.refusals import (
    BAD_VALUE,
    BUSINESS_RULE,
    MISSING,
    NOT_FOUND,
    RefusedError,
)
from waybill.sandbox.zuora.state import (
    Account,
    Books,
    Document,
    Item,
    Order,
    PaymentMethod,
    Record,
    Subscription,
)

_ACCOUNTS = ("existingAccountNumber", "existingAccountId", "newAccount")
_SETTINGS = (
    "billToContactId",
    "soldToContactId",
    "invoiceSeparately",
    "notes",
    "paymentProfile",
    "paymentTerm",
)


@dataclass(slots=True)
class Draft:
    """An order that is tried: whose it is, its subscriptions as they would be, what it bills."""

    account: Account
    today: date
    opened: Opened | None
    method: PaymentMethod | None
    touched: dict[str, Subscription] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)


class Booking:
    """Orders on their way into the books."""

    def __init__(self, books: Books, catalog: Catalog) -> None:
        self._books = books
        self._catalog = catalog

    def preview(self, body: Record) -> list[Item]:
        """What the order would bill, without booking it."""
        draft = self._draft(body)
        options = body["previewOptions"]
        target = parsed(options.get("specificPreviewThruDate"))
        if options.get("previewThruType", "SpecificDate") == "SpecificDate" and target is None:
            message = "'previewOptions.specificPreviewThruDate' goes with SpecificDate"
            raise RefusedError(MISSING, message)
        for subscription in draft.touched.values():
            through = target or subscription.term_end or draft.today
            draft.items += bill(subscription, through)
        return draft.items

    def book(self, body: Record, raw: bytes) -> Order:
        """Book the order, or raise RefusedError and leave the books as they were."""
        number = body.get("orderNumber") or self._books.next("O-")
        if number in self._books.orders:
            raise RefusedError(BUSINESS_RULE, f"The order number {number} already exists.")
        draft, options = self._draft(body), body.get("processingOptions", {})
        if options.get("runBilling"):
            billing = options.get("billingOptions", {})
            target = parsed(billing.get("targetDate")) or draft.today
            self._check_open(parsed(billing.get("documentDate")) or target)
            for subscription in draft.touched.values():
                draft.items += bill(subscription, target)
        self._check_money(draft, options)
        return self._commit(number, draft, options, raw)

    def _draft(self, body: Record) -> Draft:
        """The order on copies, without billing."""
        draft = self._whose(body)
        self._check_open(draft.today)
        if not body.get("subscriptions") and not body.get("orderLineItems"):
            raise RefusedError(MISSING, "'subscriptions' or 'orderLineItems' is required")
        for entry in body.get("subscriptions", ()):
            self._try(draft, entry)
        return draft

    def _check_open(self, day: date) -> None:
        closed = self._books.closed_through
        if day <= closed:
            message = f"The date {day} is in a closed accounting period (closed through {closed})."
            raise RefusedError(BUSINESS_RULE, message)

    def _whose(self, body: Record) -> Draft:
        named = [member for member in _ACCOUNTS if member in body]
        today = date.fromisoformat(body["orderDate"])
        if not named and "previewAccountInfo" in body:
            currency = body["previewAccountInfo"].get("currency", "GBP")
            return Draft(Account("preview", "preview", "", currency), today, None, None)
        if len(named) != 1:
            message = "Give exactly one of existingAccountNumber and newAccount."
            raise RefusedError(BAD_VALUE, message)
        new = opened(self._books, body["newAccount"]) if named == ["newAccount"] else None
        account = new.account if new else account_of(self._books, body[named[0]])
        return Draft(account, today, new, self._payer(body, account, new))

    def _payer(self, body: Record, account: Account, new: Opened | None) -> PaymentMethod | None:
        """The method that the order names, else the account's."""
        options = body.get("processingOptions", {})
        chosen = options.get("electronicPaymentOptions", {}).get("paymentMethodId")
        if new is not None and new.method is not None and chosen in (None, new.method.id):
            return new.method
        if chosen is not None:
            return own_method(self._books, account, chosen)
        return self._books.methods.get(account.method)

    def _try(self, draft: Draft, entry: Record) -> None:
        number = entry.get("subscriptionNumber")
        subscription = self._copy(draft, number) if number is not None else None
        if not entry.get("orderActions"):
            raise RefusedError(MISSING, "'orderActions' is required")
        for action in entry["orderActions"]:
            dates = {at["name"]: at.get("triggerDate") for at in action.get("triggerDates", ())}
            if action["type"] == "CreateSubscription":
                subscription = self._create(draft, action["createSubscription"], dates)
                continue
            if subscription is None:
                message = f"{action['type']} needs the number of an existing subscription."
                raise RefusedError(MISSING, message)
            act(self._acting(draft, action, dates), subscription, action)
        if subscription is not None:
            subscription.custom = subscription.custom | entry.get("customFields", {})
            draft.touched[subscription.number] = subscription

    def _copy(self, draft: Draft, number: str) -> Subscription:
        found = draft.touched.get(number)
        if found is not None:
            return found
        known = self._books.subscriptions.get(number)
        if known is None:
            raise RefusedError(NOT_FOUND, f"Cannot find the subscription {number}.")
        if draft.account.number not in (known.account, known.invoice_account):
            message = f"The subscription {number} is not of the account {draft.account.number}."
            raise RefusedError(BUSINESS_RULE, message)
        return deepcopy(known)

    def _acting(self, draft: Draft, action: Record, dates: dict[str, Any]) -> Acting:
        member = action["type"][0].lower() + action["type"][1:]
        return Acting(
            books=self._books,
            catalog=self._catalog,
            account=draft.account,
            today=draft.today,
            on=parsed(dates.get("ContractEffective")) or draft.today,
            body=action[member],
        )

    def _create(self, draft: Draft, body: Record, dates: dict[str, Any]) -> Subscription:
        number = body.get("subscriptionNumber") or self._books.next("S-")
        if number in self._books.subscriptions or number in draft.touched:
            raise RefusedError(BUSINESS_RULE, f"The subscription number {number} already exists.")
        terms = body["terms"]
        initial = terms["initialTerm"]
        effective = parsed(dates.get("ContractEffective")) or draft.today
        begins = parsed(initial.get("startDate")) or effective
        subscription = Subscription(
            number=number,
            id=hex_id("subscription", number),
            account=self._owner(draft, body),
            currency=body.get("currency") or draft.account.currency,
            status=_standing(dates),
            term_type=initial["termType"],
            term_start=begins,
            term_end=term_end(begins, initial, {}),
            begins=min(begins, effective),
            initial={name: initial[name] for name in ("period", "periodType") if name in initial},
            current={name: initial[name] for name in ("period", "periodType") if name in initial},
            auto_renew=terms.get("autoRenew", False),
            activation=parsed(dates.get("ServiceActivation")),
            acceptance=parsed(dates.get("CustomerAcceptance")),
            settings={name: body[name] for name in _SETTINGS if name in body},
        )
        subscription.renewal_setting = terms.get("renewalSetting", subscription.renewal_setting)
        subscription.renewal_terms = terms.get("renewalTerms", [])
        self._subscribe(draft, subscription, body, begins)
        return subscription

    def _owner(self, draft: Draft, body: Record) -> str:
        named = body.get("subscriptionOwnerAccountNumber", draft.account.number)
        return named if named == draft.account.number else account_of(self._books, named).number

    def _subscribe(
        self, draft: Draft, subscription: Subscription, body: Record, begins: date
    ) -> None:
        for member in ("billToContactId", "soldToContactId"):
            if member in body:
                own_contact(self._books, draft.account, body[member])
        method = body.get("paymentProfile", {}).get("paymentMethodId")
        if method is not None and draft.opened is None:
            own_method(self._books, draft.account, method)
        if not body.get("subscribeToRatePlans"):
            raise RefusedError(MISSING, "'subscribeToRatePlans' is required")
        for entry in body["subscribeToRatePlans"]:
            plan = subscribed(self._catalog, subscription, entry, begins, "New")
            subscription.rate_plans.append(plan)

    def _check_money(self, draft: Draft, options: Record) -> None:
        """All that could still go wrong with money goes wrong before anything is booked."""
        if options.get("refund"):
            self._check_refund(draft, options)
        if not options.get("collectPayment"):
            return
        if not options.get("runBilling"):
            raise RefusedError(BUSINESS_RULE, "collectPayment needs runBilling.")
        if draft.method is None:
            raise RefusedError(BUSINESS_RULE, "collectPayment needs a payment method.")
        due = total(owed(draft.items))
        if options.get("applyCredit"):
            due -= sum((memo.balance for memo in open_credit(self._books, draft.account)), ZERO)
        if due > 0:
            gateway.check_payable(draft.method)

    def _check_refund(self, draft: Draft, options: Record) -> None:
        if "refundAmount" not in options:
            message = "'processingOptions.refundAmount' is required with refund"
            raise RefusedError(MISSING, message)
        credit = -sum((item.amount for item in draft.items if item.kind == "Credit"), ZERO)
        amount = decimal(options["refundAmount"])
        if not 0 < amount <= credit:
            message = f"The refund amount {amount} is not covered by the credit of {credit}."
            raise RefusedError(BUSINESS_RULE, message)

    def _commit(self, number: str, draft: Draft, options: Record, raw: bytes) -> Order:
        books = self._books
        account = draft.opened.enter(books) if draft.opened else draft.account
        if draft.method is not None and draft.method.id not in account.methods:
            attach(books, account, draft.method)
            account.method = account.method or draft.method.id
        waiting = any(one.status.startswith("Pending") for one in draft.touched.values())
        order = Order(
            number=number,
            id=hex_id("order", number),
            account=account.number,
            status="Pending" if waiting else "Completed",
            raw=raw,
            subscriptions=[(one.number, one.status) for one in draft.touched.values()],
        )
        books.orders.put(order)
        account.orders.append(number)
        for subscription in draft.touched.values():
            self._enter(order, subscription)
        self._settle(order, draft, account, options)
        return order

    def _enter(self, order: Order, subscription: Subscription) -> None:
        """Replace the subscription; only its newest order can be deleted, so one copy is kept."""
        books, number = self._books, subscription.number
        earlier = books.orders_of.setdefault(number, [])
        for other in filter(None, map(books.orders.get, earlier[-1:])):
            other.before.pop(number, None)
        before = books.subscriptions.get(number)
        order.before[number] = before
        earlier.append(order.number)
        books.subscriptions.put(subscription)
        owner = books.accounts.get(subscription.account)
        if owner is not None and number not in owner.subscriptions:
            owner.subscriptions.append(number)
        if before is not None and before.account != subscription.account:
            account_of(books, before.account).subscriptions.remove(number)

    def _settle(self, order: Order, draft: Draft, account: Account, options: Record) -> None:
        books, billing = self._books, options.get("billingOptions", {})
        day = parsed(billing.get("documentDate")) or draft.today
        reason = billing.get("creditMemoReasonCode")
        for kind, items in ((CREDIT_MEMO, given_back(draft.items)), (INVOICE, owed(draft.items))):
            if items:
                what = Issue(day=day, due=day, order=order.number, reason=reason)
                order.documents.append(issue(books, kind, account, items, what).number)
        for invoice in _of(books, order, INVOICE):
            if options.get("applyCredit"):
                apply_credit(open_credit(books, account), invoice)
            if options.get("collectPayment") and draft.method is not None and invoice.balance:
                order.payment = pay(books, invoice, draft.method, day).number
        if options.get("refund"):
            self._refund(order, decimal(options["refundAmount"]), draft, options)

    def _refund(self, order: Order, amount: Decimal, draft: Draft, options: Record) -> None:
        """What the gateway refuses then is told inside the answer: the order stands."""
        for memo in _of(self._books, order, CREDIT_MEMO):
            amount = min(amount, memo.balance)
            refund = new_refund(self._books, memo.account, amount, draft.today, "Electronic")
            refund.memo = memo.number
            refund.method = draft.method.id if draft.method else None
            refund.fields = {"reasonCode": options.get("refundReasonCode")}
            refund_memo(self._books, memo, amount, refund, draft.method)
            status = "Error" if refund.status == gateway.ERROR else "Success"
            order.refunds.append((refund.number, status))


def _of(books: Books, order: Order, kind: str) -> Iterator[Document]:
    """The order's documents of one kind."""
    found = (books.document(kind, number) for number in order.documents)
    return (document for document in found if document is not None)


def _standing(dates: dict[str, Any]) -> str:
    """A date that is left out leaves the subscription waiting for it."""
    if not dates.get("ServiceActivation"):
        return "Pending Activation"
    return "Active" if dates.get("CustomerAcceptance") else "Pending Acceptance"
