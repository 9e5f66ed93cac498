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
    charges: Mapping[str, str] = {}


class ZuoraOptions(Options):
    """Limio's settings, under the names of the Zuora fields that they fill.

    `ratePlans` maps the rate plan names of offers to ids and saves the look-up. `customFields`
    names those of Limio's built-in fields that the tenant has defined in Zuora.

    `effectiveDateAttribute` is the attribute of the new offer that says from when a change counts
    (`immediately`, `end of billing period`, `end of term` or a date). `applyCredit` settles what
    a change bills with the account's open credit first. `reasonCodes` maps Limio's reason ids to
    the reason codes set up in Zuora; without it the ids are sent as they are. `changePlan` has a
    switch of one rate plan for one sent as Zuora's Change Plan instead of Remove and Add Product.
    `cancellationPolicy` holds for cancellations without a date of their own. `refundOnCancel`
    gives back what was paid beyond the end; `refundReasonCode` and `creditMemoReasonCode` are the
    reason codes of that refund and of the credit memo.

    New orders: `oneSubscription` puts all offers of an order into one subscription.
    `priceChangeOption` says what a price of the order costs once its first term is over: Zuora's
    latest catalogue price, the same (`NoChange`), or `priceIncreasePercentage` more.
    `serviceActivationAttribute` is the attribute of an offer whose subscription waits for an
    `activation` order. `giftOfferTypes` are the offer types that are gifts: billed by a debit
    memo with the reason `giftReasonCode`, delivered by a subscription when they are redeemed.

    Payment: `invoicePaymentMethodId` is the method of those who pay by invoice, if Zuora needs
    one. `paymentGatewayId` is the gateway's id where Zuora wants that (`paymentGateway` is its
    name). A method that comes with an order of an existing account becomes that account's default,
    unless subscriptions have methods of their own: `apm` fills `apmPaymentMethodField` and
    `apmPaymentGatewayField` of the subscription, `paymentProfiles` its payment profile.
    `keepPaymentMethods` off removes the old method when it is changed.

    Refunds and credits: at most the price of what the subscription has now is given back, unless
    `refundAbovePrice` is on. `refundRatePlan` is the rate plan whose one-off charge they are booked
    on, where the order names no other. `nonReferencedRefunds` are the types of payment methods
    that the gateway refunds to without naming a payment. `onRefundNotPossible` says what becomes
    of the others: the credit stays open for a person to settle, the payment itself is refunded,
    the money is said to have been paid outside Zuora (as `externalRefundMethod`), or the step
    fails. `contactsPer` says whether a changed address is the account's or the subscription's.

    `beforeZuoraOrder` names a hook of the tenant's that may change an order before it is sent.
    """

    collect_payment: bool = Field(default=False, alias="collectPayment")
    run_billing: bool = Field(default=True, alias="runBilling")
    invoice_separately: bool = Field(default=True, alias="invoiceSeparately")
    apm: bool = False
    payment_gateway: str | None = Field(default=None, alias="paymentGateway")
    payment_term: str | None = Field(default=None, alias="paymentTerm")
    account_number: str | None = Field(default=None, alias="accountNumber", max_length=70)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    rate_plans: Mapping[str, str | RatePlanIds] = Field(default={}, alias="ratePlans")
    custom_fields: tuple[BuiltIn, ...] = Field(default=(), alias="customFields")
    one_subscription: bool = Field(default=False, alias="oneSubscription")
    price_change_option: PriceChange = Field(
        default="UseLatestProductCatalogPricing", alias="priceChangeOption"
    )
    price_increase_percentage: float | None = Field(default=None, alias="priceIncreasePercentage")
    service_activation_attribute: str = Field(
        default="requires_service_activation__limio", alias="serviceActivationAttribute"
    )
    gift_offer_types: tuple[str, ...] = Field(default=("gift",), alias="giftOfferTypes")
    gift_reason_code: str = Field(default="Gifting", alias="giftReasonCode")
    invoice_payment_method_id: str | None = Field(default=None, alias="invoicePaymentMethodId")
    payment_gateway_id: str | None = Field(default=None, alias="paymentGatewayId")
    apm_payment_method_field: str = Field(
        default="PaymentMethodId__c", alias="apmPaymentMethodField", pattern=CUSTOM_FIELD
    )
    apm_payment_gateway_field: str | None = Field(
        default="PaymentGateway__c", alias="apmPaymentGatewayField", pattern=CUSTOM_FIELD
    )
    payment_profiles: bool = Field(default=False, alias="paymentProfiles")
    keep_payment_methods: bool = Field(default=True, alias="keepPaymentMethods")
    refund_rate_plan: str | RatePlanIds | None = Field(default=None, alias="refundRatePlan")
    non_referenced_refunds: tuple[str, ...] = Field(
        default=("CreditCard", "CreditCardReferenceTransaction", "ACH", *PAYPAL),
        alias="nonReferencedRefunds",
    )
    on_refund_not_possible: Literal["leave_credit", "referenced", "external", "fail"] = Field(
        default="leave_credit", alias="onRefundNotPossible"
    )
    refund_above_price: bool = Field(default=False, alias="refundAbovePrice")
    external_refund_method: ExternalMethod = Field(default="Other", alias="externalRefundMethod")
    contacts_per: Literal["account", "subscription"] = Field(default="account", alias="contactsPer")
    effective_date_attribute: str = Field(
        default="effective_date__limio", alias="effectiveDateAttribute"
    )
    apply_credit: bool = Field(default=True, alias="applyCredit")
    reason_codes: Mapping[str, str] | None = Field(default=None, alias="reasonCodes")
    change_plan: bool = Field(default=False, alias="changePlan")
    cancellation_policy: Cancellation = Field(
        default="EndOfCurrentTerm", alias="cancellationPolicy"
    )
    refund_on_cancel: bool = Field(default=False, alias="refundOnCancel")
    refund_reason_code: str | None = Field(default=None, alias="refundReasonCode")
    credit_memo_reason_code: str | None = Field(default=None, alias="creditMemoReasonCode")
    before_zuora_order: HookName | None = Field(default=None, alias="beforeZuoraOrder")
    zuora_version: str = Field(default="2025-08-12", alias="zuoraVersion")

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
