"""HTX's public channels: changes joined to a snapshot, or the whole book over and over; trades, best quotes.

The venue's rules for a local book from its incremental channels (`mbp`), in substance:

 1. Subscribe to the increments and hold every one.
 2. With one held, ask for the snapshot on the same connection. Its REST book has no number and will not do.
 3. The snapshot ends at id S. Increments that end at or before S are dropped.
 4. The first one left must follow S. When it follows a later id, the snapshot is too old: ask again.
    An answer without a book means the same.
 5. From then on each increment must follow the id of the last one, else something was lost: ask again,
    keeping the subscription. Ids jump. Quantities are absolute, 0 removes a level.
 6. An increment may lack a side, or be empty altogether: it still moves the id.
 7. A connection may ask once per 100 ms; what is asked here is to be spaced out by the one who sends it.

Rules 3 to 5 are kept by `PreviousId`, which lets a snapshot fall inside an increment after two failures.
The snapshot lags its stream by about a second, so many increments are held by the time that it comes.

The other channels (`mbp.refresh`, `depth.step0`) show the whole book every time, and need none of this.
`depth.step1` and onwards merge prices, so they are no book.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from aggregator.domain.errors import FrameRefused
from aggregator.domain.events import (
    BestQuote,
    BookDelta,
    BookSnapshot,
    MarketEvent,
    Refused,
    Subscribed,
    Trade,
    VenueClock,
)
from aggregator.domain.instrument import Listing
from connectors.books import Books, SnapshotTooOld
from connectors.contract import NOTHING, Answer, Fetch, Habits, Reply, Request, Send
from connectors.huobi import wire
from connectors.levels import NOTHING as UNCHANGED
from connectors.levels import read_levels
from connectors.resync import SECOND
from connectors.sequencing import PreviousId

MS = 1_000_000
INCREMENTS = {"mbp.5": 5, "mbp.20": 20, "mbp.150": 150, "mbp.400": 400}
"""How many levels a side each covers."""

PICTURES = frozenset({"mbp.refresh.5", "mbp.refresh.10", "mbp.refresh.20", "depth.step0"})

FEED = "mbp."
"""Channels of such a name are served at an address of their own, and no trades with them."""

CLOCK = "/v1/common/timestamp"
MARKET_LISTS = {
    "/v1/settings/common/market-symbols": wire.read_markets,
    "/v1/common/symbols": wire.read_older_markets,
}


class HuobiMarketData:
    """See `connectors.contract.MarketData`."""

    separator = ""
    habits = Habits(silence_ns=15 * SECOND, spacing_ns=100 * MS)
    """The venue pings every 5 seconds, and hangs up before the third that is not answered; so may we."""

    def __init__(self, book_channel: str = "mbp.150") -> None:
        self._book_channel = book_channel
        # An increment is due within 100 ms, and then the snapshot can be asked for (rule 2); a picture comes
        # by itself within a second, and only one that is overdue is worth asking for.
        self.snapshot_after_ns = SECOND if book_channel in INCREMENTS else 5 * SECOND
        self.on_feed = book_channel.startswith(FEED)
        self._channels: dict[str, str] = {}
        self._asked: set[str] = set()
        self._heard: set[str] = set()

    def numbering(self) -> PreviousId[BookDelta]:
        return PreviousId()

    def greet(self, now_ns: int) -> Sequence[Request]:
        return ()

    def market_list(self) -> Fetch:
        return Fetch("/v1/settings/common/market-symbols")

    def clock(self) -> Fetch:
        return Fetch(CLOCK)

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]:
        channels = [self._book_channel]
        if not self.on_feed:
            channels.append("trade.detail")
        return [Send(wire.subscribe(wire.topic(symbol, channel))) for symbol in symbols for channel in channels]

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        topic = wire.topic(symbol, self._book_channel)
        if self._book_channel not in INCREMENTS:
            return [Send(wire.unsubscribe(topic)), Send(wire.subscribe(topic))]
        # Asked before, and still no increment: the subscription itself was refused, or got lost.
        is_deaf = symbol in self._asked and symbol not in self._heard
        self._asked.add(symbol)
        return [*([Send(wire.subscribe(topic))] if is_deaf else []), Send(wire.ask(topic))]

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        message = wire.read_frame(frame)
        if message.ping is not None:
            return Answer(requests=[Send(wire.pong(message.ping), urgent=True)])
        tick = message.tick
        if tick is None:
            return self._control(message, books, now_ns)
        symbol, channel = wire.split_topic(message.channel)
        if channel in INCREMENTS:
            return self._increment(tick, symbol, channel, books, now_ns)
        if channel in PICTURES:
            return self._picture(tick, symbol, channel, books, now_ns)
        if channel == "trade.detail":
            return _trades(tick, symbol, books, now_ns)
        if channel == "bbo":
            return _best_quote(tick, symbol, books, now_ns)
        return NOTHING

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        path = urlsplit(reply.url).path
        if reply.status != 200:
            raise FrameRefused(f"{path} answered {reply.status}: {reply.body[:200]!r}")
        read_markets = MARKET_LISTS.get(path)
        if read_markets is not None:
            books.markets.learn(read_markets(reply.body))
        elif path == CLOCK:
            return Answer([VenueClock(books.venue, now_ns, wire.read_time_ms(reply.body) * MS)])
        return NOTHING

    def _tells(self, symbol: str, channel: str) -> bool:
        """Whether this channel is the one that tells this symbol's book: the first one heard. Any other has
        numbers of its own, and mixing two would mangle the book unnoticed."""
        return self._channels.setdefault(symbol, channel) == channel

    def _increment(self, tick: wire.Tick, symbol: str, channel: str, books: Books, now_ns: int) -> Answer:
        book = books[symbol]
        if not self._tells(symbol, channel):
            return NOTHING
        if not 0 <= tick.previous <= tick.sequence:
            raise FrameRefused(f"{symbol}: an increment from id {tick.previous} to {tick.sequence}", symbol)
        self._heard.add(symbol)
        listing, time_ns, depth = book.listing, tick.time_ms * MS, INCREMENTS[channel]
        bids, asks = read_levels(tick.bids or UNCHANGED, listing), read_levels(tick.asks or UNCHANGED, listing)
        delta = BookDelta(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks, depth)
        return Answer(book.updated(tick.previous, tick.sequence, delta))

    def _picture(self, tick: wire.Tick, symbol: str, channel: str, books: Books, now_ns: int) -> Answer:
        book = books[symbol]
        if not self._tells(symbol, channel):
            return NOTHING
        snapshot = _snapshot(tick, book.listing, now_ns)
        return Answer(book.pictured(tick.sequence or tick.version or tick.time_ms, snapshot))

    def _control(self, message: wire.Frame, books: Books, now_ns: int) -> Answer:
        if message.status == "error":
            instrument = books.named_in(f"{message.id} {message.error_text}")
            reason = f"request {message.id} was refused: {message.error_code}: {message.error_text}"
            return Answer([Refused(books.venue, now_ns, reason, instrument)])
        if message.answered:
            return self._answer(message, books, now_ns)
        if message.subscribed:
            return Answer([Subscribed(books.venue, now_ns, message.subscribed)])
        if message.unsubscribed:
            return Answer([Subscribed(books.venue, now_ns, f"no longer {message.unsubscribed}")])
        raise FrameRefused("neither a push, an answer, an acknowledgement nor an error")

    def _answer(self, message: wire.Frame, books: Books, now_ns: int) -> Answer:
        symbol, channel = wire.split_topic(message.answered)
        book = books[symbol]
        # Asked for twice, or of another channel: it has nothing to say about the book.
        if book.is_whole or channel not in INCREMENTS or not self._tells(symbol, channel):
            return NOTHING
        if message.data is None or not book.holds_updates:  # rule 2: alone it would be a book that nothing continues
            raise SnapshotTooOld(symbol)
        if message.data.sequence <= 0:
            raise FrameRefused(f"{symbol}: a snapshot without its id", symbol)
        snapshot = _snapshot(message.data, book.listing, now_ns)
        return Answer(book.spliced(message.data.sequence, snapshot))


def _snapshot(tick: wire.Tick, listing: Listing, now_ns: int) -> BookSnapshot:
    bids, asks = read_levels(tick.bids, listing), read_levels(tick.asks, listing)
    return BookSnapshot(listing.venue, listing.instrument.name, tick.time_ms * MS, now_ns, bids, asks)


def _trades(tick: wire.Tick, symbol: str, books: Books, now_ns: int) -> Answer:
    listing = books[symbol].listing
    instrument = listing.instrument
    trades: list[MarketEvent] = [
        Trade(
            listing.venue,
            instrument.name,
            trade.time_ms * MS,
            now_ns,
            str(trade.trade_id),
            instrument.price(wire.number(trade.price)),
            instrument.quantity(wire.number(trade.quantity)),
            trade.taker,
        )
        for trade in tick.trades
    ]
    return Answer(trades)


def _best_quote(tick: wire.Tick, symbol: str, books: Books, now_ns: int) -> Answer:
    listing = books[symbol].listing
    instrument = listing.instrument
    quote = BestQuote(
        listing.venue,
        instrument.name,
        tick.quote_time_ms * MS,
        now_ns,
        tick.quote_sequence,
        instrument.price(wire.number(tick.bid_price)),
        instrument.quantity(wire.number(tick.bid_quantity)),
        instrument.price(wire.number(tick.ask_price)),
        instrument.quantity(wire.number(tick.ask_quantity)),
    )
    return Answer([quote])
