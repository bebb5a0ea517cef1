"""The whole service on four simulated venues, as the page meets it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from aggregator.api.auth import one_time_link, signature
from aggregator.assembly import Service, SimulatedVenues
from aggregator.assembly.simulated import credentials
from aggregator.config.files import load_configuration
from aggregator.config.keys import ApiKey, Scope
from aggregator.service.clock import SystemClock
from tests.paths import REPOSITORY

PATIENCE_S = 60
"""Far more than anything here takes, for a machine that is busy."""

VENUES = ("binance", "huobi", "cryptocom", "gateio")
"""Those that are simulated."""

KEY = ApiKey(
    key="demo", secret="the-demo-secret-of-these-tests-0123456789", account="demo", scopes=("read", "trade", "admin")
)


class Served:
    """The service at `root`, and its venues."""

    def __init__(self, root: str, http: aiohttp.ClientSession, venues: SimulatedVenues) -> None:
        self.root = root
        self.venues = venues
        self._http = http

    def link(self) -> str:
        """Signs a browser in, once."""
        return f"{self.root}/#sign-in={one_time_link(KEY.key, KEY.secret, time.time_ns())}"

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Signed."""
        content = b"" if body is None else json.dumps(body).encode()
        timestamp = str(time.time_ns())
        told = signature(KEY.secret, timestamp, method, path, content)
        headers = {"X-API-Key": KEY.key, "X-Timestamp-Ns": timestamp, "X-Signature": told}
        async with self._http.request(method, self.root + path, data=content, headers=headers) as answer:
            return await answer.json(content_type=None)

    async def fault(self, venue: str, name: str, **options: Any) -> None:
        await self._simulator("POST", venue, json={"name": name, **options})

    async def heal(self, venue: str, name: str) -> None:
        await self._simulator("DELETE", venue, params={"name": name})

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """No level moves at any venue meanwhile, so that two looks can be compared."""
        for venue in VENUES:
            await self.fault(venue, "frozen")
        try:
            yield
        finally:
            for venue in VENUES:
                await self.heal(venue, "frozen")

    async def _simulator(self, method: str, venue: str, **request: Any) -> None:
        rest = (await self.ask("GET", f"/v1/venues/{venue}"))["rest"]
        async with self._http.request(method, f"{rest}/_simulator/faults", **request) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def served(folder: Path, seed: int = 7, anonymous: tuple[Scope, ...] = ("read",)) -> AsyncIterator[Served]:
    """Every book is live by then."""
    loaded = load_configuration(REPOSITORY / "config" / "demo.yaml")
    listen = loaded.settings.listen.model_copy(update={"port": 0, "anonymous": anonymous})
    settings = loaded.settings.model_copy(update={"listen": listen})
    clock_ns, stop = SystemClock(), asyncio.Event()
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    venues = SimulatedVenues(replace(loaded, settings=settings), seed, clock_ns)
    opened = replace(await venues.open(), keys=(KEY,), journal=folder / "journal.db")
    service = Service(opened, clock_ns, credentials=credentials(venue.venue for venue in opened.venues))
    simulating = asyncio.create_task(venues.run())
    running = asyncio.create_task(service.serve(stop, started.set_result))
    try:
        waited: list[asyncio.Future[Any]] = [started, running]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        async with aiohttp.ClientSession() as http:
            there = Served(started.result(), http, venues)
            await _until_ready(there)
            yield there
    finally:
        stop.set()
        await running
        simulating.cancel()
        with suppress(asyncio.CancelledError):
            await simulating
        await venues.close()


async def _until_ready(there: Served) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await _all_live(there):
            await asyncio.sleep(0.05)
        while (await there.ask("GET", "/v1/halt"))["reconciling"].keys() & set(VENUES):
            await asyncio.sleep(0.05)


async def _all_live(there: Served) -> bool:
    venues = (await there.ask("GET", "/v1/venues"))["venues"]
    books = {venue["venue"]: venue["books"].values() for venue in venues}
    return all(books[name] and all(book["health"] == "live" for book in books[name]) for name in VENUES)
