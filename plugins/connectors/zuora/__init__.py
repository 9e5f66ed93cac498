"""Zuora: one module per journey, found by the order's type."""

from plugins.connectors.zuora.connector import zuora
from plugins.connectors.zuora.examples import EXAMPLES

__all__ = ["EXAMPLES", "zuora"]
