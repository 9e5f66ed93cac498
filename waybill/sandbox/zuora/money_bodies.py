"""What Zuora takes for memos, payments and refunds; all other fields are refused."""

from waybill.sandbox.rules import Rule, Shape, amount, anything, choice, day, flag, several, text
from waybill.sandbox.zuora.members import CUSTOM, memo_number

_account: dict[str, Rule] = {"accountId": text(64), "accountNumber": text(70)}
_charges = several(
    Shape(
        required={"productRatePlanChargeId": text(64)},
        optional={
            "amount": amount,
            "quantity": amount,
            "serviceStartDate": day,
            "serviceEndDate": day,
            "financeInformation": anything,
        },
        extra=CUSTOM,
    )
)
_memo: dict[str, Rule] = {
    **_account,
    "autoPost": flag,
    "charges": _charges,
    "currency": text(3),
    "effectiveDate": day,
    "number": memo_number,
    "reasonCode": text(),
}
debit_memo_body = Shape(
    optional={**_memo, "autoPay": flag, "comment": text(255), "dueDate": day}, extra=CUSTOM
)
credit_memo_body = Shape(
    optional={**_memo, "comment": text(), "excludeFromAutoApplyRules": flag}, extra=CUSTOM
)
invoice_credit_body = Shape(
    required={"invoiceId": text(64)},
    optional={
        "autoApplyToInvoiceUponPosting": flag,
        "autoPost": flag,
        "comment": text(255),
        "effectiveDate": day,
        "excludeFromAutoApplyRules": flag,
        "items": several(
            Shape(
                required={"amount": amount, "invoiceItemId": text(64), "skuName": text()},
                optional={
                    "quantity": amount,
                    "serviceStartDate": day,
                    "serviceEndDate": day,
                    "financeInformation": anything,
                    "taxItems": anything,
                    "taxMode": choice("TaxExclusive", "TaxInclusive"),
                    "unitOfMeasure": text(),
                },
                extra=CUSTOM,
            )
        ),
        "reasonCode": text(),
        "taxAutoCalculation": flag,
    },
    extra=CUSTOM,
)
collect_body = Shape(
    optional={
        "applicationOrder": several(text()),
        "applyCredit": flag,
        "collect": flag,
        "payment": Shape(optional={"gatewayId": text(64), "paymentMethodId": text(64)}),
    }
)

METHOD_TYPES = (
    "ACH",
    "Cash",
    "Check",
    "CreditCard",
    "PayPal",
    "WireTransfer",
    "DebitCard",
    "CreditCardReferenceTransaction",
    "BankTransfer",
    "Other",
)
_refund: dict[str, Rule] = {
    "comment": text(255),
    "financeInformation": anything,
    "gatewayOptions": anything,
    "methodType": choice(*METHOD_TYPES),
    "reasonCode": text(),
    "referenceId": text(100),
    "refundDate": day,
    "secondRefundReferenceId": text(100),
    "softDescriptor": text(35),
    "softDescriptorPhone": text(20),
}
_type = choice("External", "Electronic")
memo_refund_body = Shape(
    required={"totalAmount": amount, "type": _type},
    optional={
        **_refund,
        "gatewayId": text(64),
        "paymentMethodId": text(64),
        "items": several(
            Shape(
                required={"amount": amount},
                optional={"creditMemoItemId": text(64), "creditTaxItemId": text(64)},
            )
        ),
    },
    extra=CUSTOM,
)
payment_refund_body = Shape(
    required={"totalAmount": amount, "type": _type},
    optional={**_refund, "refundTransactionType": choice("Chargeback", "PaymentReversal")},
    extra=CUSTOM,
)
_part: dict[str, Rule] = {"items": anything}
unapply_refund_body = Shape(
    required={"type": _type},
    optional={
        **_refund,
        "totalAmount": amount,
        "refundTransactionType": choice("Chargeback", "PaymentReversal"),
        "invoices": several(
            Shape(
                required={"amount": amount},
                optional={"invoiceId": text(64), "invoiceNumber": text(255), **_part},
            )
        ),
        "debitMemos": several(
            Shape(
                required={"amount": amount},
                optional={"debitMemoId": text(64), "debitMemoNumber": text(255), **_part},
            )
        ),
        "writeOff": flag,
        "writeOffOptions": anything,
    },
    extra=CUSTOM,
)
apply_body = Shape(
    optional={
        "effectiveDate": day,
        "invoices": several(
            Shape(required={"amount": amount, "invoiceId": text(64)}, optional={"items": anything})
        ),
        "debitMemos": several(
            Shape(
                required={"amount": amount, "debitMemoId": text(64)}, optional={"items": anything}
            )
        ),
    }
)
