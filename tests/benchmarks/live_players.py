"""The contestants of the live contest, each in a process of its own: the service on one venue, and ccxt.pro.

For every line on its input, a Game, a contestant connects anew, waits for its book, lets the server play, and prints
what it took until its book was at the last id.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from time import perf_counter, process_time
from typing import Any, NamedTuple
from urllib.request import urlopen

from aggregator.assembly import Service
from aggregator.books.venue_book import VenueBook
from aggregator.config.files import load_configuration
from aggregator.service.clock import SystemClock
from tests.paths import REPOSITORY

INSTRUMENT = "BTC/USDT"
LOOK_EVERY_S = 0.005
"""How often ours is asked whether it has all. It costs ours, as ccxt tells."""

DEEP = 5000
"""Enough levels for ccxt never to forget one: the venue would not bring it back."""

Side = list[tuple[str, str]]


class Game(NamedTuple):
    host: str
    rate: int
    """Frames a second; 0 for as fast as they are read."""
    frames: int
    last_id: int


class Score(NamedTuple):
    seconds: float
    cpu_seconds: float
    book: str
    """A fingerprint of the levels at the end."""


class Stopwatch:
    def __init__(self) -> None:
        self._begin = perf_counter(), process_time()

    def score(self, bids: Side, asks: Side) -> Score:
        seconds, cpu_seconds = perf_counter() - self._begin[0], process_time() - self._begin[1]
        return Score(seconds, cpu_seconds, sha256(repr((bids, asks)).encode()).hexdigest())


def service_on(host: str, venues: Sequence[str], instruments: Sequence[str], refreshes: int = 10) -> Service:
    """The service on as many venues as are named, all of which speak as Binance does, and from the same address. The
    frames tell the time of long ago, so nobody is to mind. `refreshes` is how often in a second readers get news."""
    loaded = load_configuration(REPOSITORY / "config" / "demo.yaml")
    binance = next(venue for venue in loaded.venues if venue.venue == "binance")
    update: dict[str, Any] = {
        "endpoints": binance.endpoints.model_copy(update={"stream": f"ws://{host}/stream", "rest": f"http://{host}"}),
        "listings": tuple(rules for rules in binance.listings if rules.instrument in instruments),
        "freshness": binance.freshness.model_copy(update={"silent_ns": None, "behind_ns": None, "frozen_ns": None}),
    }
    copies = tuple(binance.model_copy(update={**update, "venue": name}) for name in venues)
    free = loaded.settings.listen.model_copy(update={"port": 0})
    settings = loaded.settings.model_copy(update={"listen": free, "display_rate_per_second": refreshes})
    return Service(replace(loaded, venues=copies, settings=settings), SystemClock())


@asynccontextmanager
async def following(service: Service, books: int) -> AsyncIterator[list[VenueBook]]:
    """The books, once that many are live, while the service runs."""
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    try:
        while sum(book.is_live for book in service.engine.market) < books:
            await asyncio.sleep(LOOK_EVERY_S)
        yield list(service.engine.market)
    finally:
        stop.set()
        await running


async def play_ours(game: Game) -> Score:
    async with following(service_on(game.host, ["binance"], [INSTRUMENT]), 1) as (book,):
        last = book.counters.updates + game.frames
        stopwatch = Stopwatch()
        await play(game)
        while book.counters.updates < last:
            await asyncio.sleep(LOOK_EVERY_S)
        instrument = book.listing.instrument
        bids, asks = (
            [_level(instrument.show_price(price), instrument.show_quantity(quantity)) for price, quantity in levels]
            for levels in (zip(*ladder.top(), strict=True) for ladder in (book.bids, book.asks))
        )
        return stopwatch.score(bids, asks)


async def play_theirs(game: Game) -> Score:
    exchange = _ccxt(game.host)
    try:
        book = await exchange.watch_order_book(INSTRUMENT, DEEP)
        stopwatch = Stopwatch()
        await play(game)
        while book["nonce"] != game.last_id:
            book = await exchange.watch_order_book(INSTRUMENT, DEEP)
        bids, asks = (
            [_level(repr(price), repr(quantity)) for price, quantity in book[side]] for side in ("bids", "asks")
        )
        return stopwatch.score(bids, asks)
    finally:
        await exchange.close()


def _ccxt(host: str) -> Any:
    """It takes a url for that of the spot market by the word `stream` before an @."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ccxt.pro
    options = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}
    exchange = ccxt.pro.binance({"options": options})
    addresses = exchange.urls["api"]
    for name, url in addresses.items():
        if isinstance(url, str):
            addresses[name] = f"http://{host}/api/v3"
    addresses["ws"]["spot"] = f"ws://stream@{host}/ws"
    addresses["ws"]["ws-api"]["spot"] = f"ws://{host}/ws-api/v3"
    return exchange


async def play(game: Game) -> None:
    """Let the server begin."""
    url = f"http://{game.host}/_play?frames={game.frames}&rate={game.rate}"
    await asyncio.to_thread(lambda: urlopen(url).read())


def _level(price: str, quantity: str) -> tuple[str, str]:
    """One spelling for both: plain decimals."""
    return f"{Decimal(price).normalize():f}", f"{Decimal(quantity).normalize():f}"


PLAYERS: dict[str, Callable[[Game], Awaitable[Score]]] = {"ours": play_ours, "theirs": play_theirs}


def main(name: str) -> None:
    async def once(game: Game) -> Score:
        return await PLAYERS[name](game)

    for line in sys.stdin:
        print(json.dumps(asyncio.run(once(Game(*json.loads(line))))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
