"""Pages of the configuration: what they show, and what their forms do to a draft."""

import re
from html import unescape
from typing import Any

import orjson
import pytest

from waybill.api.producing import Outgoing

SCRIPT = "<script>alert(1)</script>"
DRAFT: dict[str, Any] = {
    "version": 7,
    "sequence": [{"name": "salesforceV3"}, {"name": "zuora", "critical": False}],
    "post": [{"name": "entitlements"}],
    "overrides": [{"offer_type": "gift", "exclude": ["zuora"]}],
}


@pytest.fixture(autouse=True)
def topic(world: Any) -> None:
    """What is written to `processing-configs` is read back."""

    async def then(record: Outgoing) -> None:
        world.configurations.take(record.value)

    world.orders.then = then


async def page(client: Any, path: str, status: int = 200) -> str:
    return await shown(await client.get(path), status)


async def shown(response: Any, status: int = 200) -> str:
    text: str = await response.text()
    assert response.status == status, text
    assert not re.search(r"<script(?! type=\"module\" src=)|\sstyle=|\son\w+=", text)
    return text


async def sent(client: Any, do: str, path: str = "/configuration/edit", **fields: Any) -> Any:
    found = re.search(r'name="csrf" value="([^"]+)"', await page(client, "/configuration/edit"))
    assert found is not None
    data = {"csrf": found[1], "base": "7", "text": as_text(DRAFT), "do": do, **fields}
    return await client.post(
        path, data=data, headers={"Sec-Fetch-Site": "same-origin"}, allow_redirects=False
    )


