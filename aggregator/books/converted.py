"""Partners' depth in another quote, shown in the local one: every level turned and rounded against who takes it.

It is for display beside the local book. What is routed is planned on the venues' own levels, with the same rates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aggregator.books.consolidated import ConsolidatedDepth, MergedSide
from aggregator.books.rates import Rates
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS
from aggregator.domain.plan import NET_DECIMALS, Rate

TickAt = Callable[[int], int]
"""The tick of a price, as `LocalRules.tick_at` tells it."""


@dataclass(frozen=True, slots=True)
class ConvertedDepth:
    """`depth` as who takes it sees it in the quote of `instrument`, on whose scales prices and quantities are.

    Bids are turned at what the other quote brings, asks at what it costs. A side without a rate is empty, and `reason`
    says why; it is None while both have one.
    """

    instrument: Instrument
    depth: ConsolidatedDepth
    bids: MergedSide
    asks: MergedSide
    selling: Rate | None
    buying: Rate | None
    reason: str | None

    @property
    def venues(self) -> tuple[str, ...]:
        return self.depth.venues

    def check(self) -> None:
        self.bids.check()
        self.asks.check()
        for side, rate in ((self.bids, self.selling), (self.asks, self.buying)):
            if rate is None and side.prices:
                raise BrokenInvariant(f"converted {side.side} side: levels without a rate")
        if (self.reason is None) != (self.selling is not None and self.buying is not None):
            raise BrokenInvariant(f"a converted depth contradicts itself: {self.reason}")


def converted(
    depth: ConsolidatedDepth, instrument: Instrument, rates: Rates, now_ns: int, tick_at: TickAt | None = None
) -> ConvertedDepth:
    """A consolidated depth of the same base in another quote, in the quote of `instrument`. With `tick_at` its levels
    are put on the local ticks."""
    base, quote = depth.instrument.quote, instrument.quote
    found = [rates.rate(base, quote, now_ns, side) for side in (Side.SELL, Side.BUY)]
    selling, buying = (rate if isinstance(rate, Rate) else None for rate in found)
    reasons = dict.fromkeys(rate for rate in found if isinstance(rate, str))
    return ConvertedDepth(
        instrument,
        depth,
        _turned(depth, depth.bids, instrument, selling, tick_at),
        _turned(depth, depth.asks, instrument, buying, tick_at),
        selling,
        buying,
        "; ".join(reasons) or None,
    )


def _turned(
    depth: ConsolidatedDepth, side: MergedSide, instrument: Instrument, rate: Rate | None, tick_at: TickAt | None
) -> MergedSide:
    """Levels that come to one price are one level."""
    if rate is None:
        return MergedSide(side.side, [], [], {venue: [] for venue in side.shares})
    rows: dict[int, dict[str, int]] = {}
    for index, price in enumerate(side.prices):
        local_price = _price(price, depth.price_decimals, instrument, rate, side.side, tick_at)
        shares = rows.setdefault(local_price, {}) if local_price > 0 else {}
        for venue, quantity in side.venues_at(index).items():
            shares[venue] = shares.get(venue, 0) + quantity
    scale = depth.instrument.quantity_decimals, instrument.quantity_decimals
    columns = {venue: [_rescaled(row.get(venue, 0), *scale) for row in rows.values()] for venue in side.shares}
    quantities = [sum(column) for column in zip(*columns.values(), strict=True)]
    kept = [index for index, quantity in enumerate(quantities) if quantity]
    prices = list(rows)
    return MergedSide(
        side.side,
        [prices[index] for index in kept],
        [quantities[index] for index in kept],
        {venue: [column[index] for index in kept] for venue, column in columns.items()},
    )


def _price(price: int, decimals: int, instrument: Instrument, rate: Rate, side: Side, tick_at: TickAt | None) -> int:
    """On the local scale or tick: bids rounded down, asks up."""
    sign = 1 if side is Side.BUY else -1
    unit = POWERS[decimals] * POWERS[NET_DECIMALS]
    local_price = sign * (sign * price * rate.value * POWERS[instrument.price_decimals] // unit)
    if tick_at is None:
        return local_price
    tick = tick_at(local_price)
    return sign * (sign * local_price // tick) * tick


def _rescaled(quantity: int, decimals: int, wanted: int) -> int:
    """Rounded down: no more is shown than is there."""
    return quantity * POWERS[wanted] // POWERS[decimals]
