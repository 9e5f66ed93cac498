"""The settings of the Zuora plugin."""

from collections.abc import Mapping
from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from plugins.api import Options
from plugins.hooks import HookName

CUSTOM_FIELD = r"^[A-Za-z][A-Za-z0-9_]*__c$"
PAYPAL = ("PayPalEC", "PayPalNativeEC", "PayPalCP", "PayPalAdaptive")
PriceChange: TypeAlias = Literal[
    "UseLatestProductCatalogPricing", "NoChange", "SpecificPercentageValue"
]
ExternalMethod: TypeAlias = Literal[
    "ACH",
    "BankTransfer",
    "Cash",
    "Check",
    "CreditCard",
    "DebitCard",
    "Other",
    "PayPal",
    "WireTransfer",
]
Cancellation: TypeAlias = Literal["EndOfCurrentTerm", "EndOfLastInvoicePeriod", "Immediately"]
BuiltIn: TypeAlias = Literal[
    "Source__c", "InitiatedSource__c", "lmo_offer__c", "CancellationReason__c", "GiftCode__c"
]
"""Limio's own custom fields."""


class RatePlanIds(Options):
    """A rate plan of Zuora's catalogue, and its charges by the name they have in offers."""

    id: str
    """The rate plan's id in Zuora."""
    charges: Mapping[str, str] = {}
    """Ids of its charges, by the name that they have in offers."""


