"""Every venue's book of every instrument: the market as the engine knows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from aggregator.books.consolidated import ConsolidatedDepth, View, consolidate
from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    BookUnchanged,
    FrameRejected,
    ListingsRead,
    MarketEvent,
)
from aggregator.domain.instrument import Instrument, Listing

BOOK_EVENTS = (BookDelta, BookSnapshot, BookUnchanged, BookLost)
"""The most frequent first."""


class Market:
    """Books by instrument, then by venue. A book exists from the moment that its listing is known."""

    def __init__(self) -> None:
        self._books: dict[str, dict[str, VenueBook]] = {}
        self._instruments: dict[str, Instrument] = {}
        self.hidden: dict[str, str] = {}
        """Venues that are not shown, with the reason. Their books are kept all the same."""

    def __iter__(self) -> Iterator[VenueBook]:
        return (book for venues in self._books.values() for book in venues.values())

    def apply(self, event: MarketEvent) -> tuple[VenueBook, Health] | None:
        """Take in one event; returns the book that it touched, if any, with its health before."""
        if isinstance(event, BOOK_EVENTS):
            book = self._books[event.instrument].get(event.venue)
            if book is None:  # what was still on its way from a venue that is followed no more
                return None
            before = book.health
            book.apply(event)
            return book, before
        if isinstance(event, ListingsRead):
            for listing in event.listings:
                self.add(listing, event.received_ns)
        elif isinstance(event, FrameRejected) and event.instrument is not None:
            book = self._books[event.instrument].get(event.venue)
            if book is not None:
                book.counters.rejected_frames += 1
                return book, book.health
        return None

    def add(self, listing: Listing, at_ns: int = 0) -> bool:
        """Add a listing; one that is known keeps its book and gets the new rules. Whether it has others now."""
        venues = self._books.setdefault(listing.instrument.name, {})
        self._instruments[listing.instrument.name] = listing.instrument
        book = venues.get(listing.venue)
        if book is None:
            venues[listing.venue] = VenueBook(listing)
            return False
        return book.revise(listing, at_ns)

    def remove(self, venue: str, but: Collection[str] = ()) -> list[str]:
        """Forget a venue's books, but for those of some instruments; returns what had one. An instrument stays."""
        return [name for name, books in self._books.items() if name not in but and books.pop(venue, None) is not None]

    @property
    def instruments(self) -> list[str]:
        return sorted(self._books)

    def instrument(self, name: str) -> Instrument:
        """Raises KeyError for one that was never listed."""
        return self._instruments[name]

    def find(self, instrument: str, venue: str) -> VenueBook | None:
        return self._books.get(instrument, {}).get(venue)

    def books(self, instrument: str) -> dict[str, VenueBook]:
        """This instrument's books by venue. Raises KeyError for an instrument that is listed nowhere."""
        return self._books[instrument]

    def consolidated(
        self,
        instrument: str,
        depth: int | None = None,
        view: View = View.GROSS,
        venues: Iterable[str] | None = None,
    ) -> ConsolidatedDepth:
        """The merged book, of all venues or of those named. Raises KeyError as `books` does."""
        books = self._books[instrument]
        chosen = books.values() if venues is None else [books[venue] for venue in venues if venue in books]
        return consolidate(self._instruments[instrument], chosen, depth, view, self.hidden)

    def middle(self, instrument: str) -> int | None:
        """Between the best bid and the best offer of all live books that are shown, None without both."""
        shown = [book for book in self._books.get(instrument, {}).values() if book.venue not in self.hidden]
        live = [book for book in shown if book.is_live]
        bids = [price for book in live for price in book.bids.top(1).prices]
        asks = [price for book in live for price in book.asks.top(1).prices]
        return (max(bids) + min(asks)) // 2 if bids and asks else None

    def check(self) -> None:
        for book in self:
            book.check()
