"""Zuora's answers: success or reasons with codes, and the headers that every one of them has."""

from collections.abc import Callable
from secrets import token_hex
from typing import Any, NamedTuple
from uuid import uuid4

from waybill.sandbox.exchange import Answer, Call, Route, answer
from waybill.sandbox.rules import Found, Rule
from waybill.sandbox.zuora.refusals import NOT_FOUND, RefusedError

# An error code is a resource followed by a category of two digits.
READS = 500000
ORDERS = 531003
ACCOUNTS = 511003
CONTACTS = 512003
METHODS = 515003
MEMOS = 521003
PAYMENTS = 522003
REFUNDS = 523003
SUBSCRIPTIONS = 530003
CATEGORIES = 100


class Desk(NamedTuple):
    """One operation: where it is, the resource of its error codes, what its body must be."""

    method: str
    path: str
    handler: Callable[[Call], Answer]
    resource: int = READS
    body: Rule | None = None
    absent: int = 200
    """The status that says "not found" here: tenants differ, so the sandbox uses both."""

    def route(self) -> Route:
        """For the gate."""
        return Route(self.method, self.path, tracked(self._attend))

    def _attend(self, call: Call) -> Answer:
        if self.body is not None:
            found: Found = []
            self.body(call.body, "", found)
            if found:
                codes = [(self._code(wrong.kind), wrong.message) for wrong in found]
                return failure(200, codes)
        try:
            return self.handler(call)
        except RefusedError as refused:
            status = self.absent if refused.category == NOT_FOUND else 200
            return failure(status, [(self._code(refused.category), refused.message)])

    def _code(self, category: int) -> int:
        return self.resource * CATEGORIES + category


def success(effect: str | None = None, /, **members: Any) -> Answer:
    """All went well; `effect` names what changed."""
    return answer(200, {"success": True, **members}, effect)


def failure(status: int, reasons: list[tuple[int | str, str]] | list[tuple[int, str]]) -> Answer:
    """Nothing was done, and why."""
    document = {
        "success": False,
        "processId": token_hex(8).upper(),
        "requestId": str(uuid4()),
        "reasons": [{"code": code, "message": message} for code, message in reasons],
    }
    return answer(status, document)


def not_found(key: str) -> RefusedError:
    """Nothing has this number or id."""
    return RefusedError(NOT_FOUND, f"Cannot find entity by key: '{key}'.")


def tracked(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """Give every answer Zuora's request id and the caller's track id."""

    def attended(call: Call) -> Answer:
        return stamped(handler(call), call)

    return attended


def stamped(given: Answer, call: Call) -> Answer:
    """The answer with the headers that Zuora puts on all of them."""
    headers = {**given.headers, "Zuora-Request-Id": str(uuid4())}
    track = call.headers.get("Zuora-Track-Id")
    if track is not None and track.isprintable() and track.isascii():
        headers["Zuora-Track-Id"] = track
    return Answer(given.status, given.body, given.effect, headers, given.content_type)
