"""What is recorded of the market, and when: depth and liquidity on a schedule, Busan's own books at every change as
well, and every change of health, premium's figures and every public trade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from aggregator.books.consolidated import ConsolidatedDepth
from aggregator.books.depth import LEVELS_READ, REACHES_BPS, within
from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Levels
from aggregator.domain.effects import HealthChanged, LocalHappened, RulesChanged
from aggregator.domain.events import Trade
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.local import LOCAL_VENUE, Traded
from aggregator.engine.market import Market
from aggregator.engine.premiums import Premium
from aggregator.service.clock import NS, day_of
from aggregator.service.dispatcher import Refreshed

Row = tuple[Any, ...]
Rows = Callable[[], Iterable[Row]]
"""Makes the rows, in the thread that writes them: what it reads must not change any more."""

Put = Callable[[str, int, Rows], None]
"""Records rows of a table, as of a time. Never waits."""

LIVE_TABLES: dict[str, tuple[str, ...]] = {
    "depth": ("at_ns", "instrument", "venue", "cause", "side", "level", "price", "quantity"),
    "liquidity": (
        "at_ns", "instrument", "venue", "bid", "ask", "bid_quantity", "ask_quantity",
        *(f"{side}_{reach}_bps" for reach in REACHES_BPS for side in ("bids", "asks")),
    ),
    "health": ("at_ns", "instrument", "venue", "health", "reason"),
    "premium": ("at_ns", "instrument", "source", "rate", "premium_bps", "reason"),
    "trades": ("at_ns", "instrument", "venue", "trade_id", "taker_side", "price", "quantity", "venue_time_ns"),
    "runs": ("at_ns", "event", "detail"),
}  # fmt: skip
"""The columns of each table that is written while the service runs. The venue `` is all of them together; `cause` is
schedule or change."""

Sides = tuple[Levels, Levels]


Premiums = Callable[[int], Sequence[Premium]]
"""Those of a moment, in ns."""


class Sampler:
    """`note` is for the dispatcher's watchers; `run` keeps the schedule. Times are ns since the Unix epoch."""

    def __init__(
        self,
        market: Market,
        put: Put,
        premiums: Premiums,
        clock_ns: Callable[[], int],
        every_ns: int,
        levels: int,
    ) -> None:
        self._market = market
        self._put = put
        self._premiums = premiums
        self._clock_ns = clock_ns
        self._every_ns = every_ns
        self._levels = levels
        self._day = ""

    async def run(self) -> None:
        """Until cancelled."""
        self._say("started")
        try:
            while True:
                self.sample(self._clock_ns())
                await asyncio.sleep(self._every_ns / NS)
        finally:
            self._say("stopped")

    def note(self, watched: object) -> None:
        match watched:
            case HealthChanged():
                row = (watched.at_ns, watched.instrument, watched.venue, watched.after.value, watched.reason)
                self._put("health", watched.at_ns, lambda: [row])
            case RulesChanged():
                self._say("rules", f"{watched.venue} {watched.instrument}: {watched.what}")
            case Trade():
                self._put("trades", watched.received_ns, self._trade_rows(watched))
            case LocalHappened(event=Traded() as trade):
                self._put("trades", trade.at_ns, lambda: [_local_trade_row(trade)])
            case Refreshed():
                self._local_changes(watched.instruments)

    def sample(self, now_ns: int) -> None:
        """All that the schedule asks for."""
        if self._day != day_of(now_ns):
            self._day = day_of(now_ns)
            healths = [_health_row(book, now_ns) for book in self._market]
            self._put("health", now_ns, lambda: healths)
        for name in self._market.instruments:
            self._sample_instrument(name, now_ns)
        premiums = [(now_ns, *premium) for premium in self._premiums(now_ns)]
        if premiums:
            self._put("premium", now_ns, lambda: premiums)

    def _sample_instrument(self, name: str, now_ns: int) -> None:
        instrument = self._market.instrument(name)
        books = [book for book in self._market.books(name).values() if book.is_live]
        if not books:
            return
        merged = _sides_of(self._market.consolidated(name, self._levels))
        read = {book.venue: (book.bids.top(LEVELS_READ), book.asks.top(LEVELS_READ)) for book in books}
        shown = {venue for venue in read if venue not in self._market.hidden}
        levels = self._levels

        def depth() -> Iterator[Row]:
            yield from _depth_rows(now_ns, instrument, "", "schedule", merged, levels)
            for venue, sides in read.items():
                yield from _depth_rows(now_ns, instrument, venue, "schedule", sides, levels)

        self._put("depth", now_ns, depth)
        self._put("liquidity", now_ns, lambda: _liquidity_rows(now_ns, instrument, merged, read, shown))

    def _local_changes(self, instruments: frozenset[str]) -> None:
        for name in instruments:
            book = self._market.find(name, LOCAL_VENUE)
            if book is not None:
                self._sample_local(book)

    def _sample_local(self, book: VenueBook) -> None:
        sides = book.bids.top(self._levels), book.asks.top(self._levels)
        instrument, at_ns, levels = book.listing.instrument, self._clock_ns(), self._levels
        self._put("depth", at_ns, lambda: _depth_rows(at_ns, instrument, LOCAL_VENUE, "change", sides, levels))

    def _trade_rows(self, trade: Trade) -> Callable[[], list[Row]]:
        instrument = self._market.instrument(trade.instrument)
        price, quantity, taker = trade.price, trade.quantity, trade.taker.value
        head = (trade.received_ns, trade.instrument, trade.venue, trade.trade_id, taker)
        time_ns = trade.venue_time_ns
        return lambda: [(*head, instrument.show_price(price), instrument.show_quantity(quantity), time_ns)]

    def _say(self, event: str, detail: str | None = None) -> None:
        now_ns = self._clock_ns()
        self._put("runs", now_ns, lambda: [(now_ns, event, detail)])


