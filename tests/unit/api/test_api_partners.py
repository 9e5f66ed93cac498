"""Connectors and connections over REST and in the console: all is shown but secrets."""

from typing import Any

import pytest

from tests.unit.api.conftest import World, partner_connections
from tests.unit.api.test_api_auth import key
from tests.unit.api.test_console_frame import OURS, token_in
from waybill.api.auth import Scope
from waybill.ports import free_port

ENVIRONMENT = {"STRIPE_KEY": "stripe-secret-5150"}


@pytest.fixture
async def partners(world: World, connect: Any) -> Any:
    """Stripe, of `default` only, in both modes, where nobody listens."""
    one = {
        "base_url": f"http://127.0.0.1:{free_port()}/stripe",
        "auth": {"type": "bearer", "token": {"env": "STRIPE_KEY"}},
        "headers": {"X-Extra": "stripe-secret-5150"},
    }
    found = {"default": {"production": {"stripe": one}, "test": {"stripe": one}}}
    world.connections = partner_connections(found, world.registry, ENVIRONMENT)
    return await connect()


class TestRest:
    async def test_connectors_have_the_schema_of_their_options(self, client: Any) -> None:
        listed = await (await client.get("/api/connectors")).json()
        names = [one["name"] for one in listed["items"]]
        assert {"zuora", "stripe", "salesforceV3"} <= set(names)
        assert all(one["distribution"] is None for one in listed["items"])
        one = await (await client.get("/api/connectors/stripe")).json()
        assert one["options"]["properties"]["daysUntilDue"]["default"] == 30
        assert (one["probe"], one["connection"]) == ("GET /v1/prices", "stripe")

    async def test_an_unknown_connector_gets_a_hint(self, client: Any) -> None:
        refused = await client.get("/api/connectors/strype")
        assert refused.status == 404
        assert "'stripe'" in (await refused.json())["remedy"]

    async def test_connections_are_checked_when_asked_and_remembered(self, partners: Any) -> None:
        before = await (await partners.get("/api/connections")).json()
        assert [one["status"] for one in before["items"]] == ["unchecked"] * 2
        checked = await partners.post("/api/connections/check?mode=test")
        assert [one["mode"] for one in (await checked.json())["items"]] == ["test"]
        after = await partners.get("/api/connections")
        by_mode = {one["mode"]: one for one in (await after.json())["items"]}
        assert by_mode["production"]["check"] is None
        check = by_mode["test"]["check"]
        assert (check["reached"], check["credentials"]) == (False, "untried")
        assert check["findings"][0]["code"] == "partner_unreachable"
        assert "stripe-secret" not in await after.text()

    async def test_one_that_is_not_there_is_not_checked(self, partners: Any) -> None:
        assert (await partners.post("/api/connections/check?name=zuora")).status == 404

    async def test_connections_are_for_operators_and_of_their_tenant(
        self, world: World, connect: Any
    ) -> None:
        reads, one = key("default", Scope.READ)
        operates, other = key("acme", Scope.OPERATE)
        world.keys = [one, other]
        found = {"default": {"production": {"zuora": {"base_url": "https://zuora.invalid"}}}}
        world.connections = partner_connections(found, world.registry, {})
        client = await connect()
        assert (await client.get("/api/connections", headers=reads)).status == 403
        of_acme = await client.get("/api/connections", headers=operates)
        assert (await of_acme.json())["items"] == []
        refused = await client.post("/api/connections/check", headers=operates)
        assert refused.status == 404


class TestConsole:
    async def test_connectors_and_one_of_them(self, partners: Any) -> None:
        page = await (await partners.get("/connectors")).text()
        assert 'href="/connectors/zuora"' in page
        one = await (await partners.get("/connectors/stripe")).text()
        assert "daysUntilDue" in one
        assert "GET /v1/prices" in one
        assert "<code>payment.stripe.paymentMethodId</code>" in one
        assert "Days to pay within" in one
        assert 'href="/configuration/entry?plugin=stripe"' in one
        assert (
            "accountOptions.recordTypeName"
            in await (await partners.get("/connectors/salesforceV3")).text()
        )
        assert (await partners.get("/connectors/strype")).status == 404

    async def test_connections_are_checked_by_a_button(self, partners: Any) -> None:
        page = await (await partners.get("/connections")).text()
        assert "not checked" in page
        assert "STRIPE_KEY" in page
        form = {"csrf": token_in(page), "mode": "test", "name": "stripe"}
        done = await partners.post("/connections/check", data=form, headers=OURS)
        told = await done.text()
        assert "1 checked, 1 with findings." in told
        assert "not reached" in told
        assert "stripe-secret" not in told
