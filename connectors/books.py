"""The books that one connection carries, each with its numbering and whether it is whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, ListingsRead, MarketEvent
from aggregator.domain.instrument import Listing
from connectors.levels import EvenLevels
from connectors.markets import Markets
from connectors.sequencing import PreviousId, SnapshotOnly, TooOld, UpdateRange, Verdict

Numbering = UpdateRange[BookDelta] | PreviousId[BookDelta]

_NEXT = Verdict.NEXT

_WORD = re.compile(r"[\w-]+")


class SnapshotTooOld(Exception):
    """The snapshot of `symbol` cannot be joined to the stream; a newer one is needed."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.symbol = symbol


class Book:
    """One book's continuity. What it returns may be applied as it comes.

    A book starts in one of three ways: `spliced` from a snapshot taken outside the stream, `restarted`
    from one within, or `pictured` anew with every message.
    """

    __slots__ = ("_numbering", "_pictures", "_was_lost", "even_levels", "listing")

    def __init__(self, listing: Listing, numbering: Numbering) -> None:
        self.listing = listing
        self.even_levels = EvenLevels(listing)
        self._numbering = numbering
        self._pictures = SnapshotOnly()
        self._was_lost = False

    @property
    def is_whole(self) -> bool:
        return self.at is not None

    @property
    def at(self) -> int | None:
        """The venue's id of the state that has been told, None while there is none."""
        return self._numbering.last if self._numbering.last is not None else self._pictures.last

    @property
    def holds_updates(self) -> bool:
        """Whether updates have come that a snapshot could be joined to."""
        return self._numbering.holds_updates

    def updated(self, previous: int, last: int, delta: BookDelta) -> list[MarketEvent]:
        """An update that follows id `previous` and ends at id `last`."""
        at = self._numbering.last
        verdict = self._numbering.offer(previous, last, delta)
        if verdict is _NEXT:
            return [delta]
        if verdict is Verdict.GAP:
            reason = f"gap: an update follows {previous}, but the book is at {at}"
            return [self._lost(reason, delta.received_ns, gap=True)]
        if verdict is Verdict.HELD and self._pictures.last is not None:
            return self.lost("an update came for a book that came as whole pictures", delta.received_ns)
        return []

    def spliced(self, snapshot_id: int, snapshot: BookSnapshot) -> list[MarketEvent]:
        """Raises SnapshotTooOld when a newer snapshot is needed. A whole book stays as it is."""
        if self.is_whole:
            return []
        try:
            held = self._numbering.splice(snapshot_id)
        except TooOld:
            raise SnapshotTooOld(self.listing.symbol) from None
        return [self._found(snapshot), *held]

    def restarted(self, snapshot_id: int, snapshot: BookSnapshot) -> list[MarketEvent]:
        self._pictures.lose()
        self._numbering.restart(snapshot_id)
        return [self._found(snapshot)]

    def pictured(self, order: int, snapshot: BookSnapshot) -> list[MarketEvent]:
        if self._pictures.offer(order) is Verdict.OLD:
            return []
        self._numbering.lose()
        return [self._found(snapshot)]

    def lost(self, reason: str, at_ns: int, *, gap: bool = False) -> list[MarketEvent]:
        """Give the book up. One that is lost already stays lost for its first reason."""
        if not self.is_whole:
            return []
        self._numbering.lose()
        self._pictures.lose()
        return [self._lost(reason, at_ns, gap)]

    def cut(self, reason: str, at_ns: int) -> list[MarketEvent]:
        """The connection is gone: what was held of it continues nothing that the next one will bring."""
        lost = self.lost(reason, at_ns)
        self._numbering.lose()
        return lost

    def awaited(self, at_ns: int) -> BookLost:
        """The statement that a book which has just come to be has no levels yet."""
        return BookLost(self.listing.venue, self.listing.instrument.name, at_ns, "a snapshot is awaited")

    def _lost(self, reason: str, at_ns: int, gap: bool) -> BookLost:
        self._was_lost = True
        return BookLost(self.listing.venue, self.listing.instrument.name, at_ns, reason, gap)

    def _found(self, snapshot: BookSnapshot) -> BookSnapshot:
        snapshot.resync, self._was_lost = self._was_lost, False
        return snapshot


class Books:
    """The books of one connection by the venue's symbols. A book comes to be when it is first asked for."""

    def __init__(self, markets: Markets, numbering: Callable[[], Numbering]) -> None:
        self.venue = markets.venue
        self.markets = markets
        self._numbering = numbering
        self._books: dict[str, Book] = {}
        self._unannounced: list[Book] = []

    def __getitem__(self, symbol: str) -> Book:
        """Raises FrameRefused for a symbol that this connection does not follow."""
        book = self._books.get(symbol)
        return book if book is not None else self._add(symbol)

    def __iter__(self) -> Iterator[Book]:
        return iter(self._books.values())

    def get(self, symbol: str) -> Book | None:
        return self._books.get(symbol)

    def named_in(self, text: str) -> str | None:
        """The instrument whose symbol stands in a venue's own words, if one does and no other."""
        named = [self._books[word] for word in set(_WORD.findall(text)) if word in self._books]
        return named[0].listing.instrument.name if len(named) == 1 else None

    @property
    def is_news(self) -> bool:
        """Whether books have come to be that were not announced yet."""
        return bool(self._unannounced)

    def announce(self, at_ns: int) -> list[MarketEvent]:
        """What is to be told of books that have come to be since the last call."""
        events: list[MarketEvent] = []
        for book in self._unannounced:
            events += ListingsRead(self.venue, at_ns, [book.listing]), book.awaited(at_ns)
        self._unannounced.clear()
        return events

    def _add(self, symbol: str) -> Book:
        try:
            listing = self.markets.listing(symbol)
        except NumberRefused as error:
            raise FrameRefused(f"{symbol} cannot be listed: {error}") from None
        if listing is None:
            raise FrameRefused(f"{symbol[:40]!r} is no symbol that was asked for")
        book = self._books[symbol] = Book(listing, self._numbering())
        self._unannounced.append(book)
        return book
