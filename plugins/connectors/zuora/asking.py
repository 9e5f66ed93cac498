"""Single requests to Zuora, and what their replies say: there, not there, done, refused."""

from collections.abc import Generator, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from plugins.api import Failed, PartnerSurpriseError, Reply, Request, Step, Unknown
from plugins.connectors.zuora.envelope import StoppedError, errors, headers, not_found, refusal
from plugins.connectors.zuora.numbers import order_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import text
from schemas.steps import ErrorKind

Problem: TypeAlias = Failed | Unknown
_IN_FORCE = frozenset({"Completed", "Pending", "Draft", "Scheduled", "Executing"})
_REFUSED = frozenset({400, 404, 422})
"""Zuora refuses with HTTP 200 or with one of these; a conversation may want to see either."""
_BUSINESS_RULE, _NOT_FOUND = "30", ("40", "_404")
_V1 = "/v1/"
_NEITHER = "the reply says neither success nor failure"


def path_of(*parts: str) -> str:
    """A path of Zuora's, with numbers and ids in it quoted."""
    return "/".join(("", "v1", *(quote(part, safe="") for part in parts)))


def found(
    step: Step[ZuoraOptions], path: str, query: Mapping[str, str] | None = None
) -> Generator[Request, Reply, Reply | None]:
    """What Zuora has there; None: nothing."""
    request = Request("GET", path, query=query, headers=headers(step), accept=frozenset({404}))
    reply = yield request
    if not_found(reply):
        return None
    problem = refusal(reply)
    if problem is not None:
        raise StoppedError(problem)
    if path.startswith(_V1) and reply["success"] is not True:
        raise PartnerSurpriseError(_NEITHER)
    return reply


def not_in_force(step: Step[ZuoraOptions], order: Mapping[str, Any]) -> Failed | None:
    """Why our order, though it is there, did not and will not do what it says."""
    status = text(order, "status")
    if status in _IN_FORCE:
        return None
    message = (
        f"the Zuora order {order_number(step)} is {status}: settle it there, then resolve the step"
    )
    return Failed(ErrorKind.PERMANENT, "order_not_in_force", message)


def attempted(
    step: Step[ZuoraOptions], method: str, path: str, body: Mapping[str, Any] | None, call: str
) -> Generator[Request, Reply, Reply | Problem]:
    """Ask for a change; a refusal is the conversation's to weigh."""
    reply = yield Request(
        method, path, body=body, call=call, headers=headers(step), accept=_REFUSED
    )
    if not reply.ok:
        unnamed = Failed(ErrorKind.PERMANENT, f"http_{reply.status}", f"Zuora said {reply.status}")
        return errors(reply) or unnamed
    problem = refusal(reply)
    if problem is None and reply["success"] is not True:
        raise PartnerSurpriseError(_NEITHER)
    return problem or reply


def done(
    step: Step[ZuoraOptions], method: str, path: str, body: Mapping[str, Any] | None, call: str
) -> Generator[Request, Reply, Reply]:
    """A change that must be made, or the step ends."""
    reply = yield from attempted(step, method, path, body, call)
    if not isinstance(reply, Reply):
        raise StoppedError(reply)
    return reply


def is_taken(problem: Problem) -> bool:
    """Whether something of that number is there already: perhaps what an earlier attempt made."""
    return isinstance(problem, Unknown) and problem.code.endswith(_BUSINESS_RULE)


def is_absent(problem: Problem) -> bool:
    """Whether there is nothing (any more) that could be changed."""
    return isinstance(problem, Failed) and problem.code.endswith(_NOT_FOUND)
