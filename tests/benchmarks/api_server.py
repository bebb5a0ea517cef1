"""The API over four venues' books, and beside it a bare aiohttp server that answers the same requests with the same
bytes. A process of its own, so that nothing of the client's work counts. The first line that it prints says where both
are; each line that it reads it answers with the seconds of the processor that it has used.
"""

from __future__ import annotations

import asyncio
import json
import sys
from random import Random
from time import process_time

from aiohttp import web

from aggregator.api.auth import Keys
from aggregator.api.market import MarketRoutes
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.routes import WATCH
from aggregator.api.server import Server
from aggregator.domain.book import Levels
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from tests.api.desk import venue_entries
from tests.benchmarks.api_requests import BOOK, QUOTE

BTC = Instrument.of("BTC", "USDT")
NOW_NS = 1_767_225_600_000_000_000
"""Time stands still: then the same request has the same answer."""

TAKER_FEES = {"binance": 100_000, "huobi": 200_000, "cryptocom": 75_000, "gateio": 150_000}
LEVELS = 200


def engine() -> Engine:
    random, told = Random(1), Engine()
    for venue, fee in TAKER_FEES.items():
        lot = BTC.quantity("0.00001")
        listing = Listing(venue, "BTCUSDT", BTC, tick=BTC.price("0.01"), lot=lot, fees=Fees(taker=fee))
        told.apply(ListingsRead(venue, NOW_NS, [listing]))
        bids, asks = _levels(random, -1), _levels(random, 1)
        told.apply(BookSnapshot(venue, BTC.name, NOW_NS, NOW_NS, bids, asks))
    return told


def _levels(random: Random, away: int) -> Levels:
    cents, levels = 6_180_000, Levels([], [])
    for _ in range(LEVELS):
        cents += away * random.randint(1, 400)
        levels.prices.append(BTC.price(f"{cents // 100}.{cents % 100:02}"))
        levels.quantities.append(BTC.quantity(f"0.{random.randint(1, 99_999):05}"))
    return levels


def ours() -> Server:
    books = engine()
    entries = venue_entries(tuple(TAKER_FEES))
    keys = Keys((), lambda: NOW_NS, anonymous=WATCH)
    return Server(
        MarketRoutes(books, Views(books), entries, lambda: NOW_NS, keys),
        QuoteRoutes(Quotes(books, entries, lambda: NOW_NS), keys),
    )


def bare(book: bytes, quote: bytes) -> web.AppRunner:
    async def answer_book(_: web.Request) -> web.Response:
        return web.Response(body=book, content_type="application/json")

    async def answer_quote(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=quote, content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/v1/books/{symbol}", answer_book), web.post("/v1/quotes", answer_quote)])
    return web.AppRunner(app, access_log=None)


async def serve() -> None:
    root = await ours().open("127.0.0.1", 0)
    port = int(root.rpartition(":")[2])
    answers = await asyncio.to_thread(lambda: [request.sent_to(port) for request in (BOOK, QUOTE)])
    runner = bare(*answers)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"ours": port, "theirs": runner.addresses[0][1]}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