class ZuoraOptions(Options):
    """Limio's settings, under the names of the Zuora fields that they fill."""

    collect_payment: bool = Field(default=False, alias="collectPayment")
    """Collect what is billed at once, where the order names a payment method."""
    run_billing: bool = Field(default=True, alias="runBilling")
    """Bill at once what counts already."""
    invoice_separately: bool = Field(default=True, alias="invoiceSeparately")
    """Invoice the subscription apart from others of the account."""
    apm: bool = False
    """Name the payment method in the subscription, for Advanced Payment Manager."""
    payment_gateway: str | None = Field(default=None, alias="paymentGateway")
    """Gateway of a new account, by its name in Zuora."""
    payment_term: str | None = Field(default=None, alias="paymentTerm")
    """Payment term of a new account, as Zuora calls it."""
    account_number: str | None = Field(default=None, alias="accountNumber", max_length=70)
    """The account that orders are billed to, where the entry's `map` names none."""
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    """Currency where neither a price nor the order's total names one, such as `EUR`."""
    rate_plans: Mapping[str, str | RatePlanIds] = Field(default={}, alias="ratePlans")
    """Rate plan names of offers to ids; saves the look-up in Zuora's catalogue."""
    custom_fields: tuple[BuiltIn, ...] = Field(default=(), alias="customFields")
    """Those of Limio's built-in fields that the tenant has defined in Zuora."""
    one_subscription: bool = Field(default=False, alias="oneSubscription")
    """Put all offers of a new order into one subscription."""
    price_change_option: PriceChange = Field(
        default="UseLatestProductCatalogPricing", alias="priceChangeOption"
    )
    """What a price of a new order costs once its first term is over."""
    price_increase_percentage: float | None = Field(default=None, alias="priceIncreasePercentage")
    """By how much, where `priceChangeOption` is `SpecificPercentageValue`."""
    service_activation_attribute: str = Field(
        default="requires_service_activation__limio", alias="serviceActivationAttribute"
    )
    """Attribute of offers whose subscription waits for an `activation` order."""
    gift_offer_types: tuple[str, ...] = Field(default=("gift",), alias="giftOfferTypes")
    """Offer types that are gifts: billed by a debit memo, delivered when redeemed."""
    gift_reason_code: str = Field(default="Gifting", alias="giftReasonCode")
    """Reason of the debit memo that bills a gift."""
    invoice_payment_method_id: str | None = Field(default=None, alias="invoicePaymentMethodId")
    """Payment method of those who pay by invoice, if Zuora needs one."""
    payment_gateway_id: str | None = Field(default=None, alias="paymentGatewayId")
    """The gateway's id, where Zuora wants that instead of its name."""
    apm_payment_method_field: str = Field(
        default="PaymentMethodId__c", alias="apmPaymentMethodField", pattern=CUSTOM_FIELD
    )
    """Field of the subscription that holds the method's id (`apm`)."""
    apm_payment_gateway_field: str | None = Field(
        default="PaymentGateway__c", alias="apmPaymentGatewayField", pattern=CUSTOM_FIELD
    )
    """Field of the subscription that holds the gateway (`apm`); null: none."""
    payment_profiles: bool = Field(default=False, alias="paymentProfiles")
    """Subscriptions have payment methods of their own, in their payment profile."""
    keep_payment_methods: bool = Field(default=True, alias="keepPaymentMethods")
    """Keep the old payment method when it is changed."""
    refund_rate_plan: str | RatePlanIds | None = Field(default=None, alias="refundRatePlan")
    """Rate plan whose one-off charge refunds are booked on, where the order names none."""
    non_referenced_refunds: tuple[str, ...] = Field(
        default=("CreditCard", "CreditCardReferenceTransaction", "ACH", *PAYPAL),
        alias="nonReferencedRefunds",
    )
    """Types of payment methods that are refunded to without naming a payment."""
    on_refund_not_possible: Literal["leave_credit", "referenced", "external", "fail"] = Field(
        default="leave_credit", alias="onRefundNotPossible"
    )
    """What becomes of refunds to other methods.

    `leave_credit`: the credit stays open for a person to settle; `referenced`: the payment itself
    is refunded; `external`: said to be paid outside Zuora; `fail`: the step fails.
    """
    refund_above_price: bool = Field(default=False, alias="refundAbovePrice")
    """Give back more than the price of what the subscription has now."""
    external_refund_method: ExternalMethod = Field(default="Other", alias="externalRefundMethod")
    """How money is said to have been paid outside Zuora."""
    contacts_per: Literal["account", "subscription"] = Field(default="account", alias="contactsPer")
    """Whose address a changed one is."""
    effective_date_attribute: str = Field(
        default="effective_date__limio", alias="effectiveDateAttribute"
    )
    """Attribute of the new offer that says from when a change counts.

    `immediately`, `end of billing period`, `end of term` or a date.
    """
    apply_credit: bool = Field(default=True, alias="applyCredit")
    """Settle what a change bills with the account's open credit first."""
    reason_codes: Mapping[str, str] | None = Field(default=None, alias="reasonCodes")
    """Limio's reason ids to Zuora's reason codes; without it the ids are sent."""
    change_plan: bool = Field(default=False, alias="changePlan")
    """Send a switch of one rate plan for one as Change Plan, not Remove and Add Product."""
    cancellation_policy: Cancellation = Field(
        default="EndOfCurrentTerm", alias="cancellationPolicy"
    )
    """When a cancellation counts that names no date."""
    refund_on_cancel: bool = Field(default=False, alias="refundOnCancel")
    """Give back what was paid beyond the end."""
    refund_reason_code: str | None = Field(default=None, alias="refundReasonCode")
    """Reason code of that refund."""
    credit_memo_reason_code: str | None = Field(default=None, alias="creditMemoReasonCode")
    """Reason code of the credit memo of a cancellation."""
    before_zuora_order: HookName | None = Field(default=None, alias="beforeZuoraOrder")
    """A hook of the tenant's that may change an order before it is sent."""
    zuora_version: str = Field(default="2025-08-12", alias="zuoraVersion")
    """Version of Zuora's API."""

    @model_validator(mode="after")
    def _payment_is_billed(self) -> Self:
        if self.collect_payment and not self.run_billing:
            raise ValueError("collectPayment needs runBilling: Zuora collects what it has billed")
        return self

    @model_validator(mode="after")
    def _increase_is_given(self) -> Self:
        wanted = self.price_change_option == "SpecificPercentageValue"
        if wanted is not (self.price_increase_percentage is not None):
            message = "priceIncreasePercentage goes with priceChangeOption SpecificPercentageValue"
            raise ValueError(message)
        return self
