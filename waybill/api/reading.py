"""Reading the views: off the event loop, with the offsets that an answer stands on."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from projections.audit_queries import AuditFilters
from projections.exporting import ExportedPage
from projections.feed import Happened, Wanted
from projections.lag import StorePositions
from projections.past import AsOf
from projections.queries import KnownOrder, Matching, OrderFilters
from projections.statistics_queries import Span
from projections.store import StoreError
from projections.subscription_queries import SubscriptionFilters
from streams.core.order import Order
from waybill.api.problems import STORE_UNAVAILABLE, ApiProblem

_T = TypeVar("_T")

_THREADS = 4


class Standing(NamedTuple):
    """What a submission is compared and answered with, of one order."""

    id: str
    tenant: str
    lane: str
    status: str
    fingerprint: bytes


class Reading(Protocol):
    """What the API asks the store; blocking, from several threads at once."""

    def one_moment(self) -> AbstractContextManager[Mapping[int, int]]:
        """The last applied offset of each partition; what this thread asks meanwhile is as old."""

    def order(self, tenant: str, order_id: str) -> Mapping[str, Any] | None:
        """One order, or None where the tenant has none of that id."""

    def folded(self, tenant: str, order_id: str, as_of: AsOf | None = None) -> Order | None:
        """The order as it is, or was, folded, its document as it stands in the log."""

    def orders(
        self, tenant: str, filters: OrderFilters, cursor: str | None, limit: int
    ) -> Mapping[str, Any]:
        """A page `{items, next}`; ValueError for a cursor that is none of ours."""

    def order_as_of(self, tenant: str, order_id: str, as_of: AsOf) -> Mapping[str, Any] | None:
        """One order as it was; ValueError where that says nothing about its partition."""

    def exported(
        self, tenant: str, filters: OrderFilters, cursor: str | None, limit: int
    ) -> ExportedPage:
        """The next flat rows of the orders that `orders` would show."""

    def timeline(
        self, tenant: str, order_id: str, as_of: AsOf | None = None
    ) -> Mapping[str, Any] | None:
        """The order's events in log order."""

    def process_events(
        self, tenant: str, order_id: str, as_of: AsOf | None = None
    ) -> Mapping[str, Any] | None:
        """The order's callouts, errors and log, for each of its runs."""

    def find_by_external_id(self, tenant: str, external_id: str) -> KnownOrder | None:
        """The first order that carries the reference."""

    def standings(self, order_ids: Collection[str]) -> Mapping[str, Standing]:
        """Those of the orders that are there."""

    def command(self, tenant: str, command_id: str) -> Mapping[str, Any] | None:
        """One command and how it was answered."""

    def answered(self, names: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The outcome of those commands, by tenant and id, that are in the view."""

    def commands_of(self, tenant: str, order_id: str) -> Sequence[Mapping[str, Any]]:
        """All commands of an order, first come first."""

    def bulk_progress(self, tenant: str, bulk: str) -> Mapping[str, Any] | None:
        """How many commands of a bulk were read, and how they were answered."""

    def matching(
        self, tenant: str, filters: OrderFilters, cursor: str | None, limit: int
    ) -> Matching:
        """Ids and lanes of the orders that `orders` would show."""

    def groups(self, tenant: str, filters: OrderFilters) -> Sequence[Mapping[str, Any]]:
        """How many orders there are, by status, plugin and error code."""

    def status_counts(self, tenant: str) -> Mapping[str, int]:
        """Orders by status, without those that are complete."""

    def accepted_by_minute(
        self, tenant: str, since: datetime, until: datetime
    ) -> Mapping[datetime, int]:
        """Orders taken, by the beginning of their minute."""

    def attention(self, tenant: str) -> Sequence[Mapping[str, Any]]:
        """What needs a person, by cause."""

    def stages(self, tenant: str) -> Sequence[Mapping[str, Any]]:
        """Counts by plugin."""

    def stage_states(self, tenant: str, now: datetime) -> Sequence[Mapping[str, Any]]:
        """What each worker said last about each stage."""

    def statistics(self, tenant: str, span: Span) -> Sequence[Mapping[str, Any]]:
        """Counts, durations and causes of errors, by interval and name."""

    def subscriptions(
        self,
        tenant: str,
        filters: SubscriptionFilters,
        today: str,
        cursor: str | None,
        limit: int,
    ) -> Mapping[str, Any]:
        """A page `{items, next}`; ValueError for a cursor that is none of ours."""

    def subscription(self, tenant: str, reference: str, today: str) -> Mapping[str, Any] | None:
        """One subscription, or None where no order of the tenant has opened it."""

    def subscription_timeline(
        self, tenant: str, reference: str, cursor: str | None, limit: int
    ) -> Mapping[str, Any]:
        """A page of the events of its orders, the latest first."""

    def customers(self, tenant: str, cursor: str | None, limit: int) -> Mapping[str, Any]:
        """A page of those who own subscriptions; ValueError for a cursor that is none of ours."""

    def customer(self, tenant: str, owner: str) -> Mapping[str, Any] | None:
        """What is known of one, or None where the tenant has nothing that they own."""

    def audit(
        self, tenant: str, filters: AuditFilters, cursor: str | None, limit: int
    ) -> Mapping[str, Any]:
        """A page of who did what; ValueError for a cursor that is none of ours."""

    def positions(self) -> StorePositions:
        """How far the store is with the log, and what was published and queued of it."""

    def happened(
        self, vector: Mapping[int, int], wanted: Collection[Wanted], limit: int
    ) -> Happened:
        """Events behind the vector that any of `wanted` asks for, `limit` of each partition."""


_BEGUN: ContextVar[Mapping[int, int] | None] = ContextVar("_BEGUN", default=None)
"""What the first look of a request stood on: all that it answers holds at least that."""


class Reader:
    """Asks in a small pool of threads; `applied` is the newest vector that was seen."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._pool = ThreadPoolExecutor(_THREADS, "reads")
        self.applied: Mapping[int, int] = {}

    async def ask(self, question: Callable[[Reading], _T]) -> _T:
        """The answer; it holds at least what `applied` says afterwards. 503 without a store."""
        loop = asyncio.get_running_loop()
        try:
            applied, answer = await loop.run_in_executor(self._pool, self._both, question)
        except (DBAPIError, PoolTimeoutError, StoreError) as problem:
            raise ApiProblem(
                STORE_UNAVAILABLE,
                f"the store of the views does not answer ({type(problem).__name__})",
                "try again; if it stays, look at WAYBILL_DATABASE and the projector",
                headers={"Retry-After": "2"},
            ) from problem
        self.applied = applied
        if _BEGUN.get() is None:
            _BEGUN.set(applied)
        return answer

    @property
    def answered(self) -> Mapping[int, int]:
        """What the answer to this request stands on, whatever others have seen since."""
        begun = _BEGUN.get()
        return self.applied if begun is None else begun

    def begin(self) -> None:
        """A new request."""
        _BEGUN.set(None)

    def _both(self, question: Callable[[Reading], _T]) -> tuple[Mapping[int, int], _T]:
        with self._reading.one_moment() as applied:
            return applied, question(self._reading)

    def close(self) -> None:
        """Lets the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
