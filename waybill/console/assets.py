"""Static files: held in memory, compressed once, under an address that names their content."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import web

from waybill.api.problems import not_found

_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "md": "text/plain",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSION = 9


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    compressed: bytes
    content_type: str


class Assets:
    """One digest stands for all files, so that modules find each other by relative addresses."""

    def __init__(self) -> None:
        found = dict(_files(files("waybill.console") / "static", ""))
        digest = hashlib.sha256()
        for name in sorted(found):
            digest.update(name.encode() + b"\0" + found[name] + b"\0")
        self._digest = digest.hexdigest()[:16]
        self._assets = {name: _asset(name, body) for name, body in found.items()}

    def url(self, name: str) -> str:
        """The address of a file; KeyError where there is none of that name."""
        assert name in self._assets, f"there is no static file {name}"
        return f"/static/{self._digest}/{name}"

    def answer(self, request: web.Request) -> web.Response:
        """The file. A page of another version gets ours, but does not keep it."""
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise not_found("the file")
        is_ours = request.match_info["digest"] == self._digest
        headers = {
            "Cache-Control": _FOR_EVER if is_ours else "no-cache",
            "Content-Type": f"{asset.content_type}; charset=utf-8",
            "Vary": "Accept-Encoding",
        }
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=asset.body, headers=headers)
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=asset.compressed, headers=headers)


@cache
def packaged() -> Assets:
    """The files of this package, read and compressed once."""
    return Assets()


def _files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _asset(name: str, body: bytes) -> _Asset:
    compressed = gzip.compress(body, _COMPRESSION, mtime=0)
    return _Asset(body, compressed, _TYPES[name.rpartition(".")[2]])
