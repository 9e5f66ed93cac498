"""Salesforce V3: the buyer's account and contact."""

from plugins.connectors.salesforce_v3.connector import salesforce_v3
from plugins.connectors.salesforce_v3.examples import EXAMPLES
from plugins.connectors.salesforce_v3.options import SalesforceOptions
from plugins.connectors.salesforce_v3.records import external_id

__all__ = ["EXAMPLES", "SalesforceOptions", "external_id", "salesforce_v3"]
