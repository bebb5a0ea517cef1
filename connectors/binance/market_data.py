"""Binance's public streams: diffs joined to REST snapshots, trades, best bids and offers.

The venue's rules for a local book, in substance:

 1. Subscribe to the diffs and hold every one, from the moment the request is sent.
 2. Fetch a snapshot.
 3. A snapshot older than the first diff held is of no use: fetch another.
 4. Diffs that end at or before the snapshot are dropped.
 5. The first one left must begin at or before the id after the snapshot's.
 6. From then on each diff must begin at or before the id after the last one's end; otherwise something
    was lost: start again with 2, keeping the subscription. Quantities are absolute, 0 removes a level.

Rules 3 to 6 are kept by `UpdateRange`. A diff covers all levels, but the snapshot only so many: what lies
beyond it is unknown until it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from urllib.parse import parse_qs, urlsplit

from aggregator.domain.errors import FrameRefused
from aggregator.domain.events import BestQuote, BookDelta, BookSnapshot, Refused, Subscribed, Trade, VenueClock
from aggregator.domain.instrument import Side
from connectors.binance import wire
from connectors.books import Books
from connectors.contract import NOTHING, Answer, Fetch, Habits, Reconnect, Reply, Request, Send
from connectors.resync import SECOND
from connectors.sequencing import UpdateRange

MS = 1_000_000
SNAPSHOT_DEPTH, SNAPSHOT_WEIGHT, MARKET_LIST_WEIGHT = 1000, 50, 20
STREAMS_PER_REQUEST = 200
"""Many streams go into one request, as requests are limited to 5 a second."""

DIFFS = frozenset({"depth", "depth@100ms", "depth@1000ms"})


class BinanceMarketData:
    """See `connectors.contract.MarketData`."""

    separator = ""
    on_feed = False
    habits = Habits(silence_ns=60 * SECOND, spacing_ns=SECOND // 5, life_ns=84_000 * SECOND)
    """At most 5 messages a second; the venue cuts every connection after 24 hours, of which 23 h 20 are used.
    Its pings are the websocket protocol's own."""
    snapshot_after_ns = SECOND
    """By then an active market has sent a diff for the snapshot to be joined to (rule 3)."""

    def __init__(self, book_channel: str = "depth@100ms") -> None:
        self._book_channel = book_channel
        self._ids = count(1)

    def numbering(self) -> UpdateRange[BookDelta]:
        return UpdateRange()

    def greet(self, now_ns: int) -> Sequence[Request]:
        return ()

    def market_list(self) -> Fetch:
        return Fetch("/api/v3/exchangeInfo", MARKET_LIST_WEIGHT)

    def clock(self) -> Fetch:
        return Fetch("/api/v3/time")

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]:
        streams = [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in (self._book_channel, "trade")]
        return [
            Send(wire.subscribe(streams[start : start + STREAMS_PER_REQUEST], next(self._ids)))
            for start in range(0, len(streams), STREAMS_PER_REQUEST)
        ]

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        return [Fetch(f"/api/v3/depth?symbol={symbol}&limit={SNAPSHOT_DEPTH}", SNAPSHOT_WEIGHT)]

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        message = wire.read_frame(frame)
        push = message.data
        if push is None:
            return _control(message, books.venue, now_ns)
        if message.stream == "!serverShutdown":
            return Answer(requests=[Reconnect("the venue's server goes away")])
        kind = message.stream.partition("@")[2]
        if kind in DIFFS:
            return _diff(push, books, now_ns)
        if kind == "trade":
            return _trade(push, books, now_ns)
        if kind == "bookTicker":
            return _best_quote(push, books, now_ns)
        return NOTHING

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        url = urlsplit(reply.url)
        symbol = parse_qs(url.query).get("symbol", [""])[0]
        if reply.status != 200:
            raise FrameRefused(f"{url.path} answered {reply.status}: {reply.body[:200]!r}", symbol or None)
        if url.path.endswith("/depth"):
            return _snapshot(symbol, reply.body, books, now_ns)
        if url.path.endswith("/exchangeInfo"):
            books.markets.learn(wire.read_markets(reply.body))
        if url.path.endswith("/time"):
            return Answer([VenueClock(books.venue, now_ns, wire.read_time_ms(reply.body) * MS)])
        return NOTHING


def _diff(push: wire.Push, books: Books, now_ns: int) -> Answer:
    book = books[push.symbol]
    listing = book.listing
    if not 0 < push.first_id <= push.last_id:
        raise FrameRefused(f"{push.symbol}: a diff from id {push.first_id} to {push.last_id}", push.symbol)
    bids, asks = book.even_levels.read(push.bids, push.asks)
    delta = BookDelta(listing.venue, listing.instrument.name, push.time_ms * MS, now_ns, bids, asks)
    return Answer(book.updated(push.first_id - 1, push.last_id, delta))


def _snapshot(symbol: str, body: bytes, books: Books, now_ns: int) -> Answer:
    book = books[symbol]
    listing = book.listing
    try:
        reply = wire.read_snapshot(body)
    except FrameRefused as error:
        raise FrameRefused(error.reason, symbol) from None
    bids, asks = book.even_levels.read(reply.bids, reply.asks)
    snapshot = BookSnapshot(listing.venue, listing.instrument.name, 0, now_ns, bids, asks)
    return Answer(book.spliced(reply.last_id, snapshot))


def _trade(push: wire.Push, books: Books, now_ns: int) -> Answer:
    listing = books[push.symbol].listing
    instrument = listing.instrument
    # The buyer being the maker means that the seller crossed the spread.
    taker = Side.SELL if push.buyer_is_maker else Side.BUY
    price, quantity = instrument.price(push.price), instrument.quantity(push.quantity)
    time_ns, trade_id = push.trade_time_ms * MS, str(push.trade_id)
    return Answer([Trade(listing.venue, instrument.name, time_ns, now_ns, trade_id, price, quantity, taker)])


def _best_quote(push: wire.Push, books: Books, now_ns: int) -> Answer:
    listing = books[push.symbol].listing
    instrument = listing.instrument
    return Answer(
        [
            BestQuote(
                listing.venue,
                instrument.name,
                0,
                now_ns,
                push.last_id,
                instrument.price(bytes(push.bids).strip(b'"')),
                instrument.quantity(push.bid_quantity),
                instrument.price(bytes(push.asks).strip(b'"')),
                instrument.quantity(push.ask_quantity),
            )
        ]
    )


def _control(message: wire.Frame, venue: str, now_ns: int) -> Answer:
    complaint = message.complaint
    if complaint is not None:
        return Answer([Refused(venue, now_ns, f"request {message.id} was refused: {complaint}")])
    if message.id is None:
        raise FrameRefused("neither a push, an acknowledgement nor an error")
    return Answer([Subscribed(venue, now_ns, f"request {message.id}")])
