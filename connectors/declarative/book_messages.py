"""What a declared message does to a book: its levels and ids are read, then joined by the numbering declared.

1. `range`: changes cover ids from first to last, and the next ones begin at or before the id after last.
2. `previous`: changes name the id of the update before them.
3. `pictures`: each message is the whole book; one that is older than the book shown is dropped.
4. `none`: changes have no ids. They continue the book that the same connection brought whole, as far as a connection
   that keeps its order can be trusted: a message that the venue itself left out goes unnoticed.
5. A book that begins nowhere is never whole, so what changes it is only checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aggregator.config.declared import BookMessage, Declared
from aggregator.domain.errors import FrameRefused
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, MarketEvent
from connectors.books import Book
from connectors.declarative.levels import levels_of
from connectors.declarative.shapes import Leaf
from connectors.declarative.values import moment_of
from connectors.decoding import Whole

SYMBOL, BEFORE, LAST, TIME, BIDS, ASKS = range(6)
"""Where the values of a message about a book stand; its symbol is first."""


class BookPart:
    """`leaves` follow the symbol's. `read` says what a message is, and changes nothing; `apply` then counts it."""

    def __init__(self, declared: Declared, message: BookMessage) -> None:
        before = message.first or message.previous
        levels, self._levels = levels_of(message)
        self.leaves: list[Leaf | None] = [
            Leaf(before, Whole) if before is not None else None,
            Leaf(message.last, Whole) if message.last is not None else None,
            Leaf(message.time.at) if message.time is not None else None,
            *levels,
        ]
        self._moment = moment_of(message.time.unit) if message.time is not None else None
        self._is_whole = message.holds == "whole"
        self._covers = message.covers or 0
        self._join = self._joining(declared)
        self._without_beginning: set[str] = set()
        self._reason = declared.snapshot.nowhere or ""

    def read(self, values: Sequence[Any], book: Book, now_ns: int) -> BookDelta | BookSnapshot:
        """Raises FrameRefused for levels, ids or a time that are none."""
        listing = book.listing
        bids, asks = self._levels(values[BIDS], values[ASKS], book)
        time_ns = self._moment(values[TIME]) if self._moment is not None else 0
        if self._is_whole:
            return BookSnapshot(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks)
        before, last = values[BEFORE], values[LAST]
        if before is not None and before > last:
            raise FrameRefused(f"changes from id {before} to {last}")
        return BookDelta(listing.venue, listing.instrument.name, time_ns, now_ns, bids, asks, self._covers)

    def apply(self, values: Sequence[Any], book: Book, event: BookDelta | BookSnapshot) -> list[MarketEvent]:
        return self._join(book, values[BEFORE], values[LAST], event)

    def forget(self, symbol: str | None) -> None:
        if symbol is None:
            self._without_beginning.clear()

    def _joining(self, declared: Declared) -> Callable[[Book, Any, Any, Any], list[MarketEvent]]:
        if declared.snapshot.nowhere is not None:
            return self._never_whole
        match declared.numbering, self._is_whole:
            case "pictures", _:
                return _pictured
            case "none", True:
                return lambda book, before, last, snapshot: book.restarted(0, snapshot)
            case "none", False:
                return _continued
            case _, True:
                return lambda book, before, last, snapshot: book.restarted(last, snapshot)
            case "range", _:
                return lambda book, first, last, delta: book.updated(first - 1, last, delta)
        return lambda book, previous, last, delta: book.updated(previous, last, delta)

    def _never_whole(self, book: Book, before: Any, last: Any, event: BookDelta) -> list[MarketEvent]:
        """The reason is told once for each connection."""
        listing = book.listing
        if listing.symbol in self._without_beginning:
            return []
        self._without_beginning.add(listing.symbol)
        return [BookLost(listing.venue, listing.instrument.name, event.received_ns, f"never live: {self._reason}")]


def _pictured(book: Book, before: Any, last: int | None, snapshot: BookSnapshot) -> list[MarketEvent]:
    return book.pictured(snapshot.venue_time_ns if last is None else last, snapshot)


def _continued(book: Book, before: Any, last: Any, delta: BookDelta) -> list[MarketEvent]:
    """Numbered here, one by one, so that continuity is kept where it is for all venues."""
    at = book.at
    return [] if at is None else book.updated(at, at + 1, delta)
