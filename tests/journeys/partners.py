"""The sandbox partners of one journey, on a free port of the loopback, with the journey's day."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from aiohttp import ClientSession, web

from schemas.connections import Connections
from tests.journeys.office import Clock
from waybill.configuration import load_connections, with_sandbox
from waybill.sandbox.app import build_sandbox
from waybill.sandbox.testing import CREDENTIALS
from waybill.settings import Address, Settings

STATEFUL = ("zuora", "salesforce", "stripe")


@cache
def _shipped() -> Connections:
    return load_connections(Settings.from_environment({}))


@dataclass
class Partners:
    """The running sandbox, seen from a test."""

    url: str
    http: ClientSession
    clock: Clock

    def connections(self) -> Connections:
        """The shipped connections, at this address."""
        host, port = self.url.removeprefix("http://").split(":")
        return with_sandbox(_shipped(), Address(host, int(port)))

    async def call(self, call: str, body: Any = None) -> Any:
        """A request of ours, `METHOD /partner/path`."""
        method, _, path = call.partition(" ")
        headers = await self._authorised(path.split("/")[1])
        async with self.http.request(method, path, json=body, headers=headers) as reply:
            answer = await reply.json() if "json" in reply.content_type else await reply.text()
        assert reply.status < 400, f"{call}: {reply.status} {answer}"
        assert not isinstance(answer, dict) or answer.get("success") is not False, answer
        return answer

    async def day(self, day: str) -> None:
        """It is that day now, with all that time brings along; never an earlier one."""
        before = self.clock.at
        self.clock.day(day)
        if self.clock.at > before:
            await self.call("POST /_advance", {"to": day})

    async def state(self, partner: str) -> Any:
        """What the partner holds; Zuora's accounts with their contacts, as it shows them itself."""
        state = await self.call(f"GET /_state?partner={partner}")
        for account in state["accounts"].values() if partner == "zuora" else ():
            for role in ("billToContact", "soldToContact"):
                account[role] = state["contacts"].get(account.get(f"{role}Id"))
        return state

    async def catalogue(self) -> Mapping[str, Mapping[str, str]]:
        """Ids of rate plans by name, and of charges by `plan` or `plan/charge`."""
        listed = await self.call("GET /zuora/v1/catalog/products")
        plans, charges = {}, {}
        for product in listed["products"]:
            for plan in product["productRatePlans"]:
                name = plan["name"]
                plans[name] = plan["id"]
                for charge in reversed(plan["productRatePlanCharges"]):
                    charges[name] = charges[f"{name}/{charge['name']}"] = charge["id"]
        return {"plan": plans, "charge": charges}

    async def _authorised(self, partner: str) -> dict[str, str]:
        paths = {"zuora": "oauth/token", "salesforce": "services/oauth2/token"}
        if partner not in paths:
            return {}
        async with self.http.post(f"/{partner}/{paths[partner]}", data=CREDENTIALS) as reply:
            return {"Authorization": f"Bearer {(await reply.json())['access_token']}"}


@asynccontextmanager
async def running_partners(clock: Clock) -> AsyncIterator[Partners]:
    """A fresh sandbox, where it is the clock's day."""
    app = build_sandbox(now=lambda: clock.now().timestamp())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}"
        async with ClientSession(url) as http:
            partners = Partners(url, http, clock)
            await partners.call("POST /_advance", {"to": clock.at.date().isoformat()})
            yield partners
    finally:
        await runner.cleanup()
