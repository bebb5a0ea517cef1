"""The HTTP server: its parts under one roof, and the three open routes that operators' tools ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from aggregator.api.connection import Door
from aggregator.api.documents import DocumentRoutes
from aggregator.api.headers import Heads
from aggregator.api.limits import Limits
from aggregator.api.meters import Meters
from aggregator.api.passage import Passage
from aggregator.api.reading import answered
from aggregator.api.routes import HEALTH, METRICS, READY, TABLE, Endpoint, Route, opened
from aggregator.engine.engine import Engine

CLOSE_PATIENCE_S = 2
WAITING_AT_MOST = 128
"""Connections that the kernel keeps until they are taken on."""


class CannotListen(Exception):
    """The address is taken, or not ours."""


class Operations:
    """`/health`, `/ready` and `/metrics`. `no_orders` tells why no order is taken now, empty when orders are."""

    def __init__(
        self, engine: Engine, registry: CollectorRegistry, lag: Callable[[], int], no_orders: Callable[[], str] = str
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._lag = lag
        self._no_orders = no_orders

    def routes(self) -> list[Endpoint]:
        return [opened(HEALTH, self.health), opened(READY, self.ready), opened(METRICS, self.metrics)]

    async def health(self, _: web.Request) -> web.Response:
        """Whoever gets this answer knows that the loop turns."""
        return answered({"status": "ok", "inbox": self._lag()})

    async def ready(self, _: web.Request) -> web.Response:
        """200 as soon as any book is live; what is not live is named with its reason."""
        books = list(self._engine.market)
        live = sum(book.is_live for book in books)
        waiting = {
            f"{book.venue} {book.listing.instrument.name}": f"{book.health}: {book.reason}"
            for book in books
            if not book.is_live
        }
        document = {"ready": live > 0, "live_books": live, "not_live": waiting, "no_orders": self._no_orders()}
        return answered(document, 200 if live else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class Part(Protocol):
    """A part of the API. What it serves under /v1 is in the table of routes; the rest are pages."""

    def routes(self) -> Sequence[web.AbstractRouteDef]: ...


class Server:
    """Serves all its parts, and the document of them, until closed.

    `meters` counts; it is to be among the collectors of the registry that is scraped. Pages of `cors_origins` (such as
    `https://desk.example`) may use the API from a browser, with signatures. Raises ValueError for a part with a route
    under /v1 that the table lacks.
    """

    def __init__(
        self,
        *parts: Part,
        limits: Limits | None = None,
        meters: Meters | None = None,
        cors_origins: Collection[str] = (),
    ) -> None:
        limits, meters = limits or Limits(), meters or Meters()
        heads = Heads(cors_origins)
        self.app = web.Application(middlewares=[Passage(limits, heads, meters).lead], client_max_size=limits.body)
        self.app.on_response_prepare.append(heads.complete)
        routes = [route for part in parts for route in part.routes()]
        documents = DocumentRoutes(described(routes))
        self.described = documents.described
        """The routes of the table that are served."""
        self.app.add_routes([*routes, *documents.routes()])
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=CLOSE_PATIENCE_S)
        self._door = Door(limits, meters)
        self._listener: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> str:
        """Start to listen; returns the root URL. Raises CannotListen."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # there is one from `setup` to `cleanup`
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                lambda: self._door.connection(server), host, port, backlog=WAITING_AT_MOST
            )
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from None
        address = self._listener.sockets[0].getsockname()
        return f"http://{address[0]}:{address[1]}"

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()


def described(routes: Iterable[web.AbstractRouteDef]) -> Iterable[Route]:
    """What of this the table describes. Raises ValueError for what it must and does not."""
    table = {(route.method, route.path): route for route in TABLE}
    for route in routes:
        if isinstance(route, Endpoint):
            yield route.route
        elif isinstance(route, web.RouteDef):
            known = table.get((route.method, route.path))
            if known is not None:
                yield known
            elif route.path.startswith("/v1"):
                raise ValueError(f"{route.method} {route.path} is not in the table of aggregator/api/routes.py; add it")
