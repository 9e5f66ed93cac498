"""The settings of the Zuora plugin."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from plugins.api import Options


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
    the reason codes set up in Zuora; without it the ids are sent as they are.
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
    custom_fields: tuple[Literal["Source__c", "InitiatedSource__c", "lmo_offer__c"], ...] = Field(
        default=(), alias="customFields"
    )
    effective_date_attribute: str = Field(
        default="effective_date__limio", alias="effectiveDateAttribute"
    )
    apply_credit: bool = Field(default=True, alias="applyCredit")
    reason_codes: Mapping[str, str] | None = Field(default=None, alias="reasonCodes")
    zuora_version: str = Field(default="2025-08-12", alias="zuoraVersion")

    @model_validator(mode="after")
    def _payment_is_billed(self) -> Self:
        if self.collect_payment and not self.run_billing:
            raise ValueError("collectPayment needs runBilling: Zuora collects what it has billed")
        return self
