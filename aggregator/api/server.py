"""The HTTP server: routes, errors, and the three open ones that operators' tools ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from aggregator.api.problems import as_problems
from aggregator.api.reading import answered
from aggregator.engine.engine import Engine

BODY_AT_MOST = 64 * 1024
CLOSE_PATIENCE_S = 2


class CannotListen(Exception):
    """The address is taken, or not ours."""


class Operations:
    """`/health`, `/ready` and `/metrics`."""

    def __init__(self, engine: Engine, registry: CollectorRegistry, lag: Callable[[], int]) -> None:
        self._engine = engine
        self._registry = registry
        self._lag = lag

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/ready", self.ready),
            web.get("/metrics", self.metrics),
        ]

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
        document = {"ready": live > 0, "live_books": live, "not_live": waiting}
        return answered(document, 200 if live else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class Routes(Protocol):
    """A part of the API."""

    def routes(self) -> Sequence[web.RouteDef]: ...


class Server:
    """Serves all its parts until closed."""

    def __init__(self, *parts: Routes) -> None:
        self.app = web.Application(middlewares=[as_problems], client_max_size=BODY_AT_MOST)
        self.app.add_routes(route for part in parts for route in part.routes())
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=CLOSE_PATIENCE_S)

    async def open(self, host: str, port: int) -> str:
        """Start to listen; returns the root URL. Raises CannotListen."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from None
        address = self._runner.addresses[0]
        return f"http://{address[0]}:{address[1]}"

    async def close(self) -> None:
        await self._runner.cleanup()
