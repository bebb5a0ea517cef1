"""FTX's public channels: a partial and its updates, each proven by a checksum; trades.

The venue's rules for a local book, in substance:

 1. Subscribing brings a `partial`: the whole book, replacing whatever was there.
 2. An `update` sets quantities at prices; 0 removes a level, also one that sinks below the best 100.
    Updates have no numbers.
 3. Every message carries the checksum of the book that it leads to. If ours differs, something was lost or
    changed on the way: the book is void until the next partial, for which one unsubscribes and subscribes.

Updates that were proven are numbered here, one by one, so that continuity is kept where it is for all venues.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.events import BookDelta, BookSnapshot, MarketEvent, Refused, Subscribed, Trade
from connectors.books import Books
from connectors.contract import NOTHING, Answer, Fetch, Habits, Reconnect, Reply, Request, Send
from connectors.ftx import wire
from connectors.ftx.checksum import Mirror
from connectors.levels import read_levels
from connectors.resync import SECOND
from connectors.sequencing import UpdateRange

RESTARTING = 20001
"""The code of the notice that the venue's servers restart, and that one is to connect anew."""


class FtxMarketData:
    """See `connectors.contract.MarketData`."""

    separator = "/"
    on_feed = False
    habits = Habits(silence_ns=40 * SECOND, keepalive_ns=15 * SECOND, keepalive=wire.ping)
    snapshot_after_ns = 10 * SECOND
    """A partial comes by itself."""

    def __init__(self, book_channel: str = "orderbook") -> None:
        self._book_channel = book_channel
        self._mirrors: dict[str, Mirror] = {}

    def numbering(self) -> UpdateRange[BookDelta]:
        return UpdateRange()

    def greet(self, now_ns: int) -> Sequence[Request]:
        return ()

    def market_list(self) -> Fetch:
        return Fetch("/api/markets")

    def clock(self) -> None:
        return None

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]:
        channels = (self._book_channel, "trades")
        return [Send(wire.subscribe(channel, symbol)) for symbol in symbols for channel in channels]

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        channel = self._book_channel
        return [Send(wire.unsubscribe(channel, symbol)), Send(wire.subscribe(channel, symbol))]

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        message = wire.read_frame(frame)
        if message.type in ("partial", "update"):
            if message.channel == self._book_channel:
                return self._book(message, books, now_ns)
            if message.channel == "trades" and isinstance(message.data, list):
                return _trades(message.data, message.market, books, now_ns)
            return NOTHING
        return _control(message, books, now_ns)

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        path = urlsplit(reply.url).path
        if reply.status != 200:
            raise FrameRefused(f"{path} answered {reply.status}: {reply.body[:200]!r}")
        if path.endswith("/api/markets"):
            books.markets.learn(wire.read_markets(reply.body))
        return NOTHING

    def _book(self, message: wire.Frame, books: Books, now_ns: int) -> Answer:
        symbol, data = message.market, message.data
        listing = books[symbol].listing
        if not isinstance(data, wire.Book):
            raise FrameRefused(f"{symbol}: a message of its book without the book", symbol)
        try:
            venue_time_ns = data.time_ns
        except NumberRefused as error:
            raise FrameRefused(f"{symbol}: the time of its book: {error}", symbol) from None
        bids, asks = read_levels(data.bids, listing), read_levels(data.asks, listing)
        if message.type == "partial":
            snapshot = BookSnapshot(listing.venue, listing.instrument.name, venue_time_ns, now_ns, bids, asks)
            return self._partial(symbol, data.checksum, snapshot, books)
        delta = BookDelta(listing.venue, listing.instrument.name, venue_time_ns, now_ns, bids, asks)
        return self._update(symbol, data.checksum, delta, books)

    def _partial(self, symbol: str, checksum: int, snapshot: BookSnapshot, books: Books) -> Answer:
        book = books[symbol]
        mirror = Mirror(book.listing.instrument, snapshot.bids, snapshot.asks)
        if mirror.checksum() != checksum:
            raise FrameRefused(f"{symbol}: a partial whose checksum is not {checksum}", symbol)
        self._mirrors[symbol] = mirror
        return Answer(book.restarted(0, snapshot))

    def _update(self, symbol: str, checksum: int, delta: BookDelta, books: Books) -> Answer:
        book, mirror = books[symbol], self._mirrors.get(symbol)
        if mirror is None or not book.is_whole:
            return NOTHING
        mirror.apply(delta.bids, delta.asks)
        if mirror.checksum() != checksum:
            reason = f"the book does not have the checksum {checksum} that the venue states"
            return Answer(book.lost(reason, delta.received_ns, gap=True))
        return Answer(book.updated(mirror.updates - 1, mirror.updates, delta))


def _trades(trades: Sequence[wire.Trade], symbol: str, books: Books, now_ns: int) -> Answer:
    listing = books[symbol].listing
    instrument = listing.instrument
    events: list[MarketEvent] = [
        Trade(
            listing.venue,
            instrument.name,
            trade.time_ns,
            now_ns,
            str(trade.id),
            instrument.price(bytes(trade.price)),
            instrument.quantity(bytes(trade.quantity)),
            trade.taker,
        )
        for trade in trades
    ]
    return Answer(events)


def _control(message: wire.Frame, books: Books, now_ns: int) -> Answer:
    if message.type in ("subscribed", "unsubscribed"):
        topics = f"{message.channel} {message.market}"
        return Answer(
            [Subscribed(books.venue, now_ns, topics if message.type == "subscribed" else f"no longer {topics}")]
        )
    if message.type == "error":
        book = books.get(message.market)
        reason = f"a request was refused: {message.code}: {message.msg}"
        return Answer([Refused(books.venue, now_ns, reason, None if book is None else book.listing.instrument.name)])
    if message.type == "info" and message.code == RESTARTING:
        return Answer(requests=[Reconnect(f"the venue restarts: {message.msg}")])
    if message.type in ("info", "pong"):
        return NOTHING
    raise FrameRefused("neither a push, an acknowledgement, an error nor a notice")
