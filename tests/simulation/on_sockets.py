"""A simulated venue on a real socket of this machine, and what an independent client makes of it."""

import asyncio
import time
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from aggregator.config.files import load_configuration
from aggregator.domain.instrument import Instruments
from connectors.simulation.contract import SimulatedVenue
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.faults import Faults
from connectors.simulation.server import SimulatorServer
from tests.paths import REPOSITORY
from tests.simulation.one_venue import settings_of

INSTRUMENTS = ("BTC/USDT", "ETH/USDT")
PATIENCE_S = 30
"""Far longer than anything here takes, for a machine that is busy."""

Rows = list[tuple[Decimal, Decimal]]


class Served(NamedTuple):
    """`host` is `address:port`."""

    exchange: SimulatedExchange
    faults: Faults
    host: str


@asynccontextmanager
async def served(name: str, simulate: Callable[[SimulatedExchange], SimulatedVenue]) -> AsyncIterator[Served]:
    """Ten times as lively as usual, so that nobody has to watch for long."""
    instruments = Instruments(load_configuration(REPOSITORY / "config" / "aggregator.yaml").instruments.values())
    listings = settings_of(name, INSTRUMENTS).fixed_listings(instruments.listed)
    exchange = SimulatedExchange(name, listings, 1, time.time_ns())
    exchange.quicken(10)
    faults = Faults(simulate(exchange), exchange)
    server = SimulatorServer(faults, time.time_ns)
    host = await server.open()
    running = asyncio.create_task(server.run())
    try:
        yield Served(exchange, faults, host)
    finally:
        await server.close()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def ccxt_pro() -> Any:
    """Imported only here, as it changes aiohttp for the whole process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ccxt", reason="ccxt, the independent witness, is not installed")
        return pytest.importorskip("ccxt.pro", reason="ccxt is installed without its websocket clients")


class Watcher:
    """Calls `watch_order_book` for ever, as a user of ccxt does, also after an error."""

    def __init__(self, client: Any, symbol: str, *arguments: Any) -> None:
        self.errors: list[Exception] = []
        self.updates = 0
        self._client = client
        self._symbol = symbol
        self._arguments = arguments

    async def run(self) -> None:
        while True:
            try:
                await self._client.watch_order_book(self._symbol, *self._arguments)
                self.updates += 1
            except Exception as error:  # noqa: BLE001 - what the library raises is what is asked after
                self.errors.append(error)
                await asyncio.sleep(0.05)


@asynccontextmanager
async def watching(client: Any, *arguments: Any) -> AsyncIterator[dict[str, Watcher]]:
    """Watchers of all instruments; `arguments` are further ones of `watch_order_book`. The client is closed at the
    end."""
    watchers = {symbol: Watcher(client, symbol, *arguments) for symbol in INSTRUMENTS}
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers.values()]
    try:
        yield watchers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.02)


async def stopped(venue: Served, client: Any, symbols: Sequence[str]) -> None:
    """Let the books stand still, and the client have heard the last of them."""
    venue.exchange.freeze()
    for instrument, symbol in zip(INSTRUMENTS, symbols, strict=True):
        await until(lambda i=instrument, s=symbol: _nonce(client, i) == venue.exchange.last_id(s))  # type: ignore[misc]


def _nonce(client: Any, instrument: str) -> int | None:
    book = client.orderbooks.get(instrument)
    return None if book is None else book["nonce"]


def theirs(client: Any, instrument: str, depth: int | None = None) -> tuple[Rows, Rows]:
    """ccxt's book: its floats print as the decimals that they were read from."""
    book = client.orderbooks[instrument]
    bids, asks = (
        [(Decimal(repr(price)), Decimal(repr(quantity))) for price, quantity, *_ in book[side][:depth]]
        for side in ("bids", "asks")
    )
    return bids, asks


def true(venue: Served, symbol: str, depth: int | None = None) -> tuple[Rows, Rows]:
    instrument, picture = venue.exchange.listing(symbol).instrument, venue.exchange.book(symbol, depth)
    bids, asks = (
        [
            (Decimal(instrument.show_price(price)), Decimal(instrument.show_quantity(quantity)))
            for price, quantity in zip(*side, strict=True)
        ]
        for side in (picture.bids, picture.asks)
    )
    return bids, asks
