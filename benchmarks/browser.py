"""A real Chromium by playwright, axe-core in its pages, and what a page costs."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

ROOT = Path(__file__).parents[1]
AXE = ROOT / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
DESK: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
ZOOMED: Mapping[str, Any] = {"viewport": {"width": 320, "height": 256}}
"""A desk at 400 %, as WCAG 1.4.10 has it."""
SCREENS = {"desk": DESK, "phone": PHONE, "zoomed": ZOOMED}
SCHEMES = ("light", "dark")
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
PATIENCE_MS = 20_000

_RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.target.join(" ")} ${node.failureSummary.replaceAll("\\n", " ")}`));
}"""
_LISTEN = """
window.refused = [];
document.addEventListener("securitypolicyviolation",
  (event) => refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


def executable() -> str | None:
    """Where Chromium is, as Debian and others name it."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


def missing() -> str | None:
    """Why no page can be looked at, if so, and what helps."""
    if executable() is None:
        return "no Chromium: the console is not tried in a browser (apt-get install chromium)"
    if shutil.which("npm") is None:
        return "no npm, which brings axe-core: the console is not tried (https://nodejs.org)"
    return None


@contextmanager
def chromium() -> Iterator[Browser]:
    """One that runs, without a window; axe-core is installed."""
    subprocess.run([str(ROOT / "scripts" / "npm.sh"), "axe"], check=True, timeout=300)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """What goes wrong in the pages of a context: it must stay empty."""

    host: str
    faults: list[str] = field(default_factory=list)

    def asked(self, request: Request) -> None:
        """Whether it is ours."""
        at = urlsplit(request.url)
        if at.scheme not in {"data", "blob", "about"} and at.netloc != self.host:
            self.faults.append(f"a third party is asked: {request.url}")

    def opened(self, page: Page) -> None:
        """Listens to one page."""
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("dialog", lambda dialog: self._surprised(page, dialog))
        page.on("console", lambda said: self._said(page, said))

    def _surprised(self, page: Page, dialog: Any) -> None:
        self.faults.append(f"{page.url}: a dialog says {dialog.message}")
        dialog.dismiss()

    def _said(self, page: Page, said: Any) -> None:
        # A page that answers 4xx on purpose is an error to Chromium, not to us.
        if said.type == "error" and "Failed to load resource" not in said.text:
            self.faults.append(f"{page.url}: {said.text}")


def opened(browser: Browser, base: str, **more: Any) -> tuple[BrowserContext, Watch]:
    """A visitor of the console at `base`: `page.goto("/orders")`. Faults are collected."""
    context = browser.new_context(base_url=base, **more)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    watch = Watch(urlsplit(base).netloc)
    context.add_init_script(_LISTEN)
    context.on("request", watch.asked)
    context.on("page", watch.opened)
    return context, watch


def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and good practice; what the policy refused."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(_RUN, list(TAGS))
    refused: list[str] = page.evaluate("window.refused ?? []")
    return [f"{page.url} {one}" for one in (*found, *refused, *_overflow(page))]


def _overflow(page: Page) -> list[str]:
    """A page that has to be scrolled sideways is broken (WCAG 1.4.10)."""
    wide: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [f"is {wide} px wider than the screen"] if wide > 0 else []


@dataclass(frozen=True, slots=True)
class Cost:
    """What opening a page took: kB over the wire, requests, milliseconds."""

    kilobytes: float
    requests: int
    first_byte_ms: float
    painted_ms: float
    interactive_ms: float


def cost(browser: Browser, base: str, path: str) -> Cost:
    """Of the page in a fresh browser that has nothing of it; interactive: its script has run."""
    context = browser.new_context(base_url=base, **DESK)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda one: sizes.append(one["encodedDataLength"]))
    page.goto(path)
    page.wait_for_selector("html.scripted")
    interactive = page.evaluate("performance.now()")
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    first, painted = page.evaluate(
        """() => [performance.getEntriesByType("navigation")[0].responseStart,
        performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0]"""
    )
    context.close()
    return Cost(sum(sizes) / 1000, len(sizes), first, painted, interactive)
