"""What a plan is made from, taken from the books: no more levels of each than it could use."""

from __future__ import annotations

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import NET_ONE, Holdings, Rate, RouteRequest, VenueDepth
from aggregator.routing.cost import ceil_div

FIRST_LEVELS = 32
"""Levels looked at first; four times as many each time that they do not suffice."""

NOTIONAL_MARGIN = 2
"""A notional's worth of levels, so many times: fees, lots and minimums can lead past the bare notional."""


def seen(
    book: VenueBook,
    request: RouteRequest,
    rate: Rate | None = None,
    holdings: Holdings | None = None,
    pending: int = 0,
    confidence: int = RATE_ONE,
) -> VenueDepth:
    """The slice of a book that this request is planned on; a book that is not live shows nothing but why."""
    reason = None if book.is_live else f"{book.health}: {book.reason}"
    levels = _enough(book, request, rate, pending, confidence) if reason is None else NO_LEVELS
    return VenueDepth(book.listing, levels, reason, rate, holdings, pending, confidence, book.counters.updates)


def _enough(book: VenueBook, request: RouteRequest, rate: Rate | None, pending: int, confidence: int) -> Levels:
    """Levels that would fill the whole request here, as far as there are any."""
    ladder = book.side(Side.SELL if request.side is Side.BUY else Side.BUY)
    depth = FIRST_LEVELS
    while True:
        levels = ladder.top(depth)
        if len(levels.prices) < depth or _suffices(levels, request, rate, pending, confidence):
            return levels
        depth *= 4


def _suffices(levels: Levels, request: RouteRequest, rate: Rate | None, pending: int, confidence: int) -> bool:
    if request.quantity is not None:
        counted = (request.quantity + len(levels.prices)) * RATE_ONE
        return sum(levels.quantities) >= pending + ceil_div(counted, max(confidence, 1))
    shown = sum(price * quantity for price, quantity in zip(*levels, strict=True))
    counted = shown * confidence // RATE_ONE - pending * max(levels.prices)
    value = rate.value if rate is not None else NET_ONE
    return counted * value // NET_ONE >= NOTIONAL_MARGIN * (request.notional or 0)
