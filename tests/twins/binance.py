"""Binance in miniature: a true book for each symbol, told in the venue's own frames to a session that follows it."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from aggregator.books.venue_book import VenueBook
from aggregator.domain.events import BookLost, MarketEvent
from aggregator.domain.instrument import Instrument, Listing
from aggregator.engine.market import Market
from connectors.binance.market_data import BinanceMarketData
from connectors.contract import Fetch, Reply, Request
from connectors.markets import Markets
from connectors.session import Session
from tests.twins.feed import MARK, State, Update, make_feed, shown_state
from tests.twins.listings import BTC, listing

SECOND = 1_000_000_000
START_NS = 1_780_000_000 * SECOND
ETH = Instrument("ETH/USDT", "ETH", "USDT", price_decimals=2, quantity_decimals=3)
LISTINGS = {"BTCUSDT": listing("binance", "BTCUSDT", BTC), "ETHUSDT": listing("binance", "ETHUSDT", ETH)}
HOST = "https://api.binance.com"


def push(stream: str, **fields: Any) -> str:
    return json.dumps({"stream": stream, "data": fields}, separators=(",", ":"))


def diff(update: Update, of: Listing, time_ms: int = 0) -> str:
    """As the venue writes a change of its book."""
    return push(
        f"{of.symbol.lower()}@depth@100ms",
        e="depthUpdate",
        E=time_ms,
        s=of.symbol,
        U=update.previous + 1,
        u=update.last,
        b=rows_of(update.bids, of.instrument),
        a=rows_of(update.asks, of.instrument),
    )


def snapshot_body(snapshot_id: int, state: State, of: Listing) -> bytes:
    bids, asks = rows_of(state.bids, of.instrument), rows_of(state.asks, of.instrument)
    return json.dumps({"lastUpdateId": snapshot_id, "bids": bids, "asks": asks}).encode()


def rows_of(side: Mapping[int, int], instrument: Instrument) -> list[list[str]]:
    return [[instrument.show_price(price), instrument.show_quantity(quantity)] for price, quantity in side.items()]


def depth_url(symbol: str) -> str:
    return f"{HOST}/api/v3/depth?symbol={symbol}&limit=1000"


class BinanceTwin:
    """Both ends of one connection, and the market that comes of it. After everything that is heard it checks that
    each live book is the true one, and up to date with all that was understood."""

    def __init__(self, seed: int = 1, count: int = 60, symbols: Sequence[str] = tuple(LISTINGS)) -> None:
        self.feeds = {symbol: make_feed(Random(f"{seed} {symbol}"), count) for symbol in symbols}
        self.told = dict.fromkeys(symbols, 0)
        self.heard = dict.fromkeys(symbols, -1)
        self.asked: dict[str, list[int]] = {symbol: [] for symbol in symbols}
        """When each symbol's snapshot was asked for."""
        self.unanswered: list[str] = []
        self.sent: list[Request] = []
        self.lost: list[BookLost] = []
        self.now_ns = START_NS
        self.session = Session(BinanceMarketData(), Markets("binance", LISTINGS.values()), follow=symbols)
        self.market = Market()

    def book(self, symbol: str) -> VenueBook:
        return self.market.books(LISTINGS[symbol].instrument.name)["binance"]

    def open(self) -> None:
        self._take(self.session.opened(self.now_ns))

    def open_whole(self) -> None:
        """Open, and have every book."""
        self.open()
        self.wait(1)
        self.answer_all()
        assert all(self.book(symbol).is_live for symbol in self.feeds)

    def close(self) -> None:
        self._take(self.session.closed("the connection is gone", self.now_ns))

    def next_update(self, symbol: str) -> Update:
        """The venue's book changes, whether or not anyone hears of it."""
        update = self.feeds[symbol].updates[self.told[symbol]]
        self.told[symbol] += 1
        return update

    def tell(self, symbol: str) -> Sequence[MarketEvent]:
        return self.hear(symbol, self.next_update(symbol))

    def hear(self, symbol: str, update: Update) -> Sequence[MarketEvent]:
        self.heard[symbol] = max(self.heard[symbol], update.last)
        return self.receive(diff(update, LISTINGS[symbol]))

    def receive(self, frame: str | bytes) -> Sequence[MarketEvent]:
        return self._take(self.session.received(frame, self.now_ns))

    def newest_id(self, symbol: str, lag: int = 0) -> int:
        """The id at which the venue's book is, or was so many updates ago."""
        feed, told = self.feeds[symbol], self.told[symbol] - lag
        return feed.updates[told - 1].last if told > 0 else feed.ids[0]

    def answer(self, symbol: str, lag: int = 0) -> Sequence[MarketEvent]:
        snapshot_id = self.newest_id(symbol, lag)
        return self.reply(
            symbol, 200, snapshot_body(snapshot_id, self.feeds[symbol].states[snapshot_id], LISTINGS[symbol])
        )

    def reply(self, symbol: str, status: int, body: bytes) -> Sequence[MarketEvent]:
        if symbol in self.unanswered:
            self.unanswered.remove(symbol)
        return self._take(self.session.fetched(Reply(depth_url(symbol), status, body), self.now_ns))

    def answer_all(self) -> None:
        for symbol in list(self.unanswered):
            self.answer(symbol)

    def wait(self, seconds: int) -> None:
        """Time passes, and the session is woken whenever it wants to be."""
        end_ns = self.now_ns + seconds * SECOND
        while (wake_ns := self.session.wake_at_ns()) is not None and wake_ns <= end_ns:
            self.now_ns = max(self.now_ns, wake_ns)
            self.session.woken(self.now_ns)
            self._take([])
        self.now_ns = end_ns

    def check(self) -> None:
        self.market.check()
        for symbol, feed in self.feeds.items():
            book = self.book(symbol)
            if book.is_live:
                at = book.bids.quantity_at(MARK)
                assert shown_state(book) == feed.states[at], f"{symbol} is not the true book at {at}"
                assert at >= self.heard[symbol], f"{symbol} is live at {at} although {self.heard[symbol]} was heard"
            else:
                assert book.reason

    def _take(self, events: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        for event in events:
            self.market.apply(event)
            if isinstance(event, BookLost):
                self.lost.append(event)
        for request in self.session.take_requests():
            if isinstance(request, Fetch) and "/depth?" in request.path:
                (symbol,) = (symbol for symbol in self.feeds if f"symbol={symbol}&" in request.path)
                self.asked[symbol].append(self.now_ns)
                self.unanswered.append(symbol)
            else:
                self.sent.append(request)
        self.check()
        return events
