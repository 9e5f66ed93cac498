"""Has a conversation while another party sees, changes or stops its requests."""

from collections.abc import Callable

from plugins.api import Conversation, Outcome, Request


def relayed(talk: Conversation, through: Callable[[Request], Request]) -> Conversation:
    """The same conversation with `through`'s requests; what that raises ends it."""
    try:
        request = next(talk)
        while True:
            request = talk.send((yield through(request)))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    finally:
        talk.close()
