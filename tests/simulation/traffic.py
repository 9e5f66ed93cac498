"""What comes from outside: a shop that sends orders, operators who ask for things."""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from streams.core.order import ENDED, Order, State, StepStatus
from tests.simulation.processes import COMMANDS, CONTROLS, ORDERS
from tests.simulation.scene import COMMANDS as WEIGHTS

if TYPE_CHECKING:
    from tests.simulation.world import World

STEERING = frozenset({"retry", "skip", "resolve"})


class Shop:
    """Sends each order until it is acknowledged, and some of them more than once."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.acknowledged: list[tuple[dict[str, Any], int, int]] = []

    async def run(self) -> None:
        """Sends all orders of the scene."""
        loop = self._world.loop
        for ordered in sorted(self._world.around.scene.orders, key=lambda one: one.at):
            await asyncio.sleep(max(0.0, ordered.at - loop.time()))
            loop.create_task(self._send(ordered.document))

    async def _send(self, document: dict[str, Any]) -> None:
        chance = self._world.around.chance
        await self.publish(document)
        if chance.hits("order_twice"):
            await asyncio.sleep(chance.between(0, 5))
            await self.publish(document)
        if chance.hits("order_contradicted"):
            await asyncio.sleep(chance.between(0, 5))
            await self.publish({**document, "note": "something else"})

    async def publish(self, document: dict[str, Any]) -> None:
        """Returns when the order is acknowledged."""
        partition, offset = await self._world.write(
            ORDERS, document["external_id"].encode(), orjson.dumps(document)
        )
        self.acknowledged.append((document, partition, offset))


class Operators:
    """Ask for anything at any time; after the healing, for what makes each order go on."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._random = world.around.chance.stream("operators")
        self._number = 0
        self.eager = self._random.random() < 0.6 and not world.around.scene.isolates
        self.asked: dict[str, dict[str, Any]] = {}
        self._retried: list[str] = []

    async def run(self) -> None:
        """Asks now and then."""
        while self.eager and not self._world.around.chance.healed:
            await asyncio.sleep(self._random.expovariate(1.0))
            orders = list(self._world.auditor.orders.values())
            if orders:
                await self._ask_something(self._random.choice(orders))

    async def _ask_something(self, order: Order) -> None:
        chance = self._world.around.chance
        kind = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        asked = self._command(order, kind)
        if kind in STEERING and self._random.random() < 0.4 and order.accepted.waybill:
            asked["step"] = self._random.choice(order.accepted.waybill).id
        if kind == "retry" and self._random.random() < 0.3:
            asked["config"] = "current"
        await self._send(asked)
        if chance.hits("command_twice"):
            await asyncio.sleep(self._random.uniform(0, 3))
            await self._send(asked)

    async def hold(self, stage: str) -> None:
        """Holds a stage, and lets it go on after a while, at the latest when all is healed."""
        await self._steer(stage, "hold_stage")
        until = self._world.loop.time() + self._random.uniform(0.5, 8)
        while self._world.loop.time() < until and not self._world.around.chance.healed:  # noqa: ASYNC110 (time is all that passes)
            await asyncio.sleep(0.5)
        await self._steer(stage, "release_stage")

    async def release_held(self) -> None:
        """A hold that was sent again, and landed behind its release, is seen and released."""
        held: dict[str, bool] = {}
        records = self._world.around.log.topics[CONTROLS][0]
        controls = [orjson.loads(record.value or b"{}") for record in records]
        for control in sorted(controls, key=lambda one: str(one["at"])):
            held[control["stage"]] = control["held"]
        for stage, is_held in held.items():
            if is_held:
                await self._steer(stage, "release_stage")

    async def _steer(self, stage: str, kind: str) -> None:
        self._number += 1
        asked = {
            "id": f"command-{self._number}",
            "stage": stage,
            "command": kind,
            "reason": "an operator wants it",
        }
        await self._world.write(COMMANDS, stage.encode(), orjson.dumps(asked))

    async def settle(self, order: Order) -> bool:
        """Answers what the order rests for; whether there was anything to be answered."""
        stuck = {StepStatus.IN_DOUBT, StepStatus.COMPENSATION_FAILED}
        doubtful = any(one.status in stuck for one in order.progress)
        if order.state in ENDED or order.open_at is not None or (order.pending and not doubtful):
            return False
        if order.paused and not order.pending:
            await self._send(self._command(order, "resume"))
            return True
        if order.state is not State.IN_DOUBT and not order.pending:
            return False
        step = next(
            step.id
            for step, one in zip(order.accepted.waybill, order.progress, strict=True)
            if one.status in stuck
        )
        kinds = ("skip", "resolve", "retry")
        kind = self._random.choice(kinds[:2] if order.id in self._retried else kinds)
        if kind == "retry":
            # Once: a partner may go on to say that it does not know, and then people do.
            self._retried.append(order.id)
        await self._send({**self._command(order, kind), "step": step})
        return True

    def _command(self, order: Order, kind: str) -> dict[str, Any]:
        self._number += 1
        asked: dict[str, Any] = {
            "id": f"command-{self._number}",
            "order": order.id,
            "command": kind,
            "reason": "an operator wants it",
        }
        if kind == "resolve":
            asked["output"] = {"made": ["by hand"]}
        if kind == "amend":
            asked["changes"] = {"note": f"amended by {self._number}"}
        return asked

    async def _send(self, asked: dict[str, Any]) -> None:
        self._world.around.chance.met[f"command_{asked['command']}"] += 1
        self.asked[asked["id"]] = asked
        await self._world.write(COMMANDS, asked["order"].encode(), orjson.dumps(asked))
