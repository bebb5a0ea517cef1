"""Public market data of a venue whose file describes its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from aggregator.config.declared import Declared, RestBook
from aggregator.config.templates import fill
from aggregator.domain.errors import FrameRefused
from aggregator.domain.events import BookDelta, BookSnapshot
from connectors.books import Books, Numbering
from connectors.contract import NOTHING, Answer, Fetch, Habits, Reply, Request
from connectors.declarative.frames import unpacked
from connectors.declarative.kinds import Kinds
from connectors.declarative.levels import leaves_of, sides_reader
from connectors.declarative.markets import MarketRows
from connectors.declarative.requests import BookPath, Writer
from connectors.declarative.shapes import Leaf, Shape
from connectors.decoding import Whole
from connectors.resync import SECOND
from connectors.sequencing import PreviousId, UpdateRange

STREAM_PATIENCE_NS = 10 * SECOND
"""How long the stream may take to bring a whole book by itself."""


class DeclaredMarketData:
    """See `connectors.contract.MarketData`. One for each connection, since it knows what that one follows."""

    on_feed = False

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._writer = Writer()
        self._kinds = Kinds(declared)
        self._followed: list[str] = []
        rest = declared.snapshot.rest
        self._rest_book = FetchedBook(rest) if rest is not None else None
        self._markets = MarketRows(declared.markets, declared.symbols.spelling) if declared.markets else None
        self.separator = _separator(declared.symbols.spelling)
        self.snapshot_after_ns = rest.after_ns if rest is not None else STREAM_PATIENCE_NS
        keepalive = declared.keepalive
        self.habits = Habits(
            silence_ns=declared.connection.silence_ns or 0,
            life_ns=declared.connection.life_ns or 0,
            keepalive_ns=keepalive.every_ns if keepalive is not None else 0,
            keepalive=(lambda now_ns: self._writer.text(keepalive.text, now_ns)) if keepalive is not None else None,
        )

    def numbering(self) -> Numbering:
        return PreviousId[BookDelta]() if self._declared.numbering == "previous" else UpdateRange[BookDelta]()

    def greet(self, now_ns: int) -> Sequence[Request]:
        self._followed.clear()
        self._kinds.forget()
        return ()

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]:
        self._followed += symbols
        named = self._followed if self._declared.replaces else symbols
        return self._writer.messages(self._declared.subscribe, named, now_ns)

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        if self._rest_book is not None:
            return [self._rest_book.fetch(symbol)]
        if self._declared.snapshot.nowhere is not None:
            return ()
        self._kinds.forget(symbol)
        named = self._followed if self._declared.replaces else [symbol]
        ending = self._writer.messages(self._declared.unsubscribe, named, now_ns)
        return ending + self._writer.messages(self._declared.subscribe, named, now_ns)

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        if isinstance(frame, bytes) and self._declared.compression != "none":
            frame = unpacked(frame, self._declared.compression)
        return self._kinds.of(frame).read(frame, books, now_ns)

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        path = urlsplit(reply.url).path
        symbol = self._rest_book.symbol_in(reply.url, books) if self._rest_book is not None else None
        if reply.status != 200:
            raise FrameRefused(f"{path} answered {reply.status}: {reply.body[:200]!r}", symbol)
        if self._rest_book is not None and symbol is not None:
            return self._rest_book.read(symbol, reply.body, books, now_ns)
        markets = self._declared.markets
        if self._markets is not None and markets is not None and path.endswith(markets.path.partition("?")[0]):
            books.markets.learn(self._markets.read(reply.body))
        return NOTHING

    def market_list(self) -> Fetch | None:
        markets = self._declared.markets
        return Fetch(markets.path, markets.weight) if markets is not None else None

    def clock(self) -> None:
        """A declared venue is not asked for its time."""


class FetchedBook:
    """A book from the venue's REST interface, joined to the stream by its id."""

    def __init__(self, declared: RestBook) -> None:
        self._path = BookPath(declared.path)
        self._weight = declared.weight
        self._shape = Shape([Leaf(declared.last, Whole), *leaves_of(declared.sides)])
        self._levels = sides_reader(declared.sides)

    def fetch(self, symbol: str) -> Fetch:
        return Fetch(self._path.of(symbol), self._weight)

    def symbol_in(self, url: str, books: Books) -> str | None:
        return self._path.symbol_in(url, [book.listing.symbol for book in books])

    def read(self, symbol: str, body: bytes, books: Books, now_ns: int) -> Answer:
        book = books[symbol]
        listing = book.listing
        try:
            last, bids_raw, asks_raw, _ = self._shape.read(body)
        except FrameRefused as error:
            raise FrameRefused(error.reason, symbol) from None
        bids, asks = self._levels(bids_raw, asks_raw, book)
        snapshot = BookSnapshot(listing.venue, listing.instrument.name, 0, now_ns, bids, asks)
        return Answer(book.spliced(last, snapshot))


def _separator(spelling: str) -> str:
    """What stands between base and quote; empty where nothing does, or where the quote comes first."""
    before, base, after = fill(spelling, {"base": "\0", "quote": "\1"}).partition("\0")
    return after[:-1] if base and not before and after.endswith("\1") else ""
