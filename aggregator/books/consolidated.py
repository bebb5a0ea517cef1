"""All venues' live books of one instrument as one, merged when someone reads it.

The hot path changes one venue's ladder and nothing else. A price level of the merged book keeps what
each venue has in it, since whoever routes needs to know whose the quantity is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, repeat
from types import MappingProxyType

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import RATE_DECIMALS, RATE_ONE, format_decimal

NOTHING_HIDDEN: Mapping[str, str] = MappingProxyType({})


class View(StrEnum):
    GROSS = "gross"
    """Prices as the venues show them."""
    NET = "net"
    """Prices after each venue's taker fee: what a buyer pays and a seller gets in the end."""


@dataclass(frozen=True, slots=True)
class MergedSide:
    """Merged levels as columns, best first: `shares[venue][i]` of `quantities[i]` rests at `prices[i]`."""

    side: Side
    prices: list[int]
    quantities: list[int]
    shares: dict[str, list[int]]

    @property
    def levels(self) -> Levels:
        return Levels(self.prices, self.quantities)

    def venues_at(self, index: int) -> dict[str, int]:
        """What each venue has in this level; venues without quantity there are left out."""
        return {venue: column[index] for venue, column in self.shares.items() if column[index]}

    def check(self) -> None:
        expected = sorted(set(self.prices), reverse=self.side is Side.BUY)
        if self.prices != expected:
            raise BrokenInvariant(f"merged {self.side} side: prices are not sorted, best first and once each")
        if self.quantities != [sum(column) for column in zip(*self.shares.values(), strict=True)]:
            raise BrokenInvariant(f"merged {self.side} side: quantities are not the sum of the venues' shares")
        if any(quantity <= 0 for quantity in self.quantities):
            raise BrokenInvariant(f"merged {self.side} side: an empty level")


@dataclass(frozen=True, slots=True)
class ConsolidatedDepth:
    """The merged book as of one moment.

    `price_decimals` is the scale of both sides' prices: net prices are exact, so theirs is finer.
    `oldest_ns` is when the least recently heard contributor was last heard; 0 without contributors.
    `excluded` names each venue that is out, with its health and reason.
    """

    instrument: Instrument
    view: View
    price_decimals: int
    bids: MergedSide
    asks: MergedSide
    venues: tuple[str, ...]
    excluded: dict[str, str]
    oldest_ns: int

    @property
    def is_crossed(self) -> bool:
        """Whether one venue bids at or above what another asks. Across venues that is real, if brief."""
        return bool(self.bids.prices and self.asks.prices and self.bids.prices[0] >= self.asks.prices[0])

    def shown(self, side: MergedSide) -> list[tuple[str, str, dict[str, str]]]:
        """Levels as the world reads them: price, quantity, and each venue's share of it, as decimal texts."""
        show = self.instrument.show_quantity
        return [
            (
                format_decimal(price, self.price_decimals),
                show(quantity),
                {venue: show(share) for venue, share in side.venues_at(index).items()},
            )
            for index, (price, quantity) in enumerate(zip(side.prices, side.quantities, strict=True))
        ]

    def check(self) -> None:
        self.bids.check()
        self.asks.check()
        if set(self.venues) & set(self.excluded):
            raise BrokenInvariant("a venue is both in the consolidated book and excluded from it")


def consolidate(
    instrument: Instrument,
    books: Iterable[VenueBook],
    depth: int | None = None,
    view: View = View.GROSS,
    hidden: Mapping[str, str] = NOTHING_HIDDEN,
) -> ConsolidatedDepth:
    """Merge the best `depth` levels (all by default) of every live book of this instrument. `hidden` are venues that
    are not shown, with the reason."""
    live: list[VenueBook] = []
    excluded: dict[str, str] = {}
    for book in books:
        if book.venue in hidden:
            excluded[book.venue] = hidden[book.venue]
        elif book.is_live:
            live.append(book)
        else:
            excluded[book.venue] = f"{book.health}: {book.reason}"
    return ConsolidatedDepth(
        instrument=instrument,
        view=view,
        price_decimals=instrument.price_decimals + (RATE_DECIMALS if view is View.NET else 0),
        bids=merge(Side.BUY, live, depth, view),
        asks=merge(Side.SELL, live, depth, view),
        venues=tuple(book.venue for book in live),
        excluded=excluded,
        oldest_ns=min((book.received_ns for book in live), default=0),
    )


def merge(side: Side, books: Sequence[VenueBook], depth: int | None, view: View) -> MergedSide:
    """Merge one side. A price among the best N of all venues is among the best N of each that has it."""
    offers = [_offer(book, side, depth, view) for book in books]
    # What each venue brings is in order already, which the sort makes use of.
    in_order = sorted(chain.from_iterable(prices for prices, _ in offers), reverse=side is Side.BUY)
    prices = list(dict.fromkeys(in_order if depth is None else in_order[: 2 * depth]))
    if depth is not None and len(prices) < depth:
        prices = list(dict.fromkeys(in_order))  # many prices stand at several venues
    prices = prices[:depth]
    columns = [list(map(quantity_at, prices, repeat(0))) for _, quantity_at in offers]
    quantities = list(map(sum, zip(*columns, strict=True)))
    shares = {book.venue: column for book, column in zip(books, columns, strict=True)}
    return MergedSide(side, prices, quantities, shares)


def _offer(book: VenueBook, side: Side, depth: int | None, view: View) -> tuple[list[int], Callable[[int, int], int]]:
    """The venue's best prices in this view, and how to look up the quantity at one, or a default."""
    ladder = book.side(side)
    if view is View.GROSS:
        return ladder.top_prices(depth), ladder.lookup
    factor = net_factor(side, book.listing.fees.taker)
    prices, quantities = ladder.top(depth)
    prices = [price * factor for price in prices]
    return prices, dict(zip(prices, quantities, strict=True)).get


def net_factor(resting: Side, taker_fee: int) -> int:
    """By what a resting level's price is multiplied, on RATE_DECIMALS, to have the taker's fee in it: who
    sells into a bid gets less, who buys from an ask pays more."""
    return RATE_ONE - taker_fee if resting is Side.BUY else RATE_ONE + taker_fee
