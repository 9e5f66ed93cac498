"""Every page of the console that can be reached, one address for each kind of page."""

import html
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from waybill.console.pages import Page
from waybill.console.routes import CONSOLE

MOST_OF_A_KIND = 6
"""How many pages of one kind are looked through for links; later ones hardly lead elsewhere."""

_LINK = re.compile(r'<a[^>]*\shref="([^"]+)"')
_PART = re.compile(r"\{(\w+)(?::((?:[^{}]|\{\d+\})+))?\}")
_CHOICES = frozenset({"kind", "command", "action"})
"""Parts of a path that choose what the page is about: each value is a page of its own kind."""


@dataclass(frozen=True, slots=True)
class _Kind:
    page: Page
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, page: Page) -> "_Kind":
        text = _PART.sub(lambda part: f"(?P<{part[1]}>{part[2] or '[^/]+'})", page.path)
        return cls(page, re.compile(text))


def reachable(base: str, more: Sequence[str] = ()) -> dict[str, list[str]]:
    """Paths by kind of page, from the overview on along all links; the first found come first.

    `more` are addresses to which links lead only now and then.
    """
    kinds = [_Kind.of(page) for page in CONSOLE if page.method == "GET"]
    waiting, known = deque(["/", *more]), {"/", *more}
    found = {kind: [path] for path in waiting if (kind := _named(path, kinds))}
    with httpx.Client(base_url=base, timeout=30) as client:
        while waiting:
            at = waiting.popleft()
            answer = client.get(at)
            if answer.status_code != httpx.codes.OK:
                continue
            for path in _links(base, at, answer.text):
                if path in known or (kind := _named(path, kinds)) is None:
                    continue
                known.add(path)
                found.setdefault(kind, []).append(path)
                if len(found[kind]) <= MOST_OF_A_KIND:
                    waiting.append(path)
    return found


def unreached(found: dict[str, list[str]]) -> list[str]:
    """Pages of the console to which no link led."""
    seen = {name.partition(" ")[0] for name in found}
    apart = {"/login", "/orders/bulk"}  # nobody signs in here; and the address of a form
    return [
        page.path
        for page in CONSOLE
        if page.method == "GET" and page.path not in seen and page.path not in apart
    ]


def _links(base: str, at: str, text: str) -> Sequence[str]:
    paths = []
    for href in _LINK.findall(text):
        whole = urlsplit(urljoin(base + at, html.unescape(href)))
        if f"{whole.scheme}://{whole.netloc}" == base:
            paths.append(whole.path + (f"?{whole.query}" if whole.query else ""))
    return paths


def _named(path: str, kinds: Sequence[_Kind]) -> str | None:
    """The first page that fits, as aiohttp routes, with what its path chooses."""
    plain = path.partition("?")[0]
    for kind in kinds:
        if fit := kind.pattern.fullmatch(plain):
            chosen = [f"{name}={fit[name]}" for name in fit.groupdict() if name in _CHOICES]
            return " ".join((kind.page.path, *chosen))
    return None
