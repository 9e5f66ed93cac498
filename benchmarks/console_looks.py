"""Looks at every page of the console in a real Chromium, in every way: what is wrong with them."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.accessibility import dialog_by_keys, motion, same_titles, shortcomings
from benchmarks.browser import SCHEMES, SCREENS, chromium, opened, violations
from benchmarks.console_answers import ANSWERS, Known, pressed
from benchmarks.console_answers import opened as status_of
from benchmarks.console_pages import reachable, unreached
from streams.kafka.admin import Cluster, ensure_topics
from streams.topics import Topics
from tests.e2e.commanding import hasty_stack
from tests.e2e.console_stories import guarded, new_key, told
from waybill.console.routes import NAVIGATION
from waybill.embedded.broker import EmbeddedBroker

WITH_DIALOGS = ("/orders/{id}", "/stages", "/webhooks/{id:whe_[0-9a-f]{32}}")
EVERYTHING = ("read", "operate", "configure")
EMPTY = "/webhooks/deliveries", "/configuration/edit", "/connections", "/orders?status=failed"
"""Pages of a tenant that has nothing yet, beside the places of the navigation."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """Where pages are found: kinds with their paths, an order, and keys to the guarded API."""

    url: str
    kinds: Mapping[str, list[str]]
    known: Known
    guarded_url: str
    reader: str
    newcomer: str


@dataclass(slots=True)
class _Look:
    """One way of looking at pages, and what was found."""

    screen: str
    scheme: str
    shots: Path | None
    problems: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    looks: int = 0

    def at(self, page: Page, name: str, *, titled: bool = False) -> None:
        """Looks at the page as it has come."""
        self.looks += 1
        self.titles |= {name: page.title()} if titled else {}
        if self.shots is not None:
            self.shots.mkdir(parents=True, exist_ok=True)
            file = re.sub(r"\W+", "-", name).strip("-") or "overview"
            at = self.shots / f"{file}-{self.screen}-{self.scheme}.png"
            page.screenshot(path=at, full_page=True)
        self.found(name, [*shortcomings(page), *violations(page)])

    def found(self, name: str, problems: list[str]) -> None:
        """Remembers what is wrong, and says it."""
        for one in problems:
            self.problems.append(f"{self.screen} {self.scheme}: {name}: {one}")
            print(self.problems[-1], flush=True)

    def answered(self, name: str, status: int, wanted: int) -> None:
        """A page that answers something else is not the one meant."""
        self.found(name, [] if status == wanted else [f"answers {status} instead of {wanted}"])


def all_pages(folder: Path, shots: Path | None) -> dict[str, Any]:
    """How many there are, how often they were looked at, and what is wrong with them."""
    folder.mkdir(parents=True)
    topics = Topics()
    with EmbeddedBroker(folder / "kafka") as kafka:
        asyncio.run(ensure_topics(Cluster(kafka), topics))
        (folder / "stack").mkdir()
        with hasty_stack(kafka, topics, folder / "stack") as stack:
            story = told(stack)
            reader, newcomer = new_key(stack, "read"), new_key(stack, *EVERYTHING, tenant="empty")
            kinds = reachable(stack.url, story.pages)
            with guarded(stack, reader.file) as beside, chromium() as browser:
                scene = _Scene(
                    *(stack.url, kinds, Known(story.failed)),
                    *(beside.url, reader.text, newcomer.text),
                )
                looks = [_seen(browser, scene, way, shots) for way in product(SCREENS, SCHEMES)]
    problems = [f"no link leads to {path}" for path in unreached(kinds)]
    problems += [one for look in looks for one in look.problems]
    problems += same_titles(looks[0].titles)
    seen = sum(look.looks for look in looks)
    names = len(kinds) + len(ANSWERS)
    print(f"{names} kinds of pages, looked at {seen} times: {len(problems)} violations")
    return {"kinds": names, "looks": seen, "problems": problems}


def _seen(browser: Browser, scene: _Scene, way: tuple[str, str], shots: Path | None) -> _Look:
    screen, scheme = way
    look = _Look(screen, scheme, shots)
    context, watch = opened(browser, scene.url, color_scheme=scheme, **SCREENS[screen])
    page = context.new_page()
    for kind, paths in scene.kinds.items():
        page.goto(paths[0])
        look.at(page, kind, titled=True)
        look.found(kind, motion(page))
        if kind in WITH_DIALOGS:
            look.found(kind, dialog_by_keys(page))
    for name, (status, reach) in ANSWERS.items():
        look.answered(name, reach(page, scene.known), status)
        look.at(page, name)
    context.close()
    look.problems += watch.faults
    context, watch = opened(browser, scene.guarded_url, color_scheme=scheme, **SCREENS[screen])
    _as_strangers(context.new_page(), scene, look)
    context.close()
    look.problems += watch.faults
    return look


def _as_strangers(page: Page, scene: _Scene, look: _Look) -> None:
    """Signing in, what a key does not allow, and the pages of a tenant that has nothing yet."""
    page.goto("/login")
    look.at(page, "login", titled=True)
    page.fill("[name=key]", "wb_wrong_key")
    look.answered("login refused", pressed(page, "main button"), 401)
    look.at(page, "login refused")
    _sign_in(page, scene.reader)
    look.answered("not allowed", status_of(page, "/stages"), 403)
    look.at(page, "not allowed")
    page.context.clear_cookies()
    _sign_in(page, scene.newcomer)
    for path in (*(place.path for place in NAVIGATION), *EMPTY):
        look.answered(f"empty {path}", status_of(page, path), 200)
        look.at(page, f"empty {path}")


def _sign_in(page: Page, key: str) -> None:
    page.goto("/login")
    page.fill("[name=key]", key)
    pressed(page, "main button")
