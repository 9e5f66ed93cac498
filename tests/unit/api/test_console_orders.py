"""The console's pages of orders: found, understood, acted on, one by one and many at once."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from schemas.commands import CommandKind
from schemas.events import CommandReceived, CommandRejected, OrderReopened, StepFailed
from schemas.order_commands import read_command
from schemas.steps import Body, Callout, ErrorKind
from tests.facts import reason
from tests.unit.api.conftest import NOW
from tests.unit.api.test_api_auth import key
from tests.unit.api.test_api_commands import failed_order
from waybill.api.auth import Scope

OURS = {"Sec-Fetch-Site": "same-origin"}
SCRIPT = "<script>alert(1)</script>"


async def page(client: Any, path: str, status: int = 200, **more: Any) -> str:
    response = await client.get(path, **more)
    text: str = await response.text()
    assert response.status == status, text
    return text


async def sent(client: Any, path: str, text: str, **fields: Any) -> Any:
    """The form of the page, sent with these fields beside its hidden ones."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
    data = [(name, html.unescape(value)) for name, value in hidden if name != "next"]
    for name, value in fields.items():
        data = [one for one in data if one[0] != name]
        data += [(name, one) for one in (value if isinstance(value, list) else [value])]
    return await client.post(path, data=data, headers=OURS, allow_redirects=False)


def exchange(text: str = '{"name":"Quarterly","note":"it\'s"}', **more: Any) -> Callout:
    given = {
        "call": "open",
        "attempt": 1,
        "method": "POST",
        "url": "https://zuora.example/v1/orders",
        "status": 503,
        "started_at": NOW,
        "duration_ms": 120.0,
        "request": Body(text=text, length=len(text), sha256="0" * 64),
        "response": Body(text='{"reason":"busy"}', length=17, sha256="1" * 64),
        "key": "k-1",
    }
    return Callout(**{**given, **more})


def waiting_order(world: Any, external_id: str, *callouts: Callout) -> Any:
    prepared = world.accept({"external_id": external_id, "orderItems": [{"name": "Quarterly"}]})
    why = reason(kind=ErrorKind.TRANSIENT, code="busy", message=f"partner says {SCRIPT}")
    due = NOW + timedelta(minutes=5)
    world.go_on(
        prepared,
        StepFailed(
            step="salesforceV3", attempt=1, failure=why, next_attempt_at=due, callouts=callouts
        ),
    )
    return prepared


async def test_a_list_shows_what_fits_its_address(world: Any, client: Any) -> None:
    failed, waiting = failed_order(world, "E-1"), waiting_order(world, "E-2")
    text = await page(client, "/orders")
    assert failed.order_id in text
    assert waiting.order_id in text
    text = await page(client, "/orders?status=failed&from=2026-03-01&to=2026-03-01&q=")
    assert failed.order_id in text
    assert waiting.order_id not in text
    assert 'value="2026-03-01"' in text
    assert "No order fits." in await page(client, "/orders?to=2026-02-28")
    assert "No order fits." in await page(client, "/orders?error_code=nothing")
    await page(client, "/orders?stattus=failed", 400)


