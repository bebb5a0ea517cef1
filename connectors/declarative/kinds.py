"""One declared kind of message: how it is told from others, and what it comes to.

Everything of a message is read before anything of it counts, so that one which is refused leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Raw

from aggregator.config.declared import BestMessage, Clock, Declared, Incoming, TradeMessage
from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.events import BestQuote, MarketEvent, Refused, Subscribed, Trade
from aggregator.domain.instrument import Side
from connectors.books import Book, Books
from connectors.contract import NOTHING, Answer, Send
from connectors.declarative.book_messages import BookPart
from connectors.declarative.shapes import ABSENT, Glance, Items, Leaf, Shape, scalar
from connectors.declarative.values import answered, filled, moment_of
from connectors.decoding import Whole
from connectors.levels import number


class Kind(Protocol):
    """What a kind of message comes to. `forget` is told that a symbol's subscription starts anew; None means all."""

    def read(self, message: str | bytes, books: Books, now_ns: int) -> Answer: ...

    def forget(self, symbol: str | None) -> None: ...


class Kinds:
    """Finds the first kind that a message fits."""

    def __init__(self, declared: Declared) -> None:
        messages = declared.messages
        paths = list(dict.fromkeys(path for message in messages for path in (*message.when, *message.has)))
        self._glance = Glance(paths)
        self._kinds = [(_test_of(message, paths), kind_of(declared, message)) for message in messages]

    def of(self, message: str | bytes) -> Kind:
        """Raises FrameRefused when none fits."""
        seen = self._glance.read(message)
        for fits, kind in self._kinds:
            if fits(seen):
                return kind
        raise FrameRefused("none of the kinds of messages that the venue's file declares")

    def forget(self, symbol: str | None = None) -> None:
        for _, kind in self._kinds:
            kind.forget(symbol)


def _test_of(message: Incoming, paths: list[str]) -> Callable[[Sequence[Any]], bool]:
    tests = [_reads(paths.index(path), text) for path, text in message.when.items()]
    tests += [_is_there(paths.index(path)) for path in message.has]
    if len(tests) == 1:
        return tests[0]
    return lambda seen: all(test(seen) for test in tests)


def _reads(index: int, text: str) -> Callable[[Sequence[Any]], bool]:
    spellings = (b'"%b"' % text.encode(), text.encode())  # how a value that reads so stands in JSON: quoted or bare

    def test(seen: Sequence[Any]) -> bool:
        value = seen[index]
        if type(value) is not Raw:
            return scalar(value) == text
        raw = bytes(value)
        return raw in spellings or (b"\\" in raw and scalar(value) == text)

    return test


def _is_there(index: int) -> Callable[[Sequence[Any]], bool]:
    def test(seen: Sequence[Any]) -> bool:
        value = seen[index]
        return value is not None and value is not ABSENT and (type(value) is not Raw or bytes(value) != b"null")

    return test


def kind_of(declared: Declared, message: Incoming) -> Kind:
    if message.acknowledged is not None:
        says = filled(message.acknowledged)
        return Remark(lambda text, books, now_ns: Answer([Subscribed(books.venue, now_ns, says(text))]))
    if message.refused is not None:
        return Remark(_refusal(filled(message.refused)))
    if message.reply is not None:
        answer = answered(message.reply)
        return Remark(lambda text, books, now_ns: Answer(requests=[Send(answer(text), urgent=True)]))
    if message.ignored:
        return Remark(lambda text, books, now_ns: NOTHING)
    return AboutSymbol(declared, message)


def _refusal(says: Callable[[str | bytes], str]) -> Callable[[str | bytes, Books, int], Answer]:
    def read(message: str | bytes, books: Books, now_ns: int) -> Answer:
        reason = says(message)
        return Answer([Refused(books.venue, now_ns, reason, books.named_in(reason))])

    return read


class Remark:
    """A message about no book."""

    def __init__(self, read: Callable[[str | bytes, Books, int], Answer]) -> None:
        self.read = read

    def forget(self, symbol: str | None) -> None:
        """There is nothing to remember."""


