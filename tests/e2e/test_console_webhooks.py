"""The console's pages of webhooks, on a real Kafka and a real store."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streams.topics import Topics
from tests.e2e.webhooking import Api, webhook_apis
from tests.unit.api.conftest import ticking
from waybill.console import add_console

URL = "http://127.0.0.1:8490/hooks"
FIELDS = {
    "url": URL,
    "description": "<b>shop</b>",
    "events": "order.failed\norder.completed",
    "payload": "thin",
    "max_in_flight": "4",
    "headers": "Authorization: Bearer canary\nX-Team: a",
}


@pytest.fixture
async def api(kafka: str, module_topics: Topics, tmp_path: Path) -> AsyncIterator[Api]:
    url = f"sqlite:///{tmp_path / 'waybill.sqlite'}"
    async with webhook_apis(kafka, module_topics, url) as starting:
        yield await starting.start(add_console, ticking())


async def page(api: Api, path: str, status: int = 200) -> str:
    response = await api.client.get(path)
    text: str = await response.text()
    assert response.status == status, text
    return text


async def sent(api: Api, path: str, **fields: str) -> Any:
    found = re.search(r'name="csrf" value="([^"]+)"', await page(api, path))
    assert found is not None
    return await api.client.post(
        path,
        data={"csrf": found[1], **fields},
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    )


async def made(api: Api) -> str:
    answer = await sent(api, "/webhooks/new", **FIELDS)
    text = await answer.text()
    assert answer.status == 200, text
    assert "whsec_" in text
    found = re.search("whe_[0-9a-f]{32}", text)
    assert found is not None
    return found[0]


async def audited(api: Api, name: str) -> None:
    _, kept = await api.ask("GET", f"/api/audit?subject={name}")
    assert [(one["action"], one["outcome"], one["reason"]) for one in kept["items"]] == [
        ("deleted", "done", "closed"),
        ("changed", "refused", "moved"),
        ("changed", "done", "moved"),
        ("created", "done", None),
    ]
    assert kept["items"][2]["details"] == {"members": ["description", "headers"]}


async def test_an_endpoint_is_made_changed_and_deleted(api: Api) -> None:
    assert "No endpoints" in await page(api, "/webhooks")
    wrong = await sent(api, "/webhooks/new", **{**FIELDS, "url": "http://10.0.0.1/"})
    text = await wrong.text()
    assert wrong.status == 422
    assert "order.failed" in text, "what was typed stays"
    name = await made(api)
    one = await page(api, f"/webhooks/{name}")
    assert all(word in one for word in ("order.failed", "thin", "authorization", "x-team"))
    assert "canary" not in one
    assert "<b>shop</b>" not in one + await page(api, "/webhooks")

    changed = {**FIELDS, "description": "till", "headers": "authorization:\n", "reason": "moved"}
    answer = await sent(api, f"/webhooks/{name}/edit", revision="1", **changed)
    assert answer.status == 303, await answer.text()
    _, after = await api.ask("GET", f"/api/webhook-endpoints/{name}")
    assert (after["description"], after["header_names"]) == ("till", ["authorization"])
    assert (after["revision"], after["events"]) == (2, ["order.failed", "order.completed"])
    stale = await sent(api, f"/webhooks/{name}/edit", revision="1", **changed | {"url": URL + "2"})
    assert stale.status == 412
    assert "for ever" in await page(api, f"/webhooks/{name}/delete")
    gone = await sent(api, f"/webhooks/{name}/delete", revision="2", reason="closed", do="send")
    assert (gone.status, gone.headers["Location"]) == (303, "/webhooks")
    assert (await api.ask("GET", f"/api/webhook-endpoints/{name}"))[0] == 404
    await audited(api, name)


async def test_a_secret_is_replaced_and_shown_once(api: Api) -> None:
    name = await made(api)
    answer = await sent(api, f"/webhooks/{name}/rotate", kind="v1a", overlap_h="2", reason="leaked")
    text = await answer.text()
    assert "whpk_" in text
    assert "1 older secret signs" in text
    assert (await sent(api, f"/webhooks/{name}/rotate", overlap_h="soon", reason="x")).status == 422
    _, after = await api.ask("GET", f"/api/webhook-endpoints/{name}")
    assert [one["kind"] for one in after["secrets"]] == ["v1a", "v1"]


async def test_an_endpoint_is_disabled_tested_and_sent_again(api: Api) -> None:
    name = await made(api)
    back = f"/webhooks/{name}"
    test = await sent(api, f"{back}/test", type="order.failed", reason="new", do="send")
    assert test.status == 303, await test.text()
    delivery = test.headers["Location"]
    shown = await page(api, delivery)
    assert "order.failed" in shown
    assert "Not tried yet" in shown
    assert delivery in await page(api, f"/webhooks/deliveries?endpoint={name}&status=pending")
    assert delivery in await page(api, back)
    assert "No delivery fits" in await page(api, "/webhooks/deliveries?status=failed")
    counted = await sent(api, f"{back}/replay", status="pending", do="preview")
    assert "1 delivery" in await counted.text()
    again = await sent(api, f"{back}/replay", status="pending", reason="lost", do="send")
    assert again.status == 303
    nothing = await sent(api, f"{back}/replay", status="", reason="all", do="send")
    assert nothing.status == 422
    assert (await sent_again(api, delivery)).headers["Location"] == delivery
    assert "2 times" in await page(api, delivery)
    assert (await sent(api, f"{back}/disable", reason="noise", do="send")).status == 303
    assert "by hand" in await page(api, back)
    refused = await sent(api, f"{back}/test", reason="x", do="send")
    assert refused.status == 409
    assert (await sent(api, f"{back}/enable", reason="quiet", do="send")).status == 303
    assert "by hand" not in await page(api, back)


async def sent_again(api: Api, delivery: str) -> Any:
    found = re.search(r'name="csrf" value="([^"]+)"', await page(api, delivery))
    assert found is not None
    return await api.client.post(
        f"{delivery}/replay",
        data={"csrf": found[1], "reason": "they lost it"},
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    )
