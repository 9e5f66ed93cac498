"""How Zuora shows what it keeps: the JSON of its answers."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson

from waybill.sandbox.zuora.amounts import ZERO, number
from waybill.sandbox.zuora.catalog import FIXED_AMOUNT, PERCENTAGE, Catalog
from waybill.sandbox.zuora.charges import newest
from waybill.sandbox.zuora.money import CREDIT_MEMO, INVOICE
from waybill.sandbox.zuora.periods import shown
from waybill.sandbox.zuora.state import (
    Account,
    Books,
    Charge,
    Contact,
    Document,
    Item,
    Order,
    Payment,
    PaymentMethod,
    RatePlan,
    Record,
    Refund,
    Subscription,
)

_ONE_DAY = timedelta(days=1)


def given(**members: Any) -> Record:
    """Without the members that are None."""
    return {name: value for name, value in members.items() if value is not None}


def subscription(books: Books, found: Subscription, catalog: Catalog) -> Record:
    """`GET /v1/subscriptions/{key}`: the newest version with the last segment of each charge."""
    account = books.accounts.get(found.account)
    payer = books.accounts.get(found.invoice_account) or account
    return given(
        id=found.id,
        subscriptionNumber=found.number,
        accountNumber=found.account,
        accountId=account.id if account else None,
        accountName=account.name if account else None,
        invoiceOwnerAccountNumber=payer.number if payer else None,
        invoiceOwnerAccountId=payer.id if payer else None,
        status=found.status,
        version=found.version,
        isLatestVersion=True,
        currency=found.currency,
        contractEffectiveDate=shown(found.begins),
        serviceActivationDate=shown(found.activation),
        customerAcceptanceDate=shown(found.acceptance),
        subscriptionStartDate=shown(found.begins),
        subscriptionEndDate=shown(found.cancelled_on or found.term_end),
        orderNumber=next(iter(books.orders_of.get(found.number, [])[-1:]), None),
        statusHistory=_history(found),
        cancelReason=found.cancel_reason,
        scheduledCancelDate=shown(found.cancelled_on) if _cancels_by_terms(found) else None,
        scheduledSuspendDate=shown(found.suspended_on) if found.status == "Active" else None,
        **_terms(found),
        **found.settings,
        **found.custom,
        ratePlans=[rate_plan(found, plan, catalog) for plan in found.rate_plans],
    )


def _cancels_by_terms(found: Subscription) -> bool:
    """What an order cancels is not scheduled by the terms: that order has to be deleted."""
    return found.cancelled_by_terms and found.status == "Active"


def _history(found: Subscription) -> list[Record]:
    """From when on it has which status; that reaches into the future."""
    begins = {"status": "Active", "startDate": shown(found.begins)}
    if found.cancelled_on is None:
        return [begins]
    end = shown(found.cancelled_on)
    return [{**begins, "endDate": end}, {"status": "Cancelled", "startDate": end}]


def _terms(found: Subscription) -> Record:
    renewal = next(iter(found.renewal_terms), {})
    return given(
        termType=found.term_type,
        termStartDate=shown(found.term_start),
        termEndDate=shown(found.term_end),
        initialTerm=found.initial.get("period"),
        initialTermPeriodType=found.initial.get("periodType"),
        currentTerm=found.current.get("period"),
        currentTermPeriodType=found.current.get("periodType"),
        autoRenew=found.auto_renew,
        renewalSetting=found.renewal_setting,
        renewalTerm=renewal.get("period"),
        renewalTermPeriodType=renewal.get("periodType"),
    )


def rate_plan(holder: Subscription, plan: RatePlan, catalog: Catalog) -> Record:
    """A rate plan of a subscription, removed ones included."""
    known = catalog.plan(plan.product_plan) or {}
    return given(
        id=plan.id,
        subscriptionRatePlanNumber=plan.number,
        productRatePlanId=plan.product_plan,
        ratePlanName=plan.name,
        productId=known.get("productId"),
        productName=known.get("_product"),
        productSku=known.get("_product"),
        lastChangeType=plan.change,
        ratePlanCharges=[_charge(holder, charge) for charge in newest(plan)],
        **plan.custom,
    )


def _charge(holder: Subscription, found: Charge) -> Record:
    member = {PERCENTAGE: "discountPercentage", FIXED_AMOUNT: "discountAmount"}
    return given(
        id=f"{found.number}-{found.segment}",
        number=found.number,
        name=found.name,
        productRatePlanChargeId=found.product_charge,
        type=found.kind,
        model=found.model,
        **{member.get(found.model, "price"): number(found.price)},
        quantity=number(found.quantity),
        billingPeriod=found.period or None,
        currency=holder.currency,
        priceChangeOption=found.change,
        segment=found.segment,
        effectiveStartDate=shown(found.begins or holder.begins),
        effectiveEndDate=shown(found.ends or holder.cancelled_on or holder.term_end),
        chargedThroughDate=None if found.is_discount else shown(found.through),
        discountLevel=found.level if found.is_discount else None,
        **found.custom,
    )


def order(found: Order) -> Record:
    """`GET /v1/orders/{number}`."""
    body = orjson.loads(found.raw)
    entries = body.get("subscriptions", [])
    return given(
        orderNumber=found.number,
        orderDate=body["orderDate"],
        existingAccountNumber=found.account,
        status=found.status,
        category=body.get("category", "NewSales"),
        reasonCode=body.get("reasonCode"),
        customFields=body.get("customFields", {}),
        subscriptions=[
            given(
                subscriptionNumber=number_of,
                status=status,
                customFields=entry.get("customFields", {}),
                orderActions=[
                    {"sequence": at, **action} for at, action in enumerate(entry["orderActions"])
                ],
            )
            for (number_of, status), entry in zip(found.subscriptions, entries, strict=False)
        ],
    )


def booked(books: Books, found: Order, *, ids: bool) -> Record:
    """What `POST /v1/orders` answers; `ids` with `returnIds=true`."""
    documents = [one for key in found.documents if (one := books.documents.get(key))]
    invoices = [one for one in documents if one.kind == INVOICE]
    memos = [one for one in documents if one.kind == CREDIT_MEMO]
    payment = books.payments.get(found.payment)
    return given(
        success=True,
        orderNumber=found.number,
        accountNumber=found.account,
        status=found.status,
        subscriptions=[
            {"subscriptionNumber": one, "status": status} for one, status in found.subscriptions
        ],
        invoiceNumbers=[one.number for one in invoices],
        creditMemoNumbers=[one.number for one in memos],
        paymentNumber=payment.number if payment else None,
        paidAmount=str(payment.amount) if payment else None,
        refunds=[
            {"number": one, "status": status, "refundInvoiceNumbers": []}
            for one, status in found.refunds
        ]
        or None,
        **(_ids(books, found, invoices, memos) if ids else {}),
    )


def _ids(
    books: Books, found: Order, invoices: Iterable[Document], memos: Iterable[Document]
) -> Record:
    account, payment = books.accounts.get(found.account), books.payments.get(found.payment)
    known = (books.subscriptions.get(one) for one, _ in found.subscriptions)
    return given(
        orderId=found.id,
        accountId=account.id if account else None,
        subscriptionIds=[one.id for one in known if one],
        invoiceIds=[one.id for one in invoices],
        creditMemoIds=[one.id for one in memos],
        paymentId=payment.id if payment else None,
    )


def account(books: Books, found: Account) -> Record:
    """`GET /v1/accounts/{key}`."""
    documents = [one for key in found.documents if (one := books.documents.get(key))]
    owed = sum((one.balance for one in documents if one.kind != CREDIT_MEMO), ZERO)
    credit = sum((one.balance for one in documents if one.kind == CREDIT_MEMO), ZERO)
    fields = found.fields
    return {
        "success": True,
        "basicInfo": given(
            id=found.id,
            accountNumber=found.number,
            name=found.name,
            crmId=fields.get("crmId"),
            notes=fields.get("notes"),
            batch=fields.get("batch", "Batch1"),
            status="Active",
            **found.custom,
        ),
        "billingAndPayment": given(
            currency=found.currency,
            autoPay=found.auto_pay,
            billCycleDay=fields.get("billCycleDay", 0),
            defaultPaymentMethodId=found.method,
            paymentTerm=fields.get("paymentTerm"),
            paymentGateway=fields.get("paymentGateway"),
        ),
        "metrics": {
            "balance": str(owed),
            "unappliedCreditMemoAmount": str(credit),
        },
        "billToContact": _contact_with_id(books.contacts.get(found.bill_to)),
        "soldToContact": _contact_with_id(books.contacts.get(found.sold_to)),
    }


def _contact_with_id(found: Contact | None) -> Record | None:
    return {"id": found.id, **found.fields} if found else None


def contact(books: Books, found: Contact) -> Record:
    """What `POST /v1/contacts` answers."""
    holder = books.accounts.get(found.account)
    return given(
        id=found.id,
        accountId=holder.id if holder else None,
        accountNumber=found.account,
        **found.fields,
    )


def method(books: Books, found: PaymentMethod) -> Record:
    """A payment method; what would let somebody pay is not shown."""
    holder = books.accounts.get(found.account)
    secret = {"cardNumber", "securityCode", "tokens", "gatewayOptions", "makeDefault"}
    fields = {name: value for name, value in found.fields.items() if name not in secret}
    return given(
        id=found.id,
        type=found.type,
        status=found.status,
        accountKey=holder.id if holder else None,
        isDefault=holder is not None and holder.method == found.id,
        **fields,
    )


def document(books: Books, found: Document) -> Record:
    """An invoice or a memo, under the names of its kind."""
    holder = books.accounts.get(found.account)
    common = given(
        id=found.id,
        accountId=holder.id if holder else None,
        accountNumber=found.account,
        amount=number(found.amount),
        currency=found.currency,
        status=found.status,
        reasonCode=found.reason,
        comment=found.comment,
        sourceType="Order" if found.order else "Standalone",
        **found.custom,
    )
    if found.kind == INVOICE:
        own = {"invoiceNumber": found.number, "invoiceDate": shown(found.day)}
        return common | own | {"balance": number(found.balance), "dueDate": shown(found.due)}
    if found.kind == CREDIT_MEMO:
        return common | given(
            number=found.number,
            creditMemoDate=shown(found.day),
            appliedAmount=number(found.applied),
            refundAmount=number(found.refunded),
            unappliedAmount=number(found.balance),
            excludeFromAutoApplyRules=found.excluded,
            referredInvoiceId=found.invoice,
        )
    return common | given(
        number=found.number,
        debitMemoDate=shown(found.day),
        dueDate=shown(found.due),
        balance=number(found.balance),
        beAppliedAmount=number(found.amount - found.balance),
        autoPay=found.auto_pay,
        referredInvoiceId=found.invoice,
    )


def item(found: Item) -> Record:
    """A line of an invoice."""
    return given(
        id=found.id,
        chargeName=found.name,
        chargeAmount=number(found.amount),
        productRatePlanChargeId=found.product_charge,
        subscriptionName=found.subscription,
        serviceStartDate=shown(found.begins),
        serviceEndDate=shown(
            found.ends - _ONE_DAY if found.subscription and found.ends else found.ends
        ),
        processingType=found.kind,
        quantity=number(found.quantity),
        availableToCreditAmount=number(max(found.amount - found.credited, ZERO)),
    )


def payment(books: Books, found: Payment) -> Record:
    """A payment."""
    holder = books.accounts.get(found.account)
    return given(
        id=found.id,
        number=found.number,
        accountId=holder.id if holder else None,
        accountNumber=found.account,
        amount=number(found.amount),
        appliedAmount=number(sum(found.applied.values(), ZERO)),
        unappliedAmount=number(found.unapplied),
        refundAmount=number(found.refunded),
        currency=found.currency,
        effectiveDate=shown(found.day),
        paymentMethodId=found.method,
        status=found.status,
        type=found.type,
        gatewayResponse=found.message,
    )


def refund(books: Books, found: Refund) -> Record:
    """A refund."""
    holder = books.accounts.get(found.account)
    memo, paid = books.documents.get(found.memo), books.payments.get(found.payment)
    return given(
        id=found.id,
        number=found.number,
        accountId=holder.id if holder else None,
        amount=number(found.amount),
        refundDate=shown(found.day),
        type=found.type,
        status=found.status,
        creditMemoId=memo.id if memo else None,
        paymentId=paid.id if paid else None,
        paymentMethodId=found.method,
        gatewayResponse=found.message,
        **found.fields,
        **found.custom,
    )
