"""Refusals: what is wrong, which field says so, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something that a user sent is refused.

    `code` is stable and for programs; `field` is a JSON pointer into what was sent, where one
    member is to blame; `remedy` says what to change.
    """

    code: str
    message: str
    remedy: str
    field: str | None = None


class RefusedError(Exception):
    """Carries a `Problem` out of a place that cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem
