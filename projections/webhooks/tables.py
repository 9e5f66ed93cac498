"""The tables of webhook deliveries: outside the rebuilt sets, for the log does not bring them back.

A *lane* is the deliveries of one order to one endpoint. Of a lane's pending deliveries exactly one,
its head, has a `next_at`; the others follow by (place, n). Moments are microseconds since 1970.
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, literal_column

from projections.store import BASE
from projections.tables import Place, Text

POSITIONS = Table(
    "webhook_positions",
    BASE,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", Place, nullable=False),
)
"""The last offset of `order-updates` whose deliveries are here. Its row is locked by whoever
changes the queue of the partition, so that no lane is left without a head."""

MESSAGES = Table(
    "webhook_messages",
    BASE,
    Column("id", Text, primary_key=True),
    Column("variant", Text, primary_key=True),
    Column("created", Place, nullable=False),
    Column("subject", Text),
    Column("body", LargeBinary, nullable=False),
)
"""Bodies as they are signed and sent; with a `subject`, sealed under that subject's data key."""

DELIVERIES = Table(
    "webhook_deliveries",
    BASE,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("place", Place, nullable=False),
    Column("n", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("replays", Integer, nullable=False),
    Column("created", Place, nullable=False),
    Column("next_at", Place),
    Column("settled", Place),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("last_latency_ms", Integer),
)
"""`lane` is the order's id, else the delivery's own. `attempts` counts for ever, `tries` since the
delivery was last made pending; `settled` is None while it is pending."""

ATTEMPTS = Table(
    "webhook_attempts",
    BASE,
    Column("delivery", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("at", Place, nullable=False),
    Column("status", Integer),
    Column("duration_ms", Integer, nullable=False),
    Column("error", Text),
    Column("response", Text),
)

STATES = Table(
    "webhook_endpoint_states",
    BASE,
    Column("endpoint", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("disabled_at", Place),
    Column("reason", Text),
    Column("failing_since", Place),
    Column("last_success", Place),
)
"""What deliveries found out about an endpoint of that `generation`; void for a later one."""

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
DISCARDED: Final = "discarded"

_OF = DELIVERIES.c
HAS_FAILED: Final = _OF.status == literal_column(f"'{FAILED}'")
"""As the index says it: no database proves that from a bound value."""

Index(
    "webhook_deliveries_due",
    _OF.endpoint,
    _OF.partition,
    _OF.next_at,
    _OF.id,
    sqlite_where=_OF.next_at.is_not(None),
    postgresql_where=_OF.next_at.is_not(None),
)
Index("webhook_deliveries_lane", _OF.lane, _OF.endpoint, _OF.place, _OF.n)
Index(
    "webhook_deliveries_pending",
    _OF.tenant,
    _OF.endpoint,
    _OF.created,
    sqlite_where=_OF.settled.is_(None),
    postgresql_where=_OF.settled.is_(None),
)
Index(
    "webhook_deliveries_failed",
    _OF.tenant,
    _OF.created,
    _OF.id,
    sqlite_where=HAS_FAILED,
    postgresql_where=HAS_FAILED,
)
Index("webhook_deliveries_tenant", _OF.tenant, _OF.created, _OF.id)
Index("webhook_deliveries_endpoint", _OF.tenant, _OF.endpoint, _OF.created, _OF.id)
Index("webhook_messages_created", MESSAGES.c.created)
Index("webhook_states_tenant", STATES.c.tenant)
