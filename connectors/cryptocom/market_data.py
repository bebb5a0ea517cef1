"""Crypto.com's public streams: books with chained updates or as whole pictures, trades, best bids and offers.

The venue's rules for a local book, in substance:

 1. A subscription for changes brings the whole book first, then updates.
 2. Each update names the id of the one before it. Only equality with the book's id proves that nothing was lost, as
    ids jump. Quantities are absolute, 0 removes a level.
 3. On anything else subscribe again on the same connection: the whole book comes anew, and what comes before it is of
    no use. The documentation asks for no more, but a second subscription has been seen to bring only its
    acknowledgement, so the first one is ended before.
 4. An update without levels counts as well: it moves the id on. After five quiet seconds one repeats the book's own id,
    which says that the book stands.
 5. The stream covers the best 10 or 50 levels: what sinks below is removed, what rises again is inserted.
 6. A subscription for whole books brings one at least every 500 ms. They can overtake one another: one that is older
    than the book shown is dropped. Those of 2021 have no id, so they go by their time.
 7. The venue's heartbeat is answered at once, with its own id, or the connection is closed.
 8. The first trades after subscribing are history, newest first.

Rules 2 and 3 are kept by `PreviousId`, rule 6 by `SnapshotOnly`. The REST book has no id, so it can neither start a
book nor repair one. A connection bears 400 subscriptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from urllib.parse import urlsplit

from aggregator.domain.errors import ConfigurationRefused, FrameRefused
from aggregator.domain.events import BestQuote, BookDelta, BookSnapshot, MarketEvent, Refused, Subscribed, Trade
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import parse_decimal
from connectors.books import Books
from connectors.contract import NOTHING, Answer, Fetch, Habits, Reply, Request, Send
from connectors.cryptocom import wire
from connectors.levels import read_levels
from connectors.resync import SECOND
from connectors.sequencing import PreviousId

MS = 1_000_000
CHANNELS_PER_REQUEST = 100
TRADES_REMEMBERED = 512
"""Ids of told trades kept for each symbol, oldest out first: several times the longest history sent."""

BOOK_CHANNELS = ("book.50", "book.10", "book.50.snapshot", "book.10.snapshot")


class CryptocomMarketData:
    """See `connectors.contract.MarketData`. A book channel that ends in `.snapshot` subscribes to whole books.

    One for each connection, since it knows which trades that one has brought.
    """

    separator = "_"
    on_feed = False
    habits = Habits(silence_ns=45 * SECOND, settle_ns=SECOND, spacing_ns=20 * MS)
    """The venue's heartbeat comes every 30 seconds. It grants 100 requests a second, fewer in the calendar second in
    which the connection was made."""
    snapshot_after_ns = 5 * SECOND
    """The whole book comes unasked, about a second after its subscription is acknowledged."""

    def __init__(self, book_channel: str = "book.50") -> None:
        if book_channel not in BOOK_CHANNELS:
            raise ConfigurationRefused([f"book_channel: {book_channel!r} is not one of {', '.join(BOOK_CHANNELS)}"])
        self._depth = int(book_channel.split(".")[1])
        self._whole_books = book_channel.endswith(".snapshot")
        self._ids = count(1)
        self._trade_history_came: set[str] = set()
        self._trades_told: dict[str, dict[str, None]] = {}

    def numbering(self) -> PreviousId[BookDelta]:
        return PreviousId()

    def greet(self, now_ns: int) -> Sequence[Request]:
        self._trade_history_came.clear()
        return ()

    def market_list(self) -> Fetch:
        return Fetch("/exchange/v1/public/get-instruments")

    def clock(self) -> None:
        """The venue does not tell its time."""

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]:
        channels = [channel for symbol in symbols for channel in (self._book_of(symbol), f"trade.{symbol}")]
        return [
            self._subscription(channels[start : start + CHANNELS_PER_REQUEST], now_ns)
            for start in range(0, len(channels), CHANNELS_PER_REQUEST)
        ]

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        channels = [self._book_of(symbol)]
        ending = wire.unsubscribe(channels, request_id=next(self._ids), time_ms=now_ns // MS)
        return [Send(ending), self._subscription(channels, now_ns)]  # rule 3

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        message = wire.read_frame(frame)
        push = message.result
        if push is None or not push.channel or message.complaint is not None:
            return _control(message, books, now_ns)
        match push.channel:
            case "book.update":
                return self._updates(push, books, now_ns)
            case "book":
                return self._pictures(push, books, now_ns)
            case "trade":
                return self._trades(push, books, now_ns)
            case "ticker":
                return _best_quotes(push, books, now_ns)
        return NOTHING

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        path = urlsplit(reply.url).path
        if reply.status != 200:
            raise FrameRefused(f"{path} answered {reply.status}: {reply.body[:200]!r}")
        if path.endswith("/public/get-instruments"):
            books.markets.learn(wire.read_markets(reply.body))
        return NOTHING

    def _book_of(self, symbol: str) -> str:
        return f"book.{symbol}.{self._depth}"

    def _subscription(self, channels: Sequence[str], now_ns: int) -> Send:
        whole, request_id = self._whole_books, next(self._ids)
        return Send(wire.subscribe(channels, whole_books=whole, request_id=request_id, time_ms=now_ns // MS))

    def _updates(self, push: wire.Push, books: Books, now_ns: int) -> Answer:
        book = books[push.symbol]
        listing = book.listing
        depth = push.depth or self._depth  # rule 5
        deltas = []
        for update in wire.read_updates(push):
            previous, last = update.previous_id, update.last_id
            if previous > last:
                raise FrameRefused(f"{push.symbol}: an update from id {previous} to {last}", push.symbol)
            bids = read_levels(update.change.bids, listing, wire.LEVEL_COLUMNS)
            asks = read_levels(update.change.asks, listing, wire.LEVEL_COLUMNS)
            time_ns = update.time_ms * MS
            delta = BookDelta(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks, depth)
            deltas.append((previous, last, delta))
        return Answer([event for update in deltas for event in book.updated(*update)])

    def _pictures(self, push: wire.Push, books: Books, now_ns: int) -> Answer:
        book = books[push.symbol]
        listing = book.listing
        snapshots = []
        for picture in wire.read_pictures(push):
            bids = read_levels(picture.bids, listing, wire.LEVEL_COLUMNS)
            asks = read_levels(picture.asks, listing, wire.LEVEL_COLUMNS)
            time_ns = picture.time_ms * MS
            snapshot = BookSnapshot(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks)
            snapshots.append((picture, snapshot))
        events: list[MarketEvent] = []
        for picture, snapshot in snapshots:
            if picture.last_id is None or self._whole_books:  # rule 6
                events += book.pictured(picture.time_ms, snapshot)
            else:  # rules 1 and 3
                events += book.restarted(picture.last_id, snapshot)
        return Answer(events)

    def _trades(self, push: wire.Push, books: Books, now_ns: int) -> Answer:
        symbol = push.symbol
        listing = books[symbol].listing
        batch = wire.read_trades(push)
        told = self._trades_told.setdefault(symbol, {})
        fresh = {}
        if symbol in self._trade_history_came:  # rule 8
            for trade in reversed(batch):
                trade_id = str(trade.id)
                if trade_id not in told:
                    fresh[trade_id] = _trade(trade, trade_id, listing.venue, listing.instrument, now_ns)
        self._trade_history_came.add(symbol)
        told.update((str(trade.id), None) for trade in reversed(batch))
        for oldest in list(islice(told, max(0, len(told) - TRADES_REMEMBERED))):
            del told[oldest]
        return Answer(list(fresh.values()))


def _trade(trade: wire.Trade, trade_id: str, venue: str, instrument: Instrument, now_ns: int) -> Trade:
    exact = trade.exact_time_ns
    time_ns = trade.time_ms * MS if exact is None else parse_decimal(str(exact), 0)
    price, quantity = instrument.price(wire.number(trade.price)), instrument.quantity(wire.number(trade.quantity))
    taker = Side.BUY if trade.taker == "BUY" else Side.SELL
    return Trade(venue, instrument.name, time_ns, now_ns, trade_id, price, quantity, taker)


def _best_quotes(push: wire.Push, books: Books, now_ns: int) -> Answer:
    """Those of 2021 have no quantities and say nothing."""
    events = []
    for ticker in wire.read_tickers(push):
        if wire.ABSENT in (ticker.bid_quantity, ticker.ask_quantity):
            continue
        listing = books[push.symbol].listing
        instrument = listing.instrument
        events.append(
            BestQuote(
                listing.venue,
                instrument.name,
                ticker.time_ms * MS,
                now_ns,
                0,
                instrument.price(wire.number(ticker.bid_price) or b"0"),
                instrument.quantity(wire.number(ticker.bid_quantity) or b"0"),
                instrument.price(wire.number(ticker.ask_price) or b"0"),
                instrument.quantity(wire.number(ticker.ask_quantity) or b"0"),
            )
        )
    return Answer(events)


def _control(message: wire.Frame, books: Books, now_ns: int) -> Answer:
    if message.method == "public/heartbeat" and message.id is not None:  # rule 7
        return Answer(requests=[Send(wire.answer_heartbeat(message.id), urgent=True)])
    complaint = message.complaint
    if complaint is not None:
        reason = f"request {message.id} ({message.channel or message.method}) was refused: {complaint}"
        return Answer([Refused(books.venue, now_ns, reason, books.named_in(message.words))])
    if message.method == "subscribe":
        return Answer([Subscribed(books.venue, now_ns, message.channel or f"request {message.id}")])
    if message.method == "unsubscribe":
        return NOTHING
    raise FrameRefused("neither a push, an answer nor a heartbeat")
