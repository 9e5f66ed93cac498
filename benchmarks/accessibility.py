"""What WCAG 2.2 AA asks of a page beyond the rules of axe-core, in a real Chromium."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import Page

_SCRIPT = Path(__file__).with_suffix(".js")
_MOST_TABS = 60
_INSIDE = "document.querySelector('dialog[open]').contains(document.activeElement)"
_BEYOND = "document.activeElement === document.body"
"""Behind a dialog's last field lies the browser's own bar, which is the body to a page."""


def shortcomings(page: Page) -> list[str]:
    """Of the page as it has just come: focus, headings, what is read out, what is wrong."""
    found = [*_looked(page, "problem"), *_looked(page, "structure"), *_looked(page, "spacing")]
    page.keyboard.press("Shift+Tab")  # what is focused from now on is focused by keys
    return [*found, *_looked(page, "focus")]


def motion(page: Page) -> list[str]:
    """What moves, where the visitor's system asks for reduced motion."""
    page.emulate_media(reduced_motion="reduce")
    found = _looked(page, "motion")
    page.emulate_media(reduced_motion="no-preference")
    return found


def dialog_by_keys(page: Page) -> list[str]:
    """Opens the first dialog of the page, goes round in it and closes it, by keys alone."""
    link = page.locator("a[data-dialog]").first
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] article > :nth-child(2)")
    found = []
    if not page.evaluate(_INSIDE):
        found.append("2.4.3: the focus is not in the dialog that opened")
    for _ in range(_MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate(_BEYOND):
            break
        if not page.evaluate(_INSIDE):
            found.append("2.1.2: the focus leaves the dialog")
            break
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('dialog[open]')")
    if not link.evaluate("(link) => document.activeElement === link"):
        found.append("2.4.3: the focus does not come back from the dialog")
    return [f"{page.url} {one}" for one in found]


def same_titles(titles: Mapping[str, str]) -> Sequence[str]:
    """Kinds of pages that no title tells apart."""
    by_title: dict[str, list[str]] = {}
    for kind, title in titles.items():
        by_title.setdefault(title, []).append(kind)
    return [
        f'2.4.2: {", ".join(kinds)} are all called "{title}"'
        for title, kinds in by_title.items()
        if len(kinds) > 1
    ]


def _looked(page: Page, what: str) -> list[str]:
    found: list[str] = page.evaluate(f"({_SCRIPT.read_text()}).{what}()")
    return [f"{page.url} {one}" for one in dict.fromkeys(found)]