async def test_pages_follow_each_other(world: Any, client: Any) -> None:
    found = {failed_order(world, f"E-{n}").order_id for n in range(3)}
    path, seen = "/orders?limit=2", []
    for _ in range(2):
        text = await page(client, path)
        seen += re.findall(r'id="row-(order-[0-9a-f]+)"', text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = html.unescape(older[1]) if older else ""
    assert set(seen) == found
    assert len(seen) == len(found)
    assert not path


async def test_the_id_of_an_order_leads_to_it(world: Any, client: Any) -> None:
    order = failed_order(world)
    response = await client.get(f"/orders?q={order.order_id}", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, f"/orders/{order.order_id}")


async def test_an_order_shows_where_it_stands_and_what_was_exchanged(
    world: Any, client: Any
) -> None:
    order = waiting_order(world, "E-1", exchange())
    text = await page(client, f"/orders/{order.order_id}")
    assert 'aria-current="step"' in text
    assert "Waits: try 2 of salesforceV3" in text
    assert "in 5 min" in text
    assert SCRIPT not in text
    assert html.escape(SCRIPT) in text
    assert "&#34;name&#34;: &#34;Quarterly&#34;" in text
    copied = html.unescape(text)
    assert "curl -X POST https://zuora.example/v1/orders" in copied
    assert """--data '{"name":"Quarterly","note":"it'"'"'s"}'""" in copied
    for kind in ("retry", "pause", "cancel", "amend"):
        assert f"/orders/{order.order_id}/act/{kind}" in text
    for kind in ("resume", "release"):
        assert f"/act/{kind}" not in text
    await page(client, f"/orders/order-{'0' * 32}", 404)


async def test_bodies_that_are_long_are_a_click_away(world: Any, client: Any) -> None:
    long = '{"text":"' + "x" * 16_000 + '"}'
    order = waiting_order(world, "E-1", *[exchange(long) for _ in range(10)])
    short = await page(client, f"/orders/{order.order_id}")
    assert "Show all bodies" in short
    whole = await page(client, f"/orders/{order.order_id}?bodies=1")
    assert "Show all bodies" not in whole
    assert len(whole) > len(short)


async def test_an_order_is_shown_as_it_stood(world: Any, client: Any) -> None:
    order = failed_order(world)
    text = await page(client, f"/orders/{order.order_id}?event=1")
    assert "As it stood after event 1 of 3" in text
    assert "/act/" not in text
    assert "data-events" not in text
    assert "data-events" in await page(client, f"/orders/{order.order_id}?event=3")


async def test_who_may_only_read_sees_nothing_of_partners_and_no_action(
    world: Any, connect: Any
) -> None:
    order = waiting_order(world, "E-1", exchange())
    headers, entry = key("default", Scope.READ)
    world.keys = [entry]
    client = await connect()
    login = {"key": headers["Authorization"].removeprefix("Bearer ")}
    await client.post("/login", data=login, headers=OURS)
    text = await page(client, f"/orders/{order.order_id}")
    assert "partner says" not in text
    assert "/act/" not in text
    assert "curl" not in text
    assert "Order document" not in text
    assert 'name="order"' not in await page(client, "/orders")
    await page(client, f"/orders/{order.order_id}/act/retry", 403)
    await page(client, f"/orders/{order.order_id}/document", 403)


async def test_an_action_says_what_will_happen_and_is_sent_once_with_its_reason(
    world: Any, client: Any
) -> None:
    order = failed_order(world)
    path = f"/orders/{order.order_id}/act/retry"
    text = await page(client, path)
    assert "Run 2 begins with step salesforceV3" in text
    nothing = await sent(client, path, text, do="send", reason=" ")
    assert nothing.status == 422
    assert not world.orders.records
    answer = await sent(client, path, text, do="send", reason="Salesforce is back")
    assert (answer.status, answer.headers["Location"]) == (303, f"/orders/{order.order_id}")
    await sent(client, path, text, do="send", reason="Salesforce is back")
    commands = [read_command(record.value) for record in world.orders.records]
    assert {command.id for command in commands} == {commands[0].id}
    assert (commands[0].command, commands[0].step) == (CommandKind.RETRY, "salesforceV3")
    assert commands[0].reason == "Salesforce is back"
    assert "Retry is sent" in await page(client, f"/orders/{order.order_id}")


@pytest.mark.parametrize("told", ["Retry: done", "Retry was rejected: moved on (gone)"])
async def test_the_answer_of_the_order_is_told(world: Any, client: Any, told: str) -> None:
    order = failed_order(world)

    async def answer(record: Any) -> None:
        command = read_command(record.value)
        rejected = CommandRejected(expected=4, command=command.id, code="gone", reason="moved on")
        reopened = OrderReopened(expected=4, command=command.id, step="salesforceV3")
        asked = CommandReceived(command=command.id, kind=command.command, reason=command.reason)
        world.go_on(order, asked, reopened if "done" in told else rejected)

    world.orders.then = answer
    path = f"/orders/{order.order_id}/act/retry"
    await sent(client, path, await page(client, path), do="send", reason="again")
    text = await page(client, f"/orders/{order.order_id}")
    assert told in text


async def test_an_action_that_is_not_possible_says_why(world: Any, client: Any) -> None:
    order = failed_order(world)
    text = await page(client, f"/orders/{order.order_id}/act/resume")
    assert "the order is not paused" in text
    assert 'value="send"' not in text
    await page(client, f"/orders/{order.order_id}/act/dance", 404)


async def test_an_amendment_is_told_before_it_is_sent(world: Any, client: Any) -> None:
    order = waiting_order(world, "E-1")
    path = f"/orders/{order.order_id}/act/amend"
    text = await page(client, path)
    assert 'value="send"' not in text
    broken = await sent(client, path, text, do="preview", changes="{")
    assert broken.status == 400
    assert "this is not JSON" in html.unescape(await broken.text()).replace("This", "this")
    told = await sent(client, path, text, do="preview", changes='{"source": "shop"}')
    shown = html.unescape(await told.text())
    assert "Changed: source." in shown
    assert '{"source": "shop"}' in shown
    assert 'value="send"' in shown
    assert not world.orders.records


async def test_many_are_acted_on_after_a_preview(world: Any, client: Any) -> None:
    orders = [failed_order(world, f"E-{n}").order_id for n in range(3)]
    listed = await page(client, "/orders?status=failed")
    some = await sent(
        client, "/orders/bulk", listed, which="selected", command="retry", order=orders[:2]
    )
    text = await some.text()
    assert some.status == 200
    assert "Retry: 2 orders" in text
    assert "Run 2 begins with step salesforceV3" in text
    every = await (await sent(client, "/orders/bulk", listed, which="all", command="retry")).text()
    assert "Retry: 3 orders" in every
    begun = await sent(client, "/orders/bulk", text, go="1", reason="back again")
    assert begun.status == 303
    at = begun.headers["Location"]
    assert "All are answered" not in await page(client, at)
    commands = [read_command(record.value) for record in world.orders.records]
    assert {command.order for command in commands} <= set(orders[:2])
    nothing = await sent(client, "/orders/bulk", listed, which="selected", command="retry")
    assert nothing.status == 303


async def test_many_are_not_amended(client: Any) -> None:
    listed = await page(client, "/orders")
    answer = await sent(client, "/orders/bulk", listed, command="amend", order=["order-1"])
    assert answer.status == 400
