"""Pages of the console to which no link leads: what forms answer, dialogs, and errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from playwright.sync_api import Page

FORM = "main form[method=post]"


@dataclass(frozen=True, slots=True)
class Known:
    """The order that failed, of which forms are asked."""

    failed: str


Way: TypeAlias = Callable[[Page, Known], int]
"""Brings a page there, from wherever it is; what the server answered."""


def pressed(page: Page, button: str) -> int:
    """The status of what comes when the button is pressed, whether the fields fit or not."""
    page.evaluate("for (const form of document.forms) form.noValidate = true")
    with page.expect_navigation() as seen:
        page.locator(button).first.click()
    answer = seen.value
    assert answer is not None
    return answer.status


def opened(page: Page, path: str) -> int:
    """The status of a page."""
    answer = page.goto(path)
    assert answer is not None
    return answer.status


def _linked(page: Page, at: str, link: str) -> str:
    """Where a link of that page leads."""
    page.goto(at)
    path = page.locator(link).first.get_attribute("href")
    assert path is not None
    return path


def _bulk(page: Page, known: Known) -> int:
    page.goto(f"/orders?q={known.failed}&status=failed")
    page.goto("/orders?status=failed")
    page.locator("tbody [name=order]").first.check()
    return pressed(page, "[name=which][value=selected]")


def _bulk_without_reason(page: Page, known: Known) -> int:
    _bulk(page, known)
    return pressed(page, "[name=go]")


def _editor_with_findings(page: Page, _: Known) -> int:
    page.goto("/configuration/edit")
    page.fill("#text", '{"sequence": [{"name": "zuroa"}]}')
    return pressed(page, ".draft [name=do][value=check]")


def _entry(page: Page, _: Known) -> int:
    page.goto("/configuration/edit")
    return pressed(page, ".entries .name")


def _entry_unreadable(page: Page, _: Known) -> int:
    page.goto("/configuration/entry?plugin=zuora")
    page.fill("[name=map]", "{")
    return pressed(page, "[name=do][value=apply]")


def _review(page: Page, _: Known) -> int:
    page.goto("/configuration/edit")
    page.fill("#text", page.input_value("#text").replace('"critical": false', '"critical": true'))
    return pressed(page, "[name=do][value=review]")


def _review_without_reason(page: Page, known: Known) -> int:
    _review(page, known)
    return pressed(page, "[name=do][value=save]")


def _rollback_without_reason(page: Page, _: Known) -> int:
    page.goto(_linked(page, "/configuration/versions", "a[href$=rollback]"))
    return pressed(page, f"{FORM} .actions button")


def _endpoint_refused(page: Page, _: Known) -> int:
    page.goto("/webhooks/new")
    page.fill("[name=url]", "ftp://10.0.0.1/")
    return pressed(page, f"{FORM} .actions button")


def _endpoint(page: Page) -> str:
    return _linked(page, "/webhooks", "a[href^='/webhooks/whe_']")


def _secret(page: Page, _: Known) -> int:
    page.goto(f"{_endpoint(page)}/rotate")
    page.fill("[name=overlap_h]", "0")
    page.fill("[name=reason]", "to look at it")
    return pressed(page, "[name=do][value=send]")


def _secret_refused(page: Page, _: Known) -> int:
    page.goto(f"{_endpoint(page)}/rotate")
    page.fill("[name=overlap_h]", "soon")
    return pressed(page, "[name=do][value=send]")


def _deliveries_counted(page: Page, _: Known) -> int:
    page.goto(f"{_endpoint(page)}/replay")
    return pressed(page, "[name=do][value=preview]")


def _command_unreadable(page: Page, known: Known) -> int:
    page.goto(f"/orders/{known.failed}/act/resolve")
    page.fill("[name=output]", "{")
    return pressed(page, "[name=do][value=preview]")


def _command_foretold(page: Page, known: Known) -> int:
    page.goto(f"/orders/{known.failed}/act/amend")
    page.fill("[name=changes]", '{"description": "for a friend"}')
    return pressed(page, "[name=do][value=preview]")


def _hold_without_reason(page: Page, _: Known) -> int:
    page.goto("/stages/zuora/hold")
    return pressed(page, f"{FORM} .actions button")


def _forged(page: Page, _: Known) -> int:
    page.goto("/stages/zuora/hold")
    page.evaluate("document.querySelector('main [name=csrf]').value = 'of another session'")
    return pressed(page, f"{FORM} .actions button")


def _record_opened(page: Page, _: Known) -> int:
    page.goto(_linked(page, "/rejected", "tbody a[href^='/rejected/']"))
    return pressed(page, "main form[action^='/rejected/']:not([action$=replay]) button")


def _record_refused(page: Page, known: Known) -> int:
    _record_opened(page, known)
    return pressed(page, "[name=do][value=send]")


def _records_selected(page: Page, _: Known) -> int:
    page.goto("/rejected")
    page.locator("tbody [name=record]").first.check()
    return pressed(page, f"{FORM} .actions button")


def _records_without_reason(page: Page, known: Known) -> int:
    _records_selected(page, known)
    return pressed(page, "[name=do][value=send]")


def _records_sent(page: Page, known: Known) -> int:
    _records_selected(page, known)
    page.fill("[name=reason]", "to look at it")
    return pressed(page, "[name=do][value=send]")


def _dialog(page: Page, known: Known) -> int:
    page.goto(f"/orders/{known.failed}")
    page.locator("a[data-dialog]").first.click()
    page.wait_for_selector("dialog[open] [name=reason]")
    return 200


def _keys(page: Page, _: Known) -> int:
    page.goto("/orders")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    return 200


ANSWERS: Mapping[str, tuple[int, Way]] = {
    "bulk, foreseen": (200, _bulk),
    "bulk without a reason": (422, _bulk_without_reason),
    "editor with findings": (200, _editor_with_findings),
    "entry of a plugin": (200, _entry),
    "entry that cannot be read": (400, _entry_unreadable),
    "draft, reviewed": (200, _review),
    "draft without a reason": (400, _review_without_reason),
    "version again without a reason": (400, _rollback_without_reason),
    "endpoint refused": (422, _endpoint_refused),
    "secret": (200, _secret),
    "secret refused": (422, _secret_refused),
    "deliveries, counted": (200, _deliveries_counted),
    "command that cannot be read": (400, _command_unreadable),
    "command, foretold": (200, _command_foretold),
    "hold without a reason": (422, _hold_without_reason),
    "forged form": (403, _forged),
    "rejected record, opened": (200, _record_opened),
    "rejected record, refused": (422, _record_refused),
    "rejected records, selected": (200, _records_selected),
    "rejected records without a reason": (422, _records_without_reason),
    "rejected records, sent": (200, _records_sent),
    "action in a dialog": (200, _dialog),
    "keys in a dialog": (200, _keys),
    "no such page": (404, lambda page, _: opened(page, "/nothing")),
    "no such order": (404, lambda page, _: opened(page, "/orders/order-none")),
    "query that does not fit": (400, lambda page, _: opened(page, "/orders?limit=x")),
}
"""By what is seen: the status that it has to have, and the way there."""
