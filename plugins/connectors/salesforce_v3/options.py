"""The settings of the Salesforce V3 plugin."""

from pydantic import Field

from plugins.api import Options
from plugins.salesforce import CUSTOM_FIELD_PATTERN, VERSION_PATTERN


class AccountOptions(Options):
    """What is set on accounts only."""

    record_type_name: str | None = Field(default=None, alias="recordTypeName")
    """Record type of accounts that are made."""


class SalesforceOptions(Options):
    """Limio's options, and where the org keeps our ids."""

    create_person_account: bool = Field(default=False, alias="createPersonAccount")
    """The buyer is a person account, not an account and a contact."""
    account_options: AccountOptions = Field(default=AccountOptions(), alias="accountOptions")
    """What is set on accounts only."""
    include_billing_details: bool = Field(default=False, alias="includeBillingDetails")
    """Write the billing address, too."""
    use_duplicate_rules: bool = Field(default=True, alias="useDuplicateRules")
    """A record that the org's duplicate rules match is taken for the buyer's."""
    allow_duplicates: bool = Field(default=False, alias="allowDuplicates")
    """A rule that only alerts lets another record come into being."""
    api_version: str = Field(default="v62.0", alias="apiVersion", pattern=VERSION_PATTERN)
    """Version of Salesforce's API."""
    account_external_id: str = Field(
        default="External_Id__c", alias="accountExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
    """Field of accounts that holds our id."""
    contact_external_id: str = Field(
        default="External_Id__c", alias="contactExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
    """Field of contacts that holds our id."""
