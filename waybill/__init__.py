"""Waybill: carries subscription orders through partner systems, with every fact in a Kafka log."""

__version__ = "0.1.0"
