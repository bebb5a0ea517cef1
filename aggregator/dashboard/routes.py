"""The page and its files. They are read once, at the start, and speak only with the service that they came from.

The files' path holds the fingerprint of all of them together, so that a browser may keep each for ever and still never
mixes two versions; the page itself is asked for anew each time.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from aiohttp import web

PAGE = "index.html"
TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
    "svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
SAFETY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOR_EVER = "public, max-age=31536000, immutable"
LEAST_TO_COMPRESS = 512
"""Bytes."""


class File(NamedTuple):
    type: str
    content: bytes
    compressed: bytes | None
    tag: str


class Dashboard:
    """`/` and `/static/{fingerprint}/{file}`."""

    def __init__(self) -> None:
        sources = dict(_sources(files("aggregator.dashboard"), ""))
        page = sources.pop(PAGE)
        self._fingerprint = _fingerprint(*(part for name in sorted(sources) for part in (name.encode(), sources[name])))
        self._files = {name: _file(name, content) for name, content in sources.items()}
        self._page = _file(PAGE, page.replace(b"{{files}}", f"/static/{self._fingerprint}".encode()))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.page),
            web.get("/static/{fingerprint}/{file:.+}", self.file),
        ]

    async def page(self, request: web.Request) -> web.Response:
        return _answer(request, self._page, "no-cache")

    async def file(self, request: web.Request) -> web.Response:
        """Files of another version are not there: the page that wants them is to be loaded anew."""
        file = self._files.get(request.match_info["file"])
        if file is None or request.match_info["fingerprint"] != self._fingerprint:
            raise web.HTTPNotFound
        return _answer(request, file, FOR_EVER)


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif _extension(entry.name) in TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _file(name: str, content: bytes) -> File:
    # Without a time in it, for the same file is to be the same bytes after every start.
    compressed = gzip.compress(content, mtime=0) if len(content) >= LEAST_TO_COMPRESS else None
    return File(TYPES[_extension(name)], content, compressed, f'"{_fingerprint(content)}"')


def _answer(request: web.Request, file: File, caching: str) -> web.Response:
    headers = {**SAFETY, "Cache-Control": caching, "ETag": file.tag, "Vary": "Accept-Encoding"}
    if request.headers.get("If-None-Match") == file.tag:
        return web.Response(status=304, headers=headers)
    body = file.content
    if file.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = file.compressed
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, headers=headers, content_type=file.type, charset="utf-8")


def _fingerprint(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:20]


def _extension(name: str) -> str:
    return name.rpartition(".")[2]
