"""What the write side counts. Labels are bounded: never an order, a customer or a URL."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

ORDERS_ACCEPTED = Counter("waybill_orders_accepted_total", "Orders taken", ["order_type"])
ORDERS_REJECTED = Counter("waybill_orders_rejected_total", "Orders not taken", ["code"])
COMMANDS = Counter("waybill_commands_received_total", "Commands read", ["command"])
INTAKE_AGE = Gauge("waybill_intake_age_seconds", "Age of the record of `orders` taken last")
EVENTS_READ = Counter("waybill_events_read_total", "Events of order-events read back")
EVENTS_IGNORED = Counter("waybill_events_ignored_total", "Events that did not apply")
PARTITIONS_HALTED = Counter("waybill_partitions_halted_total", "Partitions stopped by a record")
ORDERS_HELD = Gauge("waybill_orders_held", "Orders in memory")
ORDERS_MOVING = Gauge("waybill_orders_moving", "Orders with something to do now")
STEPS_IN_FLIGHT = Gauge("waybill_steps_in_flight", "Tasks under way")
QUARANTINED = Counter("waybill_quarantined_total", "What was not handled: processes died of it")
TIMERS_PENDING = Gauge("waybill_timers_pending", "Resting orders that a time or a stage wakes")
TIMER_LATENESS = Histogram(
    "waybill_timer_lateness_seconds",
    "How late the next attempt was opened",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0),
)
STALLED = Counter("waybill_orders_stalled_total", "Moving orders found with nothing under way")
STEP_ATTEMPTS = Counter("waybill_step_attempts_total", "Attempts by outcome", ["plugin", "outcome"])
STEP_SECONDS = Histogram("waybill_step_duration_seconds", "Attempt durations", ["plugin"])

VIEWS_SECONDS = Histogram(
    "waybill_views_seconds",
    "What the projector's transactions take: `decode`, `lock`, `write`, `commit`",
    ["part"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)

STAGE_BREAKER = Gauge("waybill_stage_breaker", "0 closed, 1 half-open, 2 open", ["stage"])
STAGE_OPENED = Counter("waybill_stage_breaker_opened_total", "Breakers that opened", ["stage"])
STAGE_HELD = Gauge("waybill_stage_held", "1 while an operator holds it", ["stage"])
STAGE_SLOTS = Gauge("waybill_stage_slots", "This process's share of max_in_flight", ["stage"])
STAGE_IN_FLIGHT = Gauge("waybill_stage_in_flight", "Conversations under way", ["stage"])
STAGE_WAITING = Gauge("waybill_stage_waiting", "Attempts that wait for slot or token", ["stage"])
STAGE_WAITED = Counter("waybill_stage_waited_total", "Conversations that had to wait", ["stage"])
STEPS_DEFERRED = Counter(
    "waybill_steps_deferred_total", "Attempts put off, not sent", ["stage", "reason"]
)


def attempt(plugin: str, outcome: str, seconds: float) -> None:
    """Counts one attempt of a step."""
    attempts, durations = _of_stage(plugin, outcome)
    attempts.inc()
    durations.observe(seconds)


@cache
def _of_stage(plugin: str, outcome: str) -> tuple[Counter, Histogram]:
    return STEP_ATTEMPTS.labels(plugin, outcome), STEP_SECONDS.labels(plugin)
