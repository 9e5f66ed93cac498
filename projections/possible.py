"""Which commands an order would not reject as it stands: the core is asked, nothing is guessed."""

from schemas.commands import CommandKind
from schemas.events import CommandReceived, CommandRejected
from streams.core.commands import answered
from streams.core.decide import Append, Surroundings, completion
from streams.core.order import FINAL, Order
from streams.core.undoing import undoing


def possible_commands(order: Order) -> list[str]:
    """In the order in which they are named; an order that answers another one first has none.

    Unless that one waits for a step that could not be undone: a person has to look at it.
    """
    if order.pending and undoing(order) is None:
        return []
    return [kind.value for kind in CommandKind if _is_possible(order, kind)]


def _is_possible(order: Order, kind: CommandKind) -> bool:
    if kind is CommandKind.AMEND:
        return order.state not in FINAL and not order.main_completed
    asked = CommandReceived(command="", kind=kind, reason="")
    around = Surroundings(worker="", now=order.updated)
    answer = answered(order._replace(pending=(*order.pending, asked)), around, completion(order))
    return not (isinstance(answer, Append) and isinstance(answer.fact, CommandRejected))
