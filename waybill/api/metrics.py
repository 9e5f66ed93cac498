"""The API's own figures for Prometheus; labels never hold ids, tenants or paths as asked."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ApiMetrics:
    """Requests, their duration, who waits, and how many streams are open."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "waybill_api_requests",
            "Requests answered",
            ["route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "waybill_api_request_duration_seconds",
            "Seconds until a request was answered; waiting for an outcome included",
            ["route"],
            registry=self._registry,
            buckets=_BUCKETS,
        )
        Gauge(
            "waybill_api_waiters", "Requests that wait for the views", registry=self._registry
        ).set_function(waiting)
        self.streams = Gauge("waybill_api_streams", "Open event streams", registry=self._registry)
        self.submitted = Counter(
            "waybill_api_orders_submitted",
            "Orders that Kafka acknowledged, and repetitions that produced nothing",
            ["outcome"],
            registry=self._registry,
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
