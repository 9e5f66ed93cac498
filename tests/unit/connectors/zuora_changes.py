"""What the tests of changes of a subscription have in common."""

from plugins.api import Failed
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.examples.scene import ABSENT, ordered


def order_of(asked):
    """The body of the order, which is the last request."""
    assert (asked[-1].method, asked[-1].path) == ("POST", "/v1/orders")
    return asked[-1].body


def actions_of(asked):
    [changed] = order_of(asked)["subscriptions"]
    return changed["orderActions"]


def kinds_of(asked):
    return [action["type"] for action in actions_of(asked)]


def action_of(asked, kind):
    """The only action of the kind."""
    [action] = [action for action in actions_of(asked) if action["type"] == kind]
    return action


def days_of(asked):
    """The days that the actions count from; each has one for all three triggers."""
    for action in actions_of(asked):
        assert len({trigger["triggerDate"] for trigger in action["triggerDates"]}) == 1
    return [action["triggerDates"][0]["triggerDate"] for action in actions_of(asked)]


def sent(talk, at, *before):
    """What is asked when the order is taken; `before` are the replies up to it."""
    asked, outcome = talk(zuora.perform(at), *before, ordered())
    return asked, outcome


def refusal_of(talk, at, *replies, looks_it_up=False):
    """The failure; nothing was changed, and where asked for, our order was looked for first."""
    asked, outcome = talk(zuora.perform(at), *replies, *([ABSENT] if looks_it_up else []))
    assert all(request.call is None for request in asked), "nothing may be changed"
    assert isinstance(outcome, Failed)
    return outcome
