"""The operator's side of the sandbox: journal, faults, state, its day and a sign of life."""

from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from waybill.sandbox.exchange import Advance, Ages, Partner
from waybill.sandbox.faults import Fault
from waybill.sandbox.gate import World
from waybill.sandbox.journal import Filter

_JOURNAL_PARAMETERS = frozenset({"partner", "order", "key", "limit", "after", "summary"})


class Control:
    """Handlers of `/_journal`, `/_faults`, `/_state`, `/_advance` and `/livez`."""

    def __init__(self, world: World, partners: Sequence[Partner]) -> None:
        self._world = world
        self._partners = {partner.name: partner for partner in partners}

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/livez", self.livez)
        app.router.add_get("/_journal", self.journal)
        app.router.add_delete("/_journal", self.empty_journal)
        app.router.add_post("/_journal/take", self.take_journal)
        app.router.add_get("/_faults", self.faults)
        app.router.add_post("/_faults", self.add_fault)
        app.router.add_delete("/_faults", self.clear_faults)
        app.router.add_get("/_state", self.state)
        app.router.add_post("/_advance", self.advance)

    async def state(self, request: web.Request) -> web.Response:
        """All that one partner keeps, or each of them by name."""
        name = request.query.get("partner")
        if name is None:
            return _json(200, {name: one.state() for name, one in self._partners.items()})
        if name not in self._partners:
            return _problem([("partner", f"must be one of {', '.join(self._partners)}")])
        return _json(200, self._partners[name].state())

    async def advance(self, request: web.Request) -> web.Response:
        """Let days go by: `to` is the new day; what is due by then comes about."""
        try:
            wanted = Advance.model_validate_json(await request.read())
        except ValidationError as refused:
            return _problem([_named(error) for error in refused.errors()])
        passed = [one.advance(wanted) for one in self._partners.values() if isinstance(one, Ages)]
        return _json(200, {name: value for one in passed for name, value in one.items()})

    async def livez(self, _: web.Request) -> web.Response:
        """Always well."""
        return _json(200, {"status": "ok"})

    async def journal(self, request: web.Request) -> web.Response:
        """Entries oldest first, or their summary; `limit` pages, `next` goes into `after`."""
        query = request.query
        for name in query:
            if name not in _JOURNAL_PARAMETERS:
                allowed = ", ".join(sorted(_JOURNAL_PARAMETERS))
                return _problem([(name, f"is not a parameter of the journal; use {allowed}")])
        for name in ("limit", "after"):
            if not query.get(name, "0").isdecimal():
                return _problem([(name, "must be a whole number")])
        wanted = Filter(query.get("partner"), query.get("order"), query.get("key"))
        if query.get("summary", "false") == "true":
            return _json(200, self._world.journal.summary(wanted))
        after = int(query.get("after", 0))
        found = list(self._world.journal.select(wanted))[after:]
        limit = int(query.get("limit", len(found)))
        rest = after + limit if limit < len(found) else None
        items = [entry.listed() for entry in found[:limit]]
        return _json(200, {"items": items, "next": None if rest is None else str(rest)})

    async def empty_journal(self, _: web.Request) -> web.Response:
        """Forget all entries."""
        self._world.journal.clear()
        return web.Response(status=204)

    async def take_journal(self, request: web.Request) -> web.Response:
        """The oldest entries, at most `limit`; the journal forgets them."""
        limit = request.query.get("limit", "1000")
        if not limit.isdecimal():
            return _problem([("limit", "must be a whole number")])
        taken = self._world.journal.take(int(limit))
        return _json(200, {"items": [entry.listed() for entry in taken], "next": None})

    async def faults(self, _: web.Request) -> web.Response:
        """All faults and how often each has struck."""
        return _json(200, {"items": self._world.faults.listed(), "next": None})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault into force."""
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as refused:
            return _problem([_named(error) for error in refused.errors()])
        self._world.faults.add(fault)
        return _json(201, fault.listed())

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Behave again."""
        self._world.faults.clear()
        return web.Response(status=204)


def _named(error: Any) -> tuple[str, str]:
    """The field a validation error is about; a rule across fields has its name in the type."""
    rule = error["type"] if error["type"] in Fault.model_fields else "(body)"
    return ".".join(map(str, error["loc"])) or rule, error["msg"]


def _json(status: int, document: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


def _problem(errors: list[tuple[str, str]]) -> web.Response:
    document = {
        "type": "about:blank",
        "title": "The request was not understood",
        "status": 400,
        "code": "invalid_request",
        "detail": "; ".join(f"{field}: {message}" for field, message in errors),
        "errors": [{"field": field, "message": message} for field, message in errors],
    }
    return web.Response(
        status=400, body=orjson.dumps(document), content_type="application/problem+json"
    )