def as_text(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def draft_of(text: str) -> Any:
    found = re.search(r'<textarea[^>]*name="text"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    assert found is not None
    return orjson.loads(unescape(found[1]))


async def saved(client: Any, document: Any, base: int = 7) -> None:
    fields = {"text": as_text(document), "base": str(base), "reason": f"Try {base}"}
    response = await sent(client, "save", **fields)
    assert (response.status, response.headers["Location"]) == (303, "/configuration")


async def test_the_one_in_use_is_shown_with_its_steps(client: Any) -> None:
    text = await page(client, "/configuration")
    assert "salesforceV3" in text
    assert "zuora" in text
    assert 'href="/configuration/edit"' in text


async def test_a_draft_is_reviewed_and_then_used(world: Any, client: Any) -> None:
    gift = {"data": {"attributes": {"offer_type__limio": "gift"}}}
    order = world.accept({"external_id": "G-1", "orderItems": [{"offer": gift}]}).order_id
    text = await shown(await sent(client, "review"))
    assert "the last 1 orders" in text
    assert f"/orders/{order}" in text
    assert re.search(r'class="bad">\W+zuora<', text)
    assert "Use it as version 8" in text
    assert world.orders.records == []

    await saved(client, DRAFT)
    assert world.configurations.current("default").reason == "Try 7"
    text = await page(client, "/configuration")
    assert "Version 8 is in use now" in text
    assert "offer_type gift" in text


async def test_findings_stand_at_their_lines_and_nothing_is_used(world: Any, client: Any) -> None:
    wrong = {**DRAFT, "sequence": [{"name": "zuroa"}]}
    for do in ("check", "review", "save"):
        text = await shown(await sent(client, do, text=as_text(wrong), reason="x"))
        line = as_text(wrong).splitlines().index('      "name": "zuroa"') + 1
        assert f'data-line="{line}"' in text
        assert f'<span class="bad">{line}</span>' in text
        assert "did you mean" in unescape(text).lower()
    text = await shown(await sent(client, "check", text="{"))
    assert "This is not JSON" in text
    assert world.orders.records == []


async def test_whoever_is_late_is_told_and_keeps_the_draft(client: Any) -> None:
    await saved(client, DRAFT)
    other = {**DRAFT, "post": []}
    response = await sent(client, "save", text=as_text(other), reason="late")
    text = await shown(response, 412)
    assert draft_of(text) == other
    assert "Version 8 is in use meanwhile" in text
    assert "reason" in await shown(await sent(client, "save", base="8"), 400)


async def test_forms_change_the_draft(client: Any) -> None:
    text = await shown(await sent(client, "entry:/sequence/1"))
    assert 'name="option.' in text
    fields = {"at": "/sequence/1", "name": "zuora", "plugin": "zuora"}
    given = {"id": "billing", "when": "order.total", "map": '{"a": "order.id"}', "retry": "none"}
    options = {"option.oneSubscription": "true", "option.cancellationPolicy": ""}
    response = await sent(client, "apply", "/configuration/entry", **fields, **given, **options)
    found = draft_of(await shown(response))
    assert found["sequence"][1] == {
        "name": "zuora",
        "options": {"oneSubscription": True},
        "id": "billing",
        "when": "order.total",
        "map": {"a": "order.id"},
        "retry": "none",
    }
    wrong = {**fields, "map": "{"}
    text = await shown(await sent(client, "apply", "/configuration/entry", **wrong), 400)
    assert "is not JSON" in text
    assert '<a href="#field-map">' in text
    assert re.search('id="field-map"[^>]* aria-invalid="true" aria-describedby="problem ', text)
    assert "<title>Error: " in text
    assert draft_of(text) == DRAFT


async def test_steps_are_added_moved_and_removed(client: Any) -> None:
    text = await shown(await sent(client, "entry:/post/-"))
    assert "Show its options" in text
    new = {"at": "/post/-", "name": "", "plugin": "calloutPlugin"}
    text = await shown(await sent(client, "plugin", "/configuration/entry", **new))
    assert 'name="option.endpoint"' in text
    new = {**new, "name": "calloutPlugin", "option.endpoint": "https://x.example/y"}
    text = await shown(await sent(client, "apply", "/configuration/entry", **new))
    assert draft_of(text)["post"][1]["options"] == {"endpoint": "https://x.example/y"}

    text = await page(client, "/configuration/entry?plugin=calloutPlugin")
    assert '<option value="/post/-">post</option>' in text
    assert "Milliseconds that the step may take. Else <code>2000</code>." in text
    assert "at the host of <code>endpoint</code>" in text

    moved = draft_of(await shown(await sent(client, "up:/sequence/1")))
    assert [one["name"] for one in moved["sequence"]] == ["zuora", "salesforceV3"]
    less = draft_of(await shown(await sent(client, "remove:/sequence/0")))
    assert [one["name"] for one in less["sequence"]] == ["zuora"]
    for gone in ("/sequence/9", "/nothing/0", "/version/0", "x", "/sequence/y"):
        await shown(await sent(client, f"entry:{gone}"), 404)


async def test_versions_are_compared_and_put_in_use_again(world: Any, client: Any) -> None:
    await saved(client, DRAFT)
    text = await page(client, "/configuration/versions")
    assert "/configuration/versions/7/rollback" in text
    assert "/configuration/versions/8/rollback" not in text
    assert "+ " in await page(client, "/configuration/diff?from=7&to=8")
    assert "version 8 is in use" in await page(client, "/configuration/versions/7")
    for path in ("/configuration/versions/99", "/configuration/versions/x"):
        await page(client, path, 404)

    text = await page(client, "/configuration/versions/7/rollback")
    token = re.search(r'name="csrf" value="([^"]+)"', text)
    assert token is not None
    fields = {"csrf": token[1], "base": "8", "reason": "It was right"}
    response = await client.post(
        "/configuration/versions/7/rollback",
        data=fields,
        headers={"Sec-Fetch-Site": "same-origin"},
        allow_redirects=False,
    )
    assert response.status == 303
    assert world.configurations.current("default").version == 9
    assert "overrides" not in world.configurations.current("default").document


async def test_the_matrix_says_why(client: Any) -> None:
    await saved(client, DRAFT)
    text = await page(client, "/configuration/matrix?order_type=new")
    assert "override 0 excludes zuora" in text
    assert "sequence and post: the default" in text


async def test_what_people_write_is_text(client: Any) -> None:
    draft = {
        **DRAFT,
        "sequence": [{"name": "calloutPlugin", "when": f"order.a == '{SCRIPT}'"}],
        "overrides": [{"offer_type": SCRIPT, "exclude": ["entitlements"]}],
    }
    endpoint = {"options": {"endpoint": "https://x.example/<b>"}}
    draft["sequence"][0] |= endpoint
    for do in ("check", "review", "entry:/sequence/0"):
        assert SCRIPT not in await shown(await sent(client, do, text=as_text(draft)))
    await saved(client, draft)
    for path in ("", "/versions", "/matrix", "/edit", "/diff?from=7"):
        assert SCRIPT not in await page(client, f"/configuration{path}")
