"""Webhooks at work: endpoints as they are set, deliveries as they are made."""
