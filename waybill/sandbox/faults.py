"""Misbehaviour on request: which calls are refused, delayed, left hanging or cut."""

from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic_core import PydanticCustomError

PartnerName = Literal["zuora", "salesforce", "stripe", "callout", "entitlements", "webhooks"]
DEFAULT_STATUS = 503


class Fault(BaseModel):
    """One rule of misbehaviour, as posted to `/_faults`.

    `path` is a prefix or a glob, with or without the partner's own prefix. `delay_ms` also
    delays the other modes. `count` is how often the fault strikes before it wears off, `skip`
    how many calls it lets pass before. `reason` refuses with the partner's error `code`,
    `malformed` does what is asked and answers with half of a body.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    partner: PartnerName
    mode: Literal["status", "reason", "delay", "hang", "cut_before", "cut_after", "malformed"]
    path: str | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    code: str | None = None
    message: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    delay_ms: Annotated[float, Field(ge=0)] | None = None
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    count: Annotated[int, Field(gt=0)] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    _struck: int = PrivateAttr(default=0)
    _passed: int = PrivateAttr(default=0)

    @field_validator("code", mode="before")
    @classmethod
    def _codes_are_texts(cls, code: Any) -> Any:
        """Zuora's are numbers, and may be posted as such."""
        return str(code) if isinstance(code, int) else code

    @model_validator(mode="after")
    def _members_fit_the_mode(self) -> Self:
        if self.mode == "delay" and self.delay_ms is None:
            raise PydanticCustomError("delay_ms", "mode delay needs delay_ms, in milliseconds")
        if self.mode != "status" and self.status is not None:
            raise PydanticCustomError("status", "status only goes with mode status; leave it out")
        if (self.mode == "reason") != (self.code is not None):
            raise PydanticCustomError("code", "mode reason and code go together, or neither")
        return self

    @property
    def pause(self) -> float:
        """Seconds to wait before the call is dealt with."""
        return (self.delay_ms or 0.0) / 1000

    @property
    def answered(self) -> int:
        """The HTTP status of mode status."""
        return self.status or DEFAULT_STATUS

    @property
    def worn_off(self) -> bool:
        """Whether the fault has struck as often as it may."""
        return self.count is not None and self._struck >= self.count

    def matches(self, partner: str, path: str, method: str | None) -> bool:
        """Whether the fault is meant for this call; `path` is below the mount point."""
        if partner != self.partner or self.method not in (None, method):
            return False
        if self.path is None:
            return True
        pattern = self.path.removeprefix(f"/{partner}")
        return path.startswith(pattern) or fnmatchcase(path, pattern)

    def strikes(self) -> bool:
        """Count one call: the first ones may pass, the others are hit."""
        if self._passed < self.skip:
            self._passed += 1
            return False
        self._struck += 1
        return True

    def listed(self) -> dict[str, object]:
        """The fault as posted, and how often it has struck."""
        return {**self.model_dump(exclude_none=True), "struck": self._struck}


class FaultBook:
    """The faults in force; the first that matches and wins its throw strikes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault into force, behind the earlier ones."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Behave again."""
        self._faults.clear()

    def listed(self) -> list[dict[str, object]]:
        """All faults, worn off or not."""
        return [fault.listed() for fault in self._faults]

    def strike(self, partner: str, path: str, method: str | None = None) -> Fault | None:
        """The fault that befalls this call, if any."""
        for fault in self._faults:
            if fault.worn_off or not fault.matches(partner, path, method):
                continue
            wins = fault.rate >= 1 or self._random.random() < fault.rate
            if wins and fault.strikes():
                return fault
        return None
