"""The console in a real Chromium: journeys of operators, by mouse, by keys and without script."""

import re
from collections.abc import Iterator
from itertools import cycle

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.accessibility import dialog_by_keys, motion, shortcomings
from benchmarks.browser import DESK, PHONE, chromium, missing, opened, violations
from benchmarks.console_answers import ANSWERS, Known
from benchmarks.console_pages import reachable, unreached
from streams.topics import Topics
from tests.e2e.commanding import failed_order, failed_orders, hasty_stack
from tests.e2e.console_stories import Told, guarded, new_key, told
from tests.e2e.stack import Stack

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def stack(
    kafka: str, module_topics: Topics, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with hasty_stack(kafka, module_topics, tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def story(stack: Stack) -> Told:
    return told(stack)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """At a desk; whatever a page asks of others, or its policy refuses, fails the test."""
    context, watch = opened(browser, stack.url, **DESK)
    yield context.new_page()
    context.close()
    assert watch.faults == []


def is_harmless(page: Page) -> bool:
    return bool(
        page.evaluate("window.pwned === undefined && !document.querySelector('img[src=x]')")
    )


def test_every_page_is_accessible_by_links_and_to_everybody(
    browser: Browser, stack: Stack, story: Told
) -> None:
    found = reachable(stack.url, story.pages)
    assert unreached(found) == []
    problems: list[str] = []
    at_desk, desk = opened(browser, stack.url, color_scheme="light", **DESK)
    on_phone, phone = opened(browser, stack.url, color_scheme="dark", **PHONE)
    # All pages in all ways: python -m benchmarks.console --only pages
    pages = cycle((at_desk.new_page(), on_phone.new_page()))
    for page, paths in zip(pages, found.values(), strict=False):
        page.goto(paths[0])
        problems += shortcomings(page) + violations(page)
        if not is_harmless(page):
            problems.append(f"{page.url} runs what an order holds")
    at_desk.close()
    on_phone.close()
    problems += desk.faults + phone.faults
    assert problems == []


def test_what_forms_answer_is_accessible_too(browser: Browser, stack: Stack, story: Told) -> None:
    context, watch = opened(browser, stack.url, **PHONE)
    page = context.new_page()
    problems = []
    for name, (status, way) in ANSWERS.items():
        if name.endswith("without a reason"):
            continue  # only the error differs; python -m benchmarks.console --only pages has all
        if (answered := way(page, Known(story.failed))) != status:
            problems.append(f"{name}: answered {answered}")
        problems += shortcomings(page) + violations(page)
    context.close()
    assert problems + watch.faults == []


def test_dialogs_are_used_by_keys_and_nothing_moves_for_who_does_not_want_it(
    page: Page, story: Told
) -> None:
    page.goto(f"/orders/{story.failed}")
    assert motion(page) + dialog_by_keys(page) == []


def test_a_failed_order_is_found_understood_retried_and_seen_complete(
    page: Page, stack: Stack
) -> None:
    failed = failed_order(stack)
    page.goto("/")
    cause = page.locator("[data-live=attention] tbody tr", has_text="zuora").first
    cause.get_by_role("link").first.click()
    row = page.locator(f"#row-{failed}")
    expect(row).to_contain_text("failed")
    row.get_by_role("link").first.click()
    expect(page.locator("#step-zuora")).to_have_attribute("aria-current", "step")
    callout = page.locator("details.exchange[open]")
    expect(callout).to_contain_text("400")
    expect(callout).to_contain_text("Request")
    page.get_by_role("button", name="Retry …").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("What will happen")
    dialog.get_by_role("button", name="Retry").click()
    assert dialog.is_visible(), "without a reason nothing is sent"
    dialog.get_by_label("Reason").fill("Zuora is well again")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.locator(".told")).to_contain_text("Retry")
    expect(page.locator("h1")).to_contain_text("complete")
    assert stack.order(failed)["status"] == "complete"
    page.goto("/audit")
    expect(page.locator("tbody tr").first).to_contain_text("Zuora is well again")


def test_an_open_page_shows_what_happens_and_keeps_what_a_person_does(
    page: Page, stack: Stack
) -> None:
    failed_order(stack)
    page.goto("/orders")
    expect(page.locator("[data-live-state=live]")).to_be_visible()
    box = page.locator("tbody input[type=checkbox]").first
    box.check()
    chosen = box.get_attribute("value")
    box.focus()
    failed = failed_order(stack)
    expect(page.locator(f"#row-{failed}")).to_contain_text("failed")
    expect(page.locator(f"input[value={chosen}]")).to_be_checked()
    assert page.evaluate("document.activeElement.value") == chosen


def test_an_order_is_found_and_retried_by_keys(page: Page, stack: Stack) -> None:
    failed = failed_order(stack)
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/orders")
    page.keyboard.press("/")
    page.keyboard.type(failed)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/orders/{failed}")
    page.keyboard.press("t")
    expect(page.locator("dialog[open] [name=reason]")).to_be_focused()
    page.keyboard.type("by keys alone")
    page.keyboard.press("Enter")
    expect(page.locator(".told")).to_contain_text("Retry")
    expect(page.locator("h1")).to_contain_text("complete")


def test_a_list_is_gone_through_by_keys(page: Page, stack: Stack) -> None:
    failed_orders(stack, 2)
    page.goto("/orders")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("tbody input:checked")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/orders/order-\w+$"))


def test_it_works_on_a_phone_without_script(browser: Browser, stack: Stack) -> None:
    failed = failed_order(stack)
    context, watch = opened(browser, stack.url, java_script_enabled=False, **PHONE)
    page = context.new_page()
    page.goto("/orders?status=failed")
    row = page.locator(f"#row-{failed}")
    row.get_by_role("checkbox").check()
    page.get_by_label("Ask of them").select_option("retry")
    page.get_by_role("button", name="With the selected").click()
    expect(page.locator("h1")).to_have_text("Retry: 1 order")
    page.get_by_label("Reason").fill("many at once")
    page.get_by_role("button", name="Retry: 1 order").click()
    page.wait_for_url(re.compile(r"/orders/bulk/\w+"))
    stack.until(lambda: stack.order(failed)["status"] == "complete")
    page.reload()
    expect(page.locator("main")).to_contain_text("1")
    context.close()
    assert watch.faults == []


def test_who_signs_in_may_what_the_key_allows(browser: Browser, stack: Stack, story: Told) -> None:
    key = new_key(stack, "read")
    with guarded(stack, key.file) as beside:
        context, watch = opened(browser, beside.url, **DESK)
        _signs_in(context, key.text, story.failed)
        context.close()
    assert watch.faults == []


def _signs_in(context: BrowserContext, key: str, failed: str) -> None:
    page = context.new_page()
    page.goto(f"/orders/{failed}")
    page.wait_for_url("**/login?next=*")
    assert shortcomings(page) + violations(page) == []
    page.get_by_label("API key").fill("wb_wrong_key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert shortcomings(page) + violations(page) == []
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/orders/{failed}")
    expect(page.get_by_role("button", name="Retry …")).to_have_count(0)
    [session] = [one for one in context.cookies() if one["name"] == "wb_session"]
    assert (session["httpOnly"], session["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie").find("wb_session") < 0
    page.goto("/stages")
    expect(page.get_by_role("alert")).to_contain_text("scope")
    assert shortcomings(page) + violations(page) == []
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")


def test_another_site_can_neither_frame_nor_send(
    browser: Browser, stack: Stack, story: Told
) -> None:
    action = f"{stack.url}/orders/{story.failed}/act/retry"
    evil = f"""<iframe src="{stack.url}/"></iframe><form method="post" action="{action}">
      <input name="do" value="send"><input name="reason" value="x"><button>Win</button></form>"""
    context = browser.new_context(**DESK)
    page = context.new_page()
    page.route(
        "http://evil.test/", lambda route: route.fulfill(body=evil, content_type="text/html")
    )
    page.goto("http://evil.test/")
    assert "Overview" not in page.frames[-1].content()
    with page.expect_navigation():
        page.get_by_role("button", name="Win").click()
    expect(page.locator("body")).to_contain_text("forged")
    context.close()
    assert stack.order(story.failed)["status"] == "failed"
