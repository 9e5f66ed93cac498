"""The consumer groups of our processes; the prefix of the topics stands before their names."""

WORKERS = "waybill-worker"
PROJECTORS = "waybill-projector"
WEBHOOKS = "waybill-webhooks"
