"""Who asks, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Scope(StrEnum):
    """What a key may do; none includes another."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"
    CONFIGURE = "configure"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `mode` is that of the connection whose partner it is; None: not a partner."""

    tenant: str
    scopes: frozenset[Scope]
    actor: str
    mode: Literal["production", "test"] | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the scope is theirs."""
        return scope in self.scopes
