"""The two contestants for books: this project, and ccxt.pro. Neither opens a connection.

Each takes a text frame as its own websocket client would hand it over, and does everything from there to
its book that it would do for a live frame.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from time import time_ns
from typing import Any

from aggregator.books.venue_book import VenueBook
from aggregator.domain.events import MarketEvent
from aggregator.domain.instrument import Instrument, Listing
from aggregator.engine.market import Market
from connectors.binance.market_data import BinanceMarketData
from connectors.contract import Reply
from connectors.markets import Markets
from connectors.session import Session
from tests.benchmarks.frames import SYMBOL, Feed

TOP = 20

Reading = Callable[[], object]
Side = list[tuple[Decimal, Decimal]]


class Ours:
    """A session and the market that it feeds."""

    def __init__(self, feed: Feed, venue: str = "binance") -> None:
        instrument = Instrument.of("BTC", "USDT")
        listing = Listing(venue, SYMBOL, instrument)
        self._frames = feed.frames
        self._market = Market()
        self._market.add(listing)
        self._session = Session(BinanceMarketData(), Markets(venue, [listing]), follow=[SYMBOL])
        self._apply(self._session.opened(time_ns()))
        for frame in feed.early:
            self._take(frame)
        reply = Reply(f"/api/v3/depth?symbol={SYMBOL}&limit=1000", 200, feed.snapshot.encode())
        self._apply(self._session.fetched(reply, time_ns()))
        self.book: VenueBook = self._market.books(instrument.name)[venue]

    def play(self, read: Reading | None = None) -> None:
        _play(self._take, self._frames, read)

    def read_best(self) -> object:
        bids, asks = self.book.bids, self.book.asks
        bid, ask = bids.best, asks.best
        assert bid is not None and ask is not None
        return bid, bids.quantity_at(bid), ask, asks.quantity_at(ask)

    def read_top(self) -> object:
        return self.book.bids.top(TOP), self.book.asks.top(TOP)

    def outcome(self) -> tuple[bool, Side, Side]:
        price, quantity = self.book.listing.instrument.show_price, self.book.listing.instrument.show_quantity
        bids, asks = (
            [(Decimal(price(at)), Decimal(quantity(there))) for at, there in zip(*ladder.top(), strict=True)]
            for ladder in (self.book.bids, self.book.asks)
        )
        return self.book.is_live, bids, asks

    def _take(self, frame: str) -> None:
        self._apply(self._session.received(frame, time_ns()))
        self._session.take_requests()

    def _apply(self, events: Iterable[MarketEvent]) -> None:
        for event in events:
            self._market.apply(event)


class Theirs:
    """ccxt.pro's Binance: its websocket client, its handlers and its book, as its own code joins them."""

    def __init__(self, feed: Feed) -> None:
        from aiohttp import WSMessage, WSMsgType

        self._exchange = _ccxt_binance()
        self._client = _ccxt_client(self._exchange)
        self._messages = [WSMessage(WSMsgType.TEXT, frame, None) for frame in feed.frames]
        # Without a depth: with its default of 1000 it would forget levels that a later snapshot does not bring
        # back, and could not end in the same book.
        self.book = self._exchange.orderbooks["BTC/USDT"] = self._exchange.order_book()
        for frame in feed.early:
            self._client.handle_message(WSMessage(WSMsgType.TEXT, frame, None))
        asyncio.run(self._splice(feed.snapshot))

    async def _splice(self, snapshot: str) -> None:
        async def depth(_request: object) -> Any:
            return json.loads(snapshot)

        self._exchange.publicGetDepth = depth
        subscription = {"symbol": "BTC/USDT", "type": "spot", "params": {}}
        await self._exchange.fetch_order_book_snapshot(self._client, None, subscription)

    def play(self, read: Reading | None = None) -> None:
        _play(self._client.handle_message, self._messages, read)

    def read_best(self) -> object:
        return self.book["bids"][0], self.book["asks"][0]

    def read_top(self) -> object:
        return self.book["bids"][:TOP], self.book["asks"][:TOP]

    def outcome(self) -> tuple[bool, Side, Side]:
        bids, asks = (
            [(Decimal(repr(price)), Decimal(repr(quantity))) for price, quantity in self.book[side]]
            for side in ("bids", "asks")
        )
        return "BTC/USDT" in self._exchange.orderbooks, bids, asks


def _play(take: Callable[[Any], object], frames: Iterable[object], read: Reading | None) -> None:
    if read is None:
        for frame in frames:
            take(frame)
    else:
        for frame in frames:
            take(frame)
            read()


@cache
def _ccxt_binance() -> Any:
    """Making one takes long and nothing of it is timed. Its market list is this one market."""
    import ccxt.pro

    exchange = ccxt.pro.binance()
    market = {"id": SYMBOL, "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
    exchange.set_markets([exchange.safe_market_structure(market)])
    return exchange


def _ccxt_client(exchange: Any) -> Any:
    """Its own client, but for the connection: `__init__` would want a running loop for one."""
    from ccxt.async_support.base.ws.client import Client

    client = Client.__new__(Client)
    client.url = "wss://stream.binance.com:9443/stream"
    client.futures, client.subscriptions, client.rejections = {}, {}, {}
    client.on_message_callback = exchange.handle_message
    return client
