"""The payment gateway behind Zuora: what a card does is told by the end of its id or token."""

from waybill.sandbox.zuora.refusals import BUSINESS_RULE, EXTERNAL, RefusedError
from waybill.sandbox.zuora.state import PaymentMethod

DECLINES = {
    "00000002": "Transaction declined. generic_decline: Your card was declined.",
    "00009995": "Transaction declined. insufficient_funds: Your card has insufficient funds.",
    "00000069": "Transaction declined. expired_card: Your card has expired.",
}
"""The last eight digits of Stripe's test cards, and what is said of them."""
REFUND_FAILS, REFUND_TAKES_TIME, REFUND_NEEDS_PAYMENT = "00005126", "00007726", "00003155"
ENDINGS = (*DECLINES, REFUND_FAILS, REFUND_TAKES_TIME, REFUND_NEEDS_PAYMENT)
ENDING_LENGTH = 8
PROCESSED, PROCESSING, ERROR = "Processed", "Processing", "Error"
_CARDS = frozenset(
    {
        "CreditCard",
        "CreditCardReferenceTransaction",
        "AdyenApplePay",
        "AdyenGooglePay",
        "GooglePay",
        "PayPalCP",
    }
)


def declined(method: PaymentMethod) -> str | None:
    """Why the gateway does not take money from it."""
    return DECLINES.get(method.id[-ENDING_LENGTH:])


def check_payable(method: PaymentMethod) -> None:
    """RefusedError, as Zuora says it, where the gateway would decline."""
    reason = declined(method)
    if reason is not None:
        raise RefusedError(EXTERNAL, f"Error processing transaction. {reason}")


def check_refundable(method: PaymentMethod) -> None:
    """RefusedError where the gateway gives no money without the payment that it came from."""
    if method.type not in _CARDS or method.id.endswith(REFUND_NEEDS_PAYMENT):
        message = (
            f"The gateway does not support non-referenced refunds to a payment method of the type "
            f"{method.type}."
        )
        raise RefusedError(BUSINESS_RULE, message)


def refunded(method: PaymentMethod | None) -> str:
    """What becomes of a refund to this method; a failed one is told by its status alone."""
    if method is None:
        return PROCESSED
    if method.id.endswith(REFUND_FAILS):
        return ERROR
    return PROCESSING if method.id.endswith(REFUND_TAKES_TIME) else PROCESSED
