"""An order in each state that it can be in, and what a command leads to there."""

from schemas.commands import CommandKind
from schemas.events import (
    CommandReceived,
    CommandRejected,
    MainPhaseCompleted,
    OrderCompleted,
    OrderPaused,
    OrderQueued,
)
from streams.core.decide import Append, Rest, RunStep
from streams.core.order import Order
from tests.facts import (
    LATER,
    accepted,
    announced,
    command,
    deferred,
    doubtful,
    failed,
    failing,
    given,
    next_of,
    not_undone,
    optional,
    post,
    revision,
    settled,
    started,
    step,
    succeeded,
    then,
    undone,
)

WAYBILL = (step("a", compensate=True), step("b"), optional("o"), post("p"))
ORDER = accepted(*WAYBILL)
OTHERWISE = (step("a", compensate=True), step("b", timeout_s=9.0), optional("o"), post("p"))


def completed(*results: CommandReceived | object) -> Order:
    order = given(
        ORDER, succeeded("a"), succeeded("b"), *results[:1], MainPhaseCompleted(expected=4)
    )
    order = then(order, *results[1:])
    return then(order, OrderCompleted(expected=order.sequence, completion="order complete"))


def cancelling() -> Order:
    """Behind a cancellation that first has to undo `a`."""
    return then(STATES["waiting"], command("cancel", command="first"))


STATES: dict[str, Order] = {
    "running": given(ORDER),
    "sent": given(accepted(announced("a"), step("b")), started("a", 1)),
    "waiting": given(ORDER, succeeded("a"), failing("b")),
    "deferred": given(ORDER, succeeded("a"), deferred("b")),
    "in doubt": given(ORDER, succeeded("a"), doubtful("b")),
    "queued": given(ORDER, OrderQueued(expected=1, behind="order-0")),
    "paused": then(
        given(ORDER, succeeded("a"), failing("b"), command("pause", command="first")),
        OrderPaused(expected=4, command="first"),
    ),
    "post phase": given(
        ORDER, succeeded("a"), succeeded("b"), failing("o"), MainPhaseCompleted(expected=4)
    ),
    "failed": settled(given(ORDER, succeeded("a"), failed("b"))),
    "completed": completed(succeeded("o"), succeeded("p")),
    "completed but o": completed(failed("o"), succeeded("p")),
    "completed but o, p": completed(failed("o"), failed("p")),
}
STATES["end waits"] = then(STATES["post phase"], succeeded("p"))
STATES["undoing"] = cancelling()
STATES["undoing waits"] = then(cancelling(), not_undone("a", until=LATER))
STATES["undoing again"] = settled(STATES["undoing waits"], LATER)
STATES["undoing failed"] = then(cancelling(), not_undone("a"))
STATES["cancelled"] = settled(then(cancelling(), undone("a")))


def asked(kind: CommandKind, name: str | None = None) -> CommandReceived:
    """A command that makes sense in itself."""
    more = {"revision": revision(*OTHERWISE, changed=())} if kind is CommandKind.AMEND else {}
    return command(kind, name, command="asked", **more)


def answer(order: Order, asks: CommandReceived) -> str:
    """What follows from the command, as the table puts it."""
    order = then(order, asks)
    decision = next_of(order)
    match decision:
        case RunStep():
            fresh = decision.compensate and order.pending[0] is asks
            return f"undo:{decision.step}" if fresh else "later"
        case Rest():
            return "nothing"
        case Append(fact):
            assert fact.command == asks.command  # type: ignore[union-attr]
            told = then(order, fact)
            assert asks not in told.pending
            if isinstance(fact, CommandRejected):
                unanswered = order._replace(pending=tuple(c for c in order.pending if c != asks))
                assert told._replace(sequence=0, updated=order.updated) == unanswered._replace(
                    sequence=0
                ), "a rejected command changes nothing"
                return f"[{fact.code}]"
            about = getattr(fact, "step", None)
            return type(fact).__name__ + (f":{about}" if about else "")
