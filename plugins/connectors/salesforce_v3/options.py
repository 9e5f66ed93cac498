"""The settings of the Salesforce V3 plugin."""

from pydantic import Field

from plugins.api import Options
from plugins.salesforce import CUSTOM_FIELD_PATTERN, VERSION_PATTERN


class AccountOptions(Options):
    """What is set on accounts only."""

    record_type_name: str | None = Field(default=None, alias="recordTypeName")


class SalesforceOptions(Options):
    """Limio's options, and where the org keeps our ids.

    `useDuplicateRules`: a record that the org's duplicate rules match is taken for the buyer's.
    `allowDuplicates` lets a rule that only alerts pass, so that another record comes into being.
    """

    create_person_account: bool = Field(default=False, alias="createPersonAccount")
    account_options: AccountOptions = Field(default=AccountOptions(), alias="accountOptions")
    include_billing_details: bool = Field(default=False, alias="includeBillingDetails")
    use_duplicate_rules: bool = Field(default=True, alias="useDuplicateRules")
    allow_duplicates: bool = Field(default=False, alias="allowDuplicates")
    api_version: str = Field(default="v62.0", alias="apiVersion", pattern=VERSION_PATTERN)
    account_external_id: str = Field(
        default="External_Id__c", alias="accountExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
    contact_external_id: str = Field(
        default="External_Id__c", alias="contactExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
