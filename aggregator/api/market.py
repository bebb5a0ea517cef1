"""Market data over HTTP: instruments, venues with their health, consolidated books."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiohttp import web

from aggregator.api.auth import Keys
from aggregator.api.problems import JSON, Code, Problem
from aggregator.api.reading import answered, answered_bytes, bad, parameters, unknown_instrument
from aggregator.api.routes import BOOK, INSTRUMENTS, VENUE, VENUES, Endpoint, watched
from aggregator.api.schema import BookQuery
from aggregator.books.consolidated import ConsolidatedDepth
from aggregator.books.venue_book import VenueBook
from aggregator.domain.instrument import Listing
from aggregator.domain.numbers import RATE_DECIMALS, format_decimal
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views

ENCODED_AT_MOST = 128
"""Books kept as JSON; one is a few kB, of full depth a hundred. Past that all are dropped, and made again when asked
for."""

_TIME_MARK = b'"as_of_ns":0'


class EncodedBook(NamedTuple):
    """A merged book as JSON, but for the time at which it is told."""

    merged: ConsolidatedDepth
    head: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class VenueEntry:
    """What is configured of a venue, and how to ask for the state of its connections."""

    venue: str
    name: str
    connector: str
    state: str
    display: bool
    route: bool
    rest: str
    connection: Callable[[], Mapping[str, Any]]
    file_refused: Callable[[], str | None] = lambda: None
    """Why the venue's file as it is now is not in use, None when it is."""


class MarketRoutes:
    """Handlers read the engine between two events, so each answer is of one moment. `refused` tells the faults of
    configuration files that were changed and are not in use."""

    def __init__(
        self,
        engine: Engine,
        views: Views,
        venues: Mapping[str, VenueEntry],
        clock_ns: Callable[[], int],
        keys: Keys,
        refused: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._engine = engine
        self._views = views
        self._venues = venues
        self._clock_ns = clock_ns
        self._keys = keys
        self._refused = refused
        self._encoded: dict[tuple[str, BookQuery], EncodedBook] = {}

    def routes(self) -> list[Endpoint]:
        return [
            watched(self._keys, INSTRUMENTS, self.instruments),
            watched(self._keys, VENUES, self.venues),
            watched(self._keys, VENUE, self.venue),
            watched(self._keys, BOOK, self.book),
        ]

    async def instruments(self, _: web.Request) -> web.Response:
        market = self._engine.market
        return answered(
            {
                "instruments": [
                    {"symbol": name, "listings": [show_listing(book.listing) for book in market.books(name).values()]}
                    for name in market.instruments
                ]
            }
        )

    async def venues(self, _: web.Request) -> web.Response:
        venues = [self._show_venue(entry) for entry in self._venues.values()]
        return answered({"venues": venues, "refused": list(self._refused())})

    async def venue(self, request: web.Request) -> web.Response:
        return answered(self.show_venue(request.match_info["venue"]))

    def show_venue(self, name: str) -> dict[str, Any]:
        """Raises Problem for a venue that there is not."""
        return self._show_venue(self.entry(name))

    def entry(self, name: str) -> VenueEntry:
        """Raises Problem for a venue that there is not."""
        entry = self._venues.get(name)
        if entry is None:
            known = ", ".join(self._venues) or "none"
            detail = f"there is no venue {name[:64]!r}; there are {known}"
            raise Problem(404, Code.UNKNOWN_VENUE, "unknown venue", detail)
        return entry

    async def book(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol"].upper().replace("-", "/")
        query = parameters(request, BookQuery)
        try:
            merged = self._views.book(name, query.depth, query.view, self._chosen(query.venues))
        except KeyError:
            raise unknown_instrument(name, self._engine.market) from None
        _, head, tail = self._encode(name, query, merged)
        return answered_bytes(b"%b%d%b" % (head, self._clock_ns(), tail))

    def _encode(self, name: str, query: BookQuery, merged: ConsolidatedDepth) -> EncodedBook:
        """Once for all readers, until the views are refreshed."""
        encoded = self._encoded.get((name, query))
        if encoded is None or encoded.merged is not merged:
            if len(self._encoded) >= ENCODED_AT_MOST:
                self._encoded.clear()
            head, _, tail = JSON.encode(show_book(merged, as_of_ns=0)).partition(_TIME_MARK)
            encoded = EncodedBook(merged, head + _TIME_MARK[:-1], tail)
            self._encoded[name, query] = encoded
        return encoded

    def _chosen(self, text: str | None) -> frozenset[str] | None:
        if text is None:
            return None
        chosen = frozenset(filter(None, text.split(",")))
        unknown = sorted(chosen - self._venues.keys())
        if unknown or not chosen:
            raise bad(f"venues={text[:64]!r}: name some of {', '.join(self._venues)}, with commas between them")
        return chosen

    def _show_venue(self, entry: VenueEntry) -> dict[str, Any]:
        books = {
            book.listing.instrument.name: show_health(book) for book in self._engine.market if book.venue == entry.venue
        }
        return {
            "venue": entry.venue,
            "name": entry.name,
            "connector": entry.connector,
            **show_use(entry, self._engine),
            "rest": entry.rest,
            "rejected_frames": self._engine.rejected_frames.get(entry.venue, 0),
            "connection": entry.connection(),
            "books": books,
        }


def show_use(entry: VenueEntry, engine: Engine) -> dict[str, Any]:
    """How far the venue is used, since when, and who has said so and why."""
    switched = engine.orders.state.switches.get(entry.venue)
    return {
        "state": switched.state.value if switched else entry.state,
        "display": switched.display if switched else entry.display,
        "route": switched.route if switched else entry.route,
        "switched_by": switched.by if switched else "",
        "switched_ns": switched.received_ns if switched else 0,
        "reason": switched.reason if switched else "",
        "file_refused": entry.file_refused(),
    }


def show_health(book: VenueBook) -> dict[str, Any]:
    return {
        "symbol": book.listing.symbol,
        "health": book.health.value,
        "reason": book.reason,
        "since_ns": book.since_ns,
        "received_ns": book.received_ns,
        "venue_time_ns": book.venue_time_ns,
        "changed_ns": book.changed_ns,
        "rules_version": book.rules_version,
        "rules_since_ns": book.rules_since_ns,
        "updates": book.counters.updates,
        "gaps": book.counters.gaps,
        "resyncs": book.counters.resyncs,
        "crossed": book.counters.crossed,
        "rejected_frames": book.counters.rejected_frames,
    }


def show_listing(listing: Listing) -> dict[str, Any]:
    instrument = listing.instrument
    return {
        "venue": listing.venue,
        "symbol": listing.symbol,
        "tick": instrument.show_price(listing.tick),
        "lot": instrument.show_quantity(listing.lot),
        "minimum_quantity": instrument.show_quantity(listing.minimum_quantity),
        "minimum_notional": instrument.show_notional(listing.minimum_notional),
        "maker_fee": format_decimal(listing.fees.maker, RATE_DECIMALS),
        "taker_fee": format_decimal(listing.fees.taker, RATE_DECIMALS),
        "tradable": listing.tradable,
    }


def show_book(merged: ConsolidatedDepth, as_of_ns: int) -> dict[str, Any]:
    return {
        "symbol": merged.instrument.name,
        "view": merged.view.value,
        "as_of_ns": as_of_ns,
        "oldest_ns": merged.oldest_ns,
        "crossed": merged.is_crossed,
        "bids": merged.shown(merged.bids),
        "asks": merged.shown(merged.asks),
        "venues": list(merged.venues),
        "excluded": merged.excluded,
    }
