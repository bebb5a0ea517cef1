"""`/openapi.json`, and `/docs`: the same document as a page that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from aiohttp import web

from aggregator.api.headers import PAGE_POLICY
from aggregator.api.openapi import document
from aggregator.api.problems import JSON
from aggregator.api.reading import answered_bytes
from aggregator.api.routes import DOCS, OPENAPI, Endpoint, Route, opened

_PAGE = "page.html"
_FILES = {_PAGE: "text/html", "page.js": "text/javascript", "trying.js": "text/javascript", "style.css": "text/css"}


class DocumentRoutes:
    """Describes `routes` and itself."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.described = (*routes, OPENAPI, DOCS)
        self._document = JSON.encode(document(self.described))
        folder = files("aggregator.api.docs")
        self._files = {name: folder.joinpath(name).read_bytes() for name in _FILES}

    def routes(self) -> list[web.AbstractRouteDef]:
        own: list[Endpoint] = [opened(OPENAPI, self.openapi), opened(DOCS, self.page)]
        return [*own, web.get("/docs/{file}", self.file)]

    async def openapi(self, _: web.Request) -> web.Response:
        return answered_bytes(self._document)

    async def page(self, _: web.Request) -> web.Response:
        return self._show(_PAGE)

    async def file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in self._files:
            raise web.HTTPNotFound
        return self._show(name)

    def _show(self, name: str) -> web.Response:
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
        return web.Response(body=self._files[name], content_type=_FILES[name], charset="utf-8", headers=headers)
