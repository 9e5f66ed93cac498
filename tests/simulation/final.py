"""What must hold once a healed run has settled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from schemas.events import CommandReceived, Decided, OrderAccepted, OrderReopened
from streams.core.evolve import evolve
from streams.core.order import ENDED, Order
from streams.core.snapshot import state_bytes

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor


class Final:
    """Nothing lost, everything seen, everything answered."""

    def __init__(self, auditor: "Auditor") -> None:
        self._auditor = auditor

    def judge(
        self, sent: Sequence[tuple[dict[str, Any], int, int]], asked: Mapping[str, dict[str, Any]]
    ) -> None:
        """All of it."""
        if self._auditor.problems:
            return
        self._nothing_is_lost(sent)
        self._no_order_twice()
        self._all_rest()
        self._one_end_per_run()
        self._commands_are_answered(asked)
        self._views_are_the_fold()
        self._auditor.effects.judge()

    def _nothing_is_lost(self, sent: Sequence[tuple[dict[str, Any], int, int]]) -> None:
        auditor = self._auditor
        accepted = {
            (order.accepted.external_id, seen.event.fact.document, seen.event.envelope.origin)
            for order in auditor.orders.values()
            for seen in auditor.history[order.id][:1]
            if isinstance(seen.event.fact, OrderAccepted)
        }
        bodies = {(external, orjson.loads(text)["note"]) for external, text, _ in accepted}
        rejected = {
            dict(record.headers)["origin"].decode()
            for record in auditor.log.topics["orders-rejected"][0]
        }
        for document, partition, offset in sent:
            origin = f"orders/{partition}/{offset}"
            taken = (document["external_id"], document["note"]) in bodies
            if not taken and origin not in rejected:
                auditor.problem(f"I-1 {document['external_id']} at {origin} is lost")

    def _no_order_twice(self) -> None:
        auditor = self._auditor
        counted = Counter(order.accepted.external_id for order in auditor.orders.values())
        for external, count in counted.items():
            if count > 1:
                auditor.problem(f"I-2 {external} became {count} orders")

    def _all_rest(self) -> None:
        auditor = self._auditor
        for order in auditor.orders.values():
            if order.state not in ENDED:
                auditor.problem(f"I-1 {order.id[:14]} is {order.state.value} and nobody knows why")

    def _one_end_per_run(self) -> None:
        auditor = self._auditor
        for order in auditor.orders.values():
            ends = Counter(
                seen.event.envelope.run
                for seen in auditor.history[order.id]
                if seen.applied and _ends(seen.before, seen.after)
            )
            runs = 1 + sum(
                seen.applied and isinstance(seen.event.fact, OrderReopened)
                for seen in auditor.history[order.id]
            )
            twice = {run: count for run, count in ends.items() if count > 1}
            if len(ends) != runs or (twice and order.state.value != "cancelled"):
                auditor.problem(f"I-1 {order.id[:14]} has ends {dict(ends)} in {runs} runs")

    def _commands_are_answered(self, asked: Mapping[str, dict[str, Any]]) -> None:
        auditor = self._auditor
        received: Counter[str] = Counter()
        answered: Counter[str] = Counter()
        for seens in auditor.history.values():
            for seen in seens:
                fact = seen.event.fact
                if seen.applied and isinstance(fact, CommandReceived):
                    received[fact.command] += 1
                elif seen.applied and isinstance(fact, Decided) and fact.command is not None:
                    answered[fact.command] += 1
        refused = len(auditor.log.topics["orders-rejected"][0])
        unseen = [command for command in asked if not received[command]]
        if len(unseen) > refused:
            auditor.problem(f"I-12 the commands {unseen} are lost")
        for command, count in received.items():
            if count != 1:
                auditor.problem(f"I-4 the command {command} was received {count} times")

    def _views_are_the_fold(self) -> None:
        """The store holds what the log says, and another reader folds the same from it."""
        auditor = self._auditor
        again: dict[str, Order] = {}
        for part in auditor.log.topics["order-events"]:
            for record in part:
                event = auditor.store.codec.decode(record.value)
                order_id = event.envelope.order_id
                folded = evolve(again.get(order_id), event, record.offset)
                if folded is not None:
                    again[order_id] = folded
        rows = auditor.store.rows
        if set(rows) != set(again):
            auditor.problem("I-9 the store has other orders than the log")
            return
        for order_id, row in rows.items():
            if row.state != state_bytes(again[order_id]):
                auditor.problem(f"I-9 the store has another {order_id[:14]} than the log")


def _ends(before: Order | None, after: Order | None) -> bool:
    was = before is not None and before.state in ENDED
    return after is not None and after.state in ENDED and (not was or before.state != after.state)
