"""Gate's public spot streams: two kinds of book, trades, best bids and offers.

`order_book_update`, changes joined to REST snapshots; the venue's rules in substance:

 A1. Subscribe and hold every update.
 A2. Fetch a snapshot, with its id.
 A3. Updates that end at or before the snapshot are dropped.
 A4. The first one left must begin at or before the id after the snapshot's; else the snapshot is too old: fetch
     another.
 A5. From then on each must begin at or before the id after the last one's end; else something was lost: back to A2,
     keeping the subscription.
 A6. The snapshot of a new market can be empty, with the id -1: it starts with whatever update comes first.
 A7. An update that says it is full replaces the book at any time. Quantities are absolute, 0 removes a level.
 A8. The stream covers 100 levels, or 20 when it comes every 20 ms: the snapshot is as deep, and what sinks below is
     cut off.

`obu`, the whole book and its changes in one stream:

 B1. Subscribe to one stream for each market.
 B2. A full push comes first, and can come again: it replaces the book.
 B3. Each update begins at the id after the last one's end. One without levels moves the id on as well.
 B4. Else something was lost: unsubscribe and subscribe; updates are of no use until the next full push.
 B5. Subscribing twice is refused.
 B6. The full push can come before the subscription is acknowledged.

All of it is kept by `UpdateRange`, which also takes an update that overlaps what is known: quantities being absolute,
it leads to the same book. For a market that does not exist `obu` is acknowledged all the same and stays silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from urllib.parse import parse_qs, urlsplit

from aggregator.domain.errors import ConfigurationRefused, FrameRefused
from aggregator.domain.events import BestQuote, BookDelta, BookSnapshot, Refused, Subscribed, Trade, VenueClock
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import parse_decimal
from connectors.books import Books
from connectors.contract import NOTHING, Answer, Fetch, Habits, Reconnect, Reply, Request, Send
from connectors.gateio import wire
from connectors.levels import read_levels
from connectors.resync import SECOND
from connectors.sequencing import UpdateRange

MS = 1_000_000
MS_DECIMALS = 6
"""Decimals that make ns of a time in ms."""

BOOK_CHANNELS = ("obu.50", "obu.400", "order_book_update.100ms", "order_book_update.20ms")
COVERED = {"100ms": 100, "20ms": 20}
"""How many levels a side `order_book_update` covers at each speed (rule A8)."""


class GateioMarketData:
    """See `connectors.contract.MarketData`. Frames of either kind of book are read, whichever is subscribed to."""

    separator = "_"
    on_feed = False
    habits = Habits(
        silence_ns=45 * SECOND,
        spacing_ns=5 * MS,
        keepalive_ns=15 * SECOND,
        keepalive=lambda now_ns: wire.ping(now_ns // SECOND),
    )
    """Quiet markets say nothing, and the venue hangs up on a client that is silent for 30 seconds: both are what the
    ping is for. No limit on requests is published."""

    def __init__(self, book_channel: str = "obu.50") -> None:
        if book_channel not in BOOK_CHANNELS:
            raise ConfigurationRefused([f"book_channel: {book_channel!r} is not one of {', '.join(BOOK_CHANNELS)}"])
        kind, _, self._variant = book_channel.partition(".")
        self._book_channel = f"spot.{kind}"
        self._covered = COVERED.get(self._variant, 0)
        self._ids = count(1)
        self.snapshot_after_ns = SECOND if self._covered else 5 * SECOND
        """With REST snapshots an active market has by then sent an update to join one to (rule A4); else the full push
        comes unasked (rule B2)."""

    def numbering(self) -> UpdateRange[BookDelta]:
        return UpdateRange()

    def greet(self, now_ns: int) -> Sequence[Request]:
        return ()

    def market_list(self) -> Fetch:
        return Fetch("/api/v4/spot/currency_pairs")

    def clock(self) -> Fetch:
        return Fetch("/api/v4/spot/time")

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]:
        """One market a request, so that what is refused is one market's and not its neighbours'."""
        books = [self._subscription(self._book_channel, self._book_of(symbol), now_ns) for symbol in symbols]
        return books + [self._subscription("spot.trades", [symbol], now_ns) for symbol in symbols]

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        if self._covered:
            return [Fetch(f"/api/v4/spot/order_book?currency_pair={symbol}&limit={self._covered}&with_id=true")]
        channel, payload, request_id = self._book_channel, self._book_of(symbol), next(self._ids)
        leave = wire.unsubscribe(channel, payload, request_id=request_id, time_s=now_ns // SECOND)
        return [Send(leave), self._subscription(channel, payload, now_ns)]  # rules B4 and B5

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        message = wire.read_frame(frame)
        if message.error is not None or message.event in ("subscribe", "unsubscribe") or not message.channel:
            return _control(message, books, now_ns)
        match message.channel:
            case "spot.obu" | "spot.order_book_update":
                return self._update(wire.read_update(message.result), books, now_ns)
            case "spot.trades":
                return _trade(wire.read_trade(message.result), books, now_ns)
            case "spot.book_ticker":
                return _best_quote(wire.read_best_quote(message.result), books, now_ns)
        if not message.channel.startswith("spot."):
            raise FrameRefused(f"{message.channel[:40]!r} is no channel of the spot markets")
        return NOTHING

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        url = urlsplit(reply.url)
        symbol = parse_qs(url.query).get("currency_pair", [""])[0]
        book = books.get(symbol)
        if book is not None and book.is_whole:
            return NOTHING  # a full update was faster (rule A7), whatever became of the snapshot
        if reply.status != 200:
            raise FrameRefused(f"{url.path} answered {reply.status}: {reply.body[:200]!r}", symbol or None)
        if url.path.endswith("/spot/order_book"):
            return _snapshot(symbol, reply.body, books, now_ns)
        if url.path.endswith("/spot/currency_pairs"):
            books.markets.learn(wire.read_markets(reply.body))
        if url.path.endswith("/spot/time"):
            return Answer([VenueClock(books.venue, now_ns, wire.read_time_ms(reply.body) * MS)])
        return NOTHING

    def _book_of(self, symbol: str) -> list[str]:
        return [symbol, self._variant] if self._covered else [f"ob.{symbol}.{self._variant}"]

    def _subscription(self, channel: str, payload: list[str], now_ns: int) -> Send:
        return Send(wire.subscribe(channel, payload, request_id=next(self._ids), time_s=now_ns // SECOND))

    def _update(self, update: wire.Update, books: Books, now_ns: int) -> Answer:
        symbol, depth = update.stream
        book = books[symbol]
        listing = book.listing
        time_ns, first, last = update.time_ms * MS, update.first_id, update.last_id
        bids, asks = read_levels(update.bids, listing), read_levels(update.asks, listing)
        if update.is_full:  # rules A7 and B2
            snapshot = BookSnapshot(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks)
            return Answer(book.restarted(last, snapshot))
        if not 0 < first <= last:
            raise FrameRefused(f"{symbol}: an update from id {first} to {last}", symbol)
        covered = depth or self._covered
        delta = BookDelta(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks, covered)
        return Answer(book.updated(first - 1, last, delta))


def _snapshot(symbol: str, body: bytes, books: Books, now_ns: int) -> Answer:
    book = books[symbol]
    listing = book.listing
    try:
        reply = wire.read_snapshot(body)
    except FrameRefused as error:
        raise FrameRefused(error.reason, symbol) from None
    bids, asks = read_levels(reply.bids, listing), read_levels(reply.asks, listing)
    if reply.last_id < 0 and (bids.prices or asks.prices):  # rule A6
        raise FrameRefused(f"{symbol}: a snapshot with levels, but at id {reply.last_id}", symbol)
    snapshot = BookSnapshot(listing.venue, listing.instrument.name, 0, now_ns, bids, asks)
    return Answer(book.spliced(reply.last_id, snapshot))


def _trade(trade: wire.Trade, books: Books, now_ns: int) -> Answer:
    listing = books[trade.symbol].listing
    instrument = listing.instrument
    time_ns = parse_decimal(wire.number(trade.time_ms), MS_DECIMALS)
    price, quantity = instrument.price(wire.number(trade.price)), instrument.quantity(wire.number(trade.quantity))
    taker = Side.BUY if trade.taker == "buy" else Side.SELL
    return Answer([Trade(listing.venue, instrument.name, time_ns, now_ns, str(trade.id), price, quantity, taker)])


def _best_quote(quote: wire.BestQuote, books: Books, now_ns: int) -> Answer:
    listing = books[quote.symbol].listing
    instrument = listing.instrument
    return Answer(
        [
            BestQuote(
                listing.venue,
                instrument.name,
                quote.time_ms * MS,
                now_ns,
                quote.last_id,
                instrument.price(wire.number(quote.bid_price) or b"0"),
                instrument.quantity(wire.number(quote.bid_quantity) or b"0"),
                instrument.price(wire.number(quote.ask_price) or b"0"),
                instrument.quantity(wire.number(quote.ask_quantity) or b"0"),
            )
        ]
    )


def _control(message: wire.Frame, books: Books, now_ns: int) -> Answer:
    error = message.error
    if error is not None:
        reason = f"{message.topics}: {error.code}: {error.message or 'no reason given'}"
        instrument = books.named_in(f"{message.topics} {error.message}")
        return Answer([Refused(books.venue, now_ns, reason, instrument)])
    if message.channel:
        return Answer([Subscribed(books.venue, now_ns, message.topics)]) if message.event == "subscribe" else NOTHING
    if message.type == "upgrade":
        return Answer(requests=[Reconnect(f"the venue is about to be upgraded: {message.msg}")])
    raise FrameRefused("neither a push, an answer nor a notice")
