"""What the simulated exchange really had, and how a book that we hold differs from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Levels
from aggregator.domain.instrument import Listing, Side
from connectors.simulation.book import Change, Picture, TradeMade, digest_of
from connectors.simulation.exchange import SimulatedExchange

TradeKey = tuple[str, int, int, Side]


class WitnessedExchange(SimulatedExchange):
    """An exchange that knows of every state that each of its books was ever in, and when it was over.

    A venue may number its states as it likes, and leave some out: what it publishes is a state that there was.
    """

    def __init__(self, name: str, listings: Iterable[Listing], seed: int, start_ns: int, **options: Any) -> None:
        super().__init__(name, listings, seed, start_ns, **options)
        self._states: dict[str, dict[int, int]] = {symbol: {} for symbol in self.symbols}
        self._current = {symbol: self._digest(symbol) for symbol in self.symbols}
        self.trades: set[TradeKey] = set()

    def advance(self, now_ns: int) -> list[Change]:
        changes = super().advance(now_ns)
        for change in changes:
            self._states[change.symbol][self._current[change.symbol]] = change.venue_time_ns - self.clock_offset_ns
            self._current[change.symbol] = self.state_digest(change.symbol, change.last_id)
            self.trades.update(_key(change.symbol, trade) for trade in change.trades)
        return changes

    def over_since_ns(self, symbol: str, digest: int, now_ns: int) -> int | None:
        """When the book stopped being so; now for one that is so still, None for one that it never was."""
        if digest in (self._current[symbol], self._digest(symbol)):
            return now_ns
        return self._states[symbol].get(digest)

    def _digest(self, symbol: str) -> int:
        return self.state_digest(symbol, self.last_id(symbol))


def _key(symbol: str, trade: TradeMade) -> TradeKey:
    return symbol, trade.price, trade.quantity, trade.taker


def digest(book: VenueBook) -> int:
    return digest_of(book.bids.top(), book.asks.top())


def difference(book: VenueBook, true: Picture) -> str:
    """How our book differs from the venue's, by what is known to cause that; empty when it does not."""
    bids, asks = book.bids.top(), book.asks.top()
    if (bids, asks) == (true.bids, true.asks):
        return ""
    if bids.prices and _same(bids, true.asks) and _same(asks, true.bids):
        return "its bids are the venue's asks, and its asks the venue's bids: the sides are inverted"
    return _side_difference(book, Side.BUY, true.bids) or _side_difference(book, Side.SELL, true.asks)


def _side_difference(book: VenueBook, side: Side, true: Levels) -> str:
    ours = dict(zip(*book.side(side).top(), strict=True))
    theirs = dict(zip(*true, strict=True))
    wrong = sorted({price for price in ours.keys() | theirs.keys() if ours.get(price) != theirs.get(price)})
    if not wrong:
        return ""
    listing, name = book.listing, "bid" if side is Side.BUY else "ask"
    show_price, show_quantity = listing.instrument.show_price, listing.instrument.show_quantity
    for price in wrong:
        near = next((known for known in theirs if 0 < abs(known - price) < max(1, listing.tick)), None)
        if price in ours and near is not None:
            return f"a price is rounded: its {name} {show_price(price)} is {show_price(near)} at the venue"
        quantities = ours.get(price, 0), theirs.get(price, 0)
        if all(quantities) and abs(quantities[0] - quantities[1]) < max(1, listing.lot):
            shown = " is ".join(show_quantity(quantity) for quantity in quantities)
            return f"a quantity is rounded: its {name} at {show_price(price)} of {shown} at the venue"
    price = wrong[0]
    shown = f"{show_quantity(ours.get(price, 0))}, at the venue {show_quantity(theirs.get(price, 0))}"
    return f"{len(wrong)} {name}s differ, among them {show_price(price)}: {shown}"


def _same(ours: Levels, theirs: Levels) -> bool:
    return dict(zip(*ours, strict=True)) == dict(zip(*theirs, strict=True))
