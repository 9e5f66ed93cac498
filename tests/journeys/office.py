"""Waybill without Kafka and store: takes an order in and carries it to its end, step by step."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from plugins.addressing import Addressing
from plugins.perform import Performer
from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.codec import Memo, decode, encode
from schemas.configuration import Configuration
from schemas.connections import Connections
from schemas.events import Event
from schemas.steps import Failure
from streams.agents.equipment import Equipment
from streams.agents.fate import StoreCalls
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.stages import Stages
from streams.agents.turn import Turn
from streams.core.decide import Append, Rest, RunStep, Surroundings, decide
from streams.core.evolve import evolve
from streams.core.intake import Intake, Submission, acceptance
from streams.core.order import Order
from streams.core.sealing import NONCE_BYTES, DataKey, TenantKeys, unseal
from streams.core.sequence import Sequencer
from tests.journeys.reading import Journey
from tests.journeys.wire import Passed, Wire
from waybill.configuration import plugin_facts

TENANT, WORKER = "default", "worker-1"
MOST_EVENTS = 200
_TLS = ssl.create_default_context()
_MINE = Turn(lambda: True, lambda: False)


@dataclass
class Clock:
    """The day of the journey. Waits between attempts take no time: the clock moves instead."""

    at: datetime
    waited_s: float = 0.0

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self.waited_s)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.waited_s

    def wait_until(self, due: datetime) -> None:
        self.waited_s += max(0.0, (due - self.now()).total_seconds())

    def day(self, day: str) -> None:
        self.at = max(self.at, noon(day))


def noon(day: str) -> datetime:
    """The moment of that day at which things happen."""
    return datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)


@dataclass(frozen=True)
class Carried:
    """An order at its end, or at rest. `troubled`: the trouble on its way befell it."""

    order: Order
    document: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    events: tuple[str, ...]
    passed: tuple[Passed, ...]
    troubled: bool

    def failure(self, plugin: str) -> Failure | None:
        """Why the plugin's step failed or is in doubt, else why any did."""
        steps = self.order.accepted.waybill
        found = [
            (plugin in {step.plugin, step.id}, one.failure)
            for step, one in zip(steps, self.order.progress, strict=True)
            if one.failure is not None
        ]
        return next((failure for _, failure in sorted(found, key=lambda one: not one[0])), None)


class _Vault:
    """Data keys in memory; a key follows from whose it is."""

    def at_hand(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        del tenant
        return {s: DataKey(id=f"key-{s}", subject=s, secret=s.encode()[:32]) for s in subjects}

    made = existing = at_hand


@dataclass
class Office:
    """Carries orders; `connections` lead to the partners."""

    connections: Connections
    secrets: Mapping[str, str]
    clock: Clock
    registry: Registry
    keys: TenantKeys = field(default_factory=lambda: TenantKeys.derived_from(b"journeys"))

    def __post_init__(self) -> None:
        self.addressing = Addressing(self.registry, self.connections)
        self.plugins = plugin_facts(self.registry)
        self.ring = KeyRing(_Vault(), StoreCalls(local=True))
        self.journal = Journal(
            worker=WORKER,
            topic="order-events",
            writer=cast("Any", None),
            memo=Memo(),
            now=self.clock.now,
        )

    async def carry(self, journey: Journey, document: Mapping[str, Any]) -> Carried:
        """The order's way; `RefusedError` where intake does not take it."""
        event = await self._accepted(journey, document)
        wire = Wire(Transport.over_aiohttp(_TLS)._wire, journey.trouble)
        try:
            order, events = await self._moved(event, self._stages(wire))
        finally:
            await wire.aclose()
        return Carried(
            order=order,
            document=await self._opened(order),
            outputs=await self._outputs(order),
            events=tuple(type(one.fact).__name__ for one in events),
            passed=tuple(wire.passed),
            troubled=any(wire.struck.values()),
        )

    async def _accepted(self, journey: Journey, document: Mapping[str, Any]) -> Event:
        configuration = Configuration.model_validate(journey.configuration)
        intake = Intake(
            {TENANT: Sequencer(configuration, self.plugins)},
            {TENANT: self.keys},
            self.addressing.missing,
        )
        submission = Submission(
            tenant=TENANT,
            value=orjson.dumps(document),
            identity="journey",
            actor="journey",
            origin="journey",
        )
        prepared = intake.prepare(submission)
        keys = await self.ring.made(TENANT, [prepared.subject])
        nonce = bytes(NONCE_BYTES)
        return acceptance(prepared, keys[prepared.subject], nonce, self.clock.now())

    def _stages(self, wire: Wire) -> Stages:
        secrets = SecretValues(self.secrets)
        clock = self.clock
        performer = Performer(Transport(wire), secrets, clock.now, clock.monotonic)
        return Stages(
            Equipment(
                addressing=self.addressing,
                performer=performer,
                keys=self.ring,
                now=clock.now,
                monotonic=clock.monotonic,
                random_bytes=bytes,
                jitter=lambda: 0.0,
            )
        )

    async def _moved(self, first: Event, stages: Stages) -> tuple[Order, list[Event]]:
        events, order = [first], evolve(None, first, 0)
        while len(events) < MOST_EVENTS:
            assert order is not None
            decision = decide(order, Surroundings(WORKER, self.clock.now()))
            match decision:
                case Append(fact, _):
                    event = self.journal.event(order, fact)
                case RunStep():
                    event = self.journal.event(order, await stages(order, decision, _MINE))
                case Rest(due=None):
                    return order, events
                case Rest(due=due):
                    self.clock.wait_until(cast("datetime", due))
                    continue
            events.append(decode(encode(event)))
            order = evolve(order, events[-1], len(events) - 1)
        raise AssertionError(f"the order does not come to rest: {events[-5:]}")

    async def _opened(self, order: Order) -> dict[str, Any]:
        """The order as its steps see it."""
        accepted = order.accepted
        document: dict[str, Any] = orjson.loads(accepted.document)
        for part in accepted.sealed:
            document |= await self._unsealed(order, part)
        named = {
            "id": order.id,
            "order_reference": accepted.order_reference,
            "subscriptionReference": accepted.subscription_reference,
            "owner": accepted.owner,
            "effective_date": accepted.effective_date,
        }
        return document | named

    async def _outputs(self, order: Order) -> dict[str, dict[str, Any]]:
        found = {step: dict(output) for step, output in order.context.items()}
        for step, parts in order.sealed.items():
            for part in parts:
                found.setdefault(step, {}).update(await self._unsealed(order, part))
        return found

    async def _unsealed(self, order: Order, part: Any) -> dict[str, Any]:
        key = await self.ring.existing(order.tenant, part.subject)
        assert key is not None
        return unseal(part, order.id, key)