def _health_row(book: VenueBook, now_ns: int) -> Row:
    return (now_ns, book.listing.instrument.name, book.venue, book.health.value, book.reason)


def _sides_of(depth: ConsolidatedDepth) -> Sides:
    return Levels(depth.bids.prices, depth.bids.quantities), Levels(depth.asks.prices, depth.asks.quantities)


def _local_trade_row(trade: Traded) -> Row:
    instrument = trade.instrument
    price, quantity = instrument.show_price(trade.price), instrument.show_quantity(trade.quantity)
    at_ns = trade.at_ns
    return (at_ns, instrument.name, LOCAL_VENUE, trade.trade_id, trade.taker_side.value, price, quantity, at_ns)


def _depth_rows(at_ns: int, instrument: Instrument, venue: str, cause: str, sides: Sides, levels: int) -> Iterator[Row]:
    show_price, show_quantity, name = instrument.show_price, instrument.show_quantity, instrument.name
    for side, (prices, quantities) in zip(("bid", "ask"), sides, strict=True):
        for level in range(min(levels, len(prices))):
            price, quantity = show_price(prices[level]), show_quantity(quantities[level])
            yield (at_ns, name, venue, cause, side, level, price, quantity)


def _liquidity_rows(
    at_ns: int, instrument: Instrument, merged: Sides, read: dict[str, Sides], shown: set[str]
) -> Iterator[Row]:
    """A line a venue, and one of those together that are shown. Without a middle nothing is near it."""
    bids, asks = merged
    twice = bids.prices[0] + asks.prices[0] if bids.prices and asks.prices else None
    reaches: dict[str, list[int]] = {}
    for venue, (own_bids, own_asks) in read.items():
        reaches[venue] = [
            within(levels, side, twice, reach) if twice is not None else 0
            for reach in REACHES_BPS
            for side, levels in ((Side.BUY, own_bids), (Side.SELL, own_asks))
        ]
    together = [sum(column) for column in zip(*(reaches[venue] for venue in shown), strict=True)]
    yield _liquidity_row(at_ns, instrument, "", merged, together or [0] * 2 * len(REACHES_BPS))
    for venue, sides in read.items():
        yield _liquidity_row(at_ns, instrument, venue, sides, reaches[venue])


def _liquidity_row(at_ns: int, instrument: Instrument, venue: str, sides: Sides, reaches: list[int]) -> Row:
    price, quantity = instrument.show_price, instrument.show_quantity
    bests = [price(levels.prices[0]) if levels.prices else None for levels in sides]
    firsts = [quantity(levels.quantities[0]) if levels.prices else None for levels in sides]
    return (at_ns, instrument.name, venue, *bests, *firsts, *(quantity(reach) for reach in reaches))
