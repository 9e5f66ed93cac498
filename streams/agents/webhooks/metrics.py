"""What webhooks count. Labels are bounded: never an endpoint, a tenant or a URL."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter("waybill_webhook_deliveries_total", "Deliveries that ended", ["outcome"])
ATTEMPTS = Counter("waybill_webhook_attempts_total", "Attempts by what came of them", ["outcome"])
ATTEMPT_SECONDS = Histogram(
    "waybill_webhook_attempt_duration_seconds",
    "Durations of attempts",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)
FIRST_ATTEMPT_SECONDS = Histogram(
    "waybill_webhook_first_attempt_seconds",
    "From the publication of an update to the first attempt to deliver it",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3600.0),
)
PENDING = Gauge("waybill_webhook_pending", "Deliveries that have not arrived, of all processes")
OLDEST_SECONDS = Gauge(
    "waybill_webhook_oldest_undelivered_seconds",
    "Age of the oldest delivery that has not arrived; disabled and throttled endpoints count, too",
)
IN_FLIGHT = Gauge("waybill_webhook_in_flight", "Attempts under way")
DISABLED = Gauge("waybill_webhook_endpoints_disabled", "Endpoints that deliveries have disabled")
DISABLINGS = Counter(
    "waybill_webhook_endpoint_disablings_total", "Endpoints that were disabled", ["reason"]
)
UNREADABLE = Counter("waybill_webhook_unreadable_updates_total", "Updates that were passed over")
FORGOTTEN = Counter("waybill_webhook_forgotten_total", "Deliveries dropped for age", ["status"])
