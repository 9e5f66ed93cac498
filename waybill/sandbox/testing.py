"""A sandbox in this process, for tests that want partners to talk to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web

from waybill.sandbox.app import build_sandbox

CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "0f2a4c6e-8b1d-4e3f-9a5c-7d6b8e0f1a2b",
    "client_secret": "s3cr3t",
}
CLIENT_SECONDS = 5


class Sandbox:
    """A running sandbox, its clock (`time`, in seconds) and a client that has the tokens."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.url = ""
        self.tokens: dict[str, str] = {}
        self.http: ClientSession

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and body of one call; header names are given with underscores."""
        partner = path.split("/")[1]
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if partner in self.tokens:
            sent.setdefault("Authorization", f"Bearer {self.tokens[partner]}")
        async with self.http.request(method, path, json=body, headers=sent) as reply:
            is_json = "json" in reply.content_type
            return reply.status, await (reply.json() if is_json else reply.text())

    async def journal(self, **wanted: str) -> Any:
        """The journal's answer for these filters."""
        async with self.http.get("/_journal", params=wanted) as reply:
            return await reply.json()

    async def effects(self, **wanted: str) -> list[str]:
        """What came into being, in order."""
        items = (await self.journal(**wanted))["items"]
        return [item["effect"] for item in items if item["effect"] is not None]

    async def state(self, partner: str) -> Any:
        """All that a partner keeps."""
        return (await self.call("GET", f"/_state?partner={partner}"))[1]

    async def advance(self, to: str, **more: str) -> Any:
        """Let days go by."""
        return (await self.call("POST", "/_advance", {"to": to, **more}))[1]

    async def fault(self, partner: str, mode: str, **more: Any) -> None:
        """Put a fault into force; ValueError with the problem when it is not understood."""
        status, answer = await self.call(
            "POST", "/_faults", {"partner": partner, "mode": mode, **more}
        )
        if status != web.HTTPCreated.status_code:
            raise ValueError(answer["detail"])

    async def sign_in(self) -> None:
        """Fetch fresh tokens from the partners that want one."""
        for partner, path in (("zuora", "oauth/token"), ("salesforce", "services/oauth2/token")):
            async with self.http.post(f"/{partner}/{path}", data=CREDENTIALS) as reply:
                self.tokens[partner] = (await reply.json())["access_token"]


@asynccontextmanager
async def running_sandbox() -> AsyncIterator[Sandbox]:
    """A fresh sandbox on a free port of the loopback, signed in."""
    sandbox = Sandbox()
    runner = web.AppRunner(
        build_sandbox(now=lambda: sandbox.time), access_log=None, shutdown_timeout=1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        sandbox.url = f"http://{host}:{port}"
        timeout = ClientTimeout(total=CLIENT_SECONDS)
        async with ClientSession(sandbox.url, timeout=timeout) as sandbox.http:
            await sandbox.sign_in()
            yield sandbox
    finally:
        await runner.cleanup()


def zuora_change(*actions: Any, on: str = "2026-04-01", **members: Any) -> dict[str, Any]:
    """An order on the subscription that `zuora_order()` makes; an action is (type, its member)."""
    names = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    entries = [
        {
            "type": kind,
            "triggerDates": [{"name": name, "triggerDate": on} for name in names],
            kind[0].lower() + kind[1:]: member,
        }
        for kind, member in actions
    ]
    return {
        "orderDate": on,
        "orderNumber": "O-change",
        "existingAccountNumber": "WB-1",
        "subscriptions": [{"subscriptionNumber": "S-1", "orderActions": entries}],
        **members,
    }


def zuora_order(number: str = "1", **changes: Any) -> dict[str, Any]:
    """A body of `POST /v1/orders` that Zuora takes; `changes` replace top-level members."""
    buyer = {"firstName": "Ada", "lastName": "Byron"}
    plan = {"productRatePlanId": "0123456789abcdef0123456789abcdef"}
    term = {"termType": "TERMED", "period": 12, "periodType": "Week", "startDate": "2026-03-01"}
    names = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    action = {
        "type": "CreateSubscription",
        "triggerDates": [{"name": name, "triggerDate": "2026-03-01"} for name in names],
        "createSubscription": {
            "subscriptionNumber": f"S-{number}",
            "terms": {"initialTerm": term, "autoRenew": True},
            "subscribeToRatePlans": [plan],
        },
    }
    return {
        "orderDate": "2026-03-01",
        "orderNumber": f"O-{number}",
        "newAccount": {
            "accountNumber": f"WB-{number}",
            "name": "Ada Byron",
            "currency": "GBP",
            "billCycleDay": 0,
            "autoPay": True,
            "hpmCreditCardPaymentMethodId": "8adca41e7c7cf49c017c84948c906d5e",
            "billToContact": buyer,
        },
        "subscriptions": [{"orderActions": [action]}],
        "processingOptions": {"runBilling": True, "collectPayment": True},
        **changes,
    }
