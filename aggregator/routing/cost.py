"""What taking a venue's liquidity costs, everything in it, rounded against us wherever it cannot be exact.

A buyer pays price times (1 + fee), a seller gets price times (1 - fee), either turned into the request's quote by the
venue's rate. Costs are signed: paid is positive, received negative, so that the cheapest is best on both sides and a
sell is planned as the mirror of a buy, by the same code.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from aggregator.books.consolidated import net_factor
from aggregator.domain.book import Levels
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import VenueDepth

TRUSTED_CHILDREN = 5
"""Children without fault that every record starts with, so that one reject does not condemn a venue."""

LEAST_CONFIDENCE = RATE_ONE // 10
"""A venue is never counted out by its record alone: without children it could not better it."""


def ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def unit_factor(side: Side, listing: Listing, rate: int) -> int:
    """By what a price is multiplied to be the signed net cost of one unit, on NET_DECIMALS below the price's scale.
    `rate` turns the listing's quote into the request's, on NET_DECIMALS."""
    resting = Side.SELL if side is Side.BUY else Side.BUY
    factor = net_factor(resting, listing.fees.taker)
    sign = 1 if side is Side.BUY else -1
    return ceil_div(sign * factor * rate, RATE_ONE)


def taker_fee(notional: int, listing: Listing) -> int:
    """The fee expected on a notional, rounded up."""
    return ceil_div(notional * listing.fees.taker, RATE_ONE)


@dataclass(frozen=True, slots=True)
class FillRecord:
    """What became of our recent children at a venue: how many, how many of them were rejected, and what quantity the
    others were to fill and filled."""

    children: int
    rejected: int
    expected: int
    filled: int


def confidence(record: FillRecord) -> int:
    """The part of shown depth to count on, on RATE_DECIMALS, rounded down: how much of what was planned came true."""
    accepted = record.children - record.rejected
    if not record.expected:
        kept = accepted * RATE_ONE
    else:
        kept = accepted * RATE_ONE * min(record.filled, record.expected) // record.expected
    share = (TRUSTED_CHILDREN * RATE_ONE + kept) // (TRUSTED_CHILDREN + record.children)
    return max(LEAST_CONFIDENCE, share)


def counted(depth: VenueDepth) -> Levels:
    """The depth that is counted on: less what our own open children are about to take from the best levels, and of each
    level the part that the venue's record deserves, rounded down."""
    prices, quantities = depth.levels
    if not depth.pending and depth.confidence >= RATE_ONE:
        return depth.levels
    left, pending = [], depth.pending
    for quantity in quantities:
        taken = min(pending, quantity)
        pending -= taken
        left.append((quantity - taken) * min(depth.confidence, RATE_ONE) // RATE_ONE)
    shown = [level for level, quantity in enumerate(left) if quantity]
    return Levels([prices[level] for level in shown], [left[level] for level in shown])


class Curve:
    """What a venue's counted depth costs, level by level: signed unit costs ascend, so the whole is convex.

    `reach[k]` and `spent[k]` are the quantity and the cost of the best `k` levels.
    """

    __slots__ = ("prices", "reach", "spent", "units")

    def __init__(self, levels: Levels, factor: int, most: int | None = None) -> None:
        """Of all levels, or of those that a quantity of `most` could touch."""
        prices, quantities = levels
        self.reach = list(accumulate(quantities, initial=0))
        if most is not None and most < self.reach[-1]:
            touched = bisect_left(self.reach, most)
            del self.reach[touched + 1 :]
            prices = prices[:touched]
        self.prices = prices
        self.units = [price * factor for price in prices]
        self.spent: list[int] = list(accumulate(map(mul, self.units, quantities), initial=0))

    def level_of(self, quantity: int) -> int:
        """The worst level that taking `quantity` (from 1 to all) touches."""
        return bisect_left(self.reach, quantity) - 1

    def taken(self, quantity: int) -> tuple[int, int]:
        """`level_of` and `cost` of a quantity from 1 to all."""
        level = bisect_left(self.reach, quantity)
        return level - 1, self.spent[level] - (self.reach[level] - quantity) * self.units[level - 1]

    def cost(self, quantity: int) -> int:
        """Of taking `quantity`, from 0 to all, best level first."""
        level = bisect_left(self.reach, quantity)
        return self.spent[level] - (self.reach[level] - quantity) * self.units[level - 1]