class AboutSymbol:
    """A message about one symbol: its book, its trades, its best quote, or several of them."""

    def __init__(self, declared: Declared, message: Incoming) -> None:
        self._symbol = Shape([Leaf(message.symbol or _first_symbol(message), str)])
        self._book = BookPart(declared, message.book) if message.book is not None else None
        self._others: list[TradePart | BestPart] = []
        if message.trades is not None:
            self._others.append(TradePart(message.trades))
        if message.best is not None:
            self._others.append(BestPart(message.best))
        leaves: list[Leaf | None] = [Leaf(message.symbol, str) if message.symbol is not None else None]
        if self._book is not None:
            leaves += self._book.leaves
        self._starts = []
        for part in self._others:
            self._starts.append(len(leaves))
            leaves += part.leaves
        self._shape = Shape(leaves)

    def read(self, message: str | bytes, books: Books, now_ns: int) -> Answer:
        try:
            values = self._shape.read(message)
        except FrameRefused as error:
            raise FrameRefused(error.reason, self._symbol_in(message)) from None
        symbol = values[0] if values[0] is not None else self._symbol.read(message)[0]
        book = books[symbol]
        try:
            event = self._book.read(values, book, now_ns) if self._book is not None else None
            others = self._read_others(values, book, now_ns) if self._others else []
        except (FrameRefused, NumberRefused) as error:
            raise FrameRefused(f"{symbol}: {error}", symbol) from None
        if self._book is None or event is None:
            return Answer(others)
        told = self._book.apply(values, book, event)
        return Answer([*told, *others] if others else told)

    def forget(self, symbol: str | None) -> None:
        if self._book is not None:
            self._book.forget(symbol)
        for part in self._others:
            part.forget(symbol)

    def _read_others(self, values: Sequence[Any], book: Book, now_ns: int) -> list[MarketEvent]:
        parts = zip(self._others, self._starts, strict=True)
        return [event for part, start in parts for event in part.read(values[start:], book, now_ns)]

    def _symbol_in(self, message: str | bytes) -> str | None:
        """Whose message it is, when no more of it can be read; a book that it may change is then not whole any more."""
        try:
            symbol: str = self._symbol.read(message)[0]
        except FrameRefused:
            return None
        return symbol if self._book is not None else None


def _first_symbol(message: Incoming) -> str:
    """Where the symbol stands in a message whose rows say it."""
    assert message.book is not None and message.book.rows is not None  # the file's relations hold it
    return f"{message.book.rows.at}.0.{message.book.rows.symbol}"


class TradePart:
    """Trades in a list of their own, or the message is one. The first message of a symbol may be history."""

    def __init__(self, declared: TradeMessage) -> None:
        fields: list[Leaf | None] = [
            *(Leaf(path) for path in (declared.id, declared.price, declared.quantity)),
            *(Leaf(path) for path in (declared.time.at, declared.taker.at)),
        ]
        self._items = Items(fields) if declared.rows is not None else None
        self.leaves = [Leaf(declared.rows)] if declared.rows is not None else fields
        self._moment = moment_of(declared.time.unit)
        self._takers = {declared.taker.buy: Side.BUY, declared.taker.sell: Side.SELL}
        self._begins_with_history = declared.history
        self._begun: set[str] = set()

    def read(self, values: Sequence[Any], book: Book, now_ns: int) -> list[MarketEvent]:
        rows = [values] if self._items is None else self._items.read(bytes(values[0]))
        events: list[MarketEvent] = [self._trade(row, book, now_ns) for row in rows]
        symbol = book.listing.symbol
        if self._begins_with_history and symbol not in self._begun:
            self._begun.add(symbol)
            return []
        return events

    def forget(self, symbol: str | None) -> None:
        if symbol is None:
            self._begun.clear()
        else:
            self._begun.discard(symbol)

    def _trade(self, row: Sequence[Any], book: Book, now_ns: int) -> Trade:
        listing = book.listing
        instrument = listing.instrument
        taker = self._takers.get(scalar(row[4]))
        if taker is None:
            raise FrameRefused(f"a trade whose taker is {scalar(row[4])[:40]!r}, neither of {', '.join(self._takers)}")
        return Trade(
            listing.venue,
            instrument.name,
            self._moment(row[3]),
            now_ns,
            scalar(row[0]),
            instrument.price(number(row[1])),
            instrument.quantity(number(row[2])),
            taker,
        )


class BestPart:
    """The venue's best bid and offer; a side that is null has price and quantity 0."""

    def __init__(self, declared: BestMessage) -> None:
        paths = (declared.bid_price, declared.bid_quantity, declared.ask_price, declared.ask_quantity)
        last = Leaf(declared.last, Whole) if declared.last is not None else None
        self.leaves: list[Leaf | None] = [last, clock_leaf(declared.time), *map(Leaf, paths)]
        self._moment = moment_of(declared.time.unit) if declared.time is not None else None

    def read(self, values: Sequence[Any], book: Book, now_ns: int) -> list[MarketEvent]:
        last, time, *cells = values[:6]
        listing = book.listing
        instrument = listing.instrument
        bid_price, bid_quantity, ask_price, ask_quantity = (_or_zero(number(cell)) for cell in cells)
        time_ns = self._moment(time) if self._moment is not None else 0
        return [
            BestQuote(
                listing.venue,
                instrument.name,
                time_ns,
                now_ns,
                last or 0,
                instrument.price(bid_price),
                instrument.quantity(bid_quantity),
                instrument.price(ask_price),
                instrument.quantity(ask_quantity),
            )
        ]

    def forget(self, symbol: str | None) -> None:
        """There is nothing to remember."""


def clock_leaf(clock: Clock | None) -> Leaf | None:
    return Leaf(clock.at) if clock is not None else None


def _or_zero(text: bytes) -> bytes:
    return b"0" if text == b"null" else text
