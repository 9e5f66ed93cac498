"""Lets a tenant's own function change the request to a billing system before it is sent."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator

from plugins.api import Conversation, Failed, Request, Step
from plugins.relaying import relayed
from schemas.steps import ErrorKind

GROUP = "waybill.hooks"
"""Entry points of hooks: each names a function."""

Hook: TypeAlias = Callable[[Step[Any], Request], Request]
"""Pure: the same step and request give the same request, or a repetition would send another
body under the same key."""


class _HookError(Exception):
    """The hook did not give a request that can be sent."""


@lru_cache(maxsize=64)
def hook(name: str) -> Hook:
    """The installed hook of that name; ValueError says which there are."""
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise ValueError(f"no hook is named {name!r} (installed: {known})")
    try:
        found = installed[name].load()
    except Exception as error:
        raise ValueError(f"hook {name!r}: {type(error).__name__}: {error}") from error
    if callable(found):
        return found  # type: ignore[no-any-return]  # checked as far as it can be
    raise ValueError(f"hook {name!r}: {installed[name].value} is no function")


def _installed(name: str) -> str:
    hook(name)
    return name


HookName: TypeAlias = Annotated[str, AfterValidator(_installed)]
"""Type of an option that names a hook; one that is not installed is refused."""


@dataclass(frozen=True, slots=True)
class HookPoint:
    """Where a conversation's requests may be changed.

    `concerns` picks the requests. `identity` gives what a hook must leave as it is, because the
    partner or a look-up knows the request again by it.
    """

    concerns: Callable[[Request], bool]
    identity: Callable[[Mapping[str, Any]], object]

    def around(self, talk: Conversation, step: Step[Any], name: str | None) -> Conversation:
        """The same conversation, with the hook's requests in place of its own."""
        if name is None:
            return (yield from talk)

        def changed(request: Request) -> Request:
            return self._changed(name, step, request) if self.concerns(request) else request

        try:
            return (yield from relayed(talk, changed))
        except _HookError as problem:
            return Failed(ErrorKind.MISCONFIGURED, "hook_failed", str(problem))

    def _changed(self, name: str, step: Step[Any], request: Request) -> Request:
        """What the hook makes of a copy, so that it may change the body in place."""
        try:
            changed = hook(name)(step, replace(request, body=deepcopy(request.body)))
        except Exception as error:
            message = f"the hook {name!r} raised {type(error).__name__}: {error}"
            raise _HookError(message) from error
        if not isinstance(changed, Request):
            raise _HookError(f"the hook {name!r} gave no request but {type(changed).__name__}")
        moved = [
            member
            for member in ("method", "path", "call", "form")
            if getattr(changed, member) != getattr(request, member)
        ]
        if moved:
            raise _HookError(f"the hook {name!r} changed the request's {', '.join(moved)}")
        if self.identity(changed.body or {}) != self.identity(request.body or {}):
            raise _HookError(f"the hook {name!r} changed a number by which the request is known")
        return changed
