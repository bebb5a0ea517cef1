"""Read-only answers about a side's depth. Every function takes columns, best level first."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side

BPS_ONE = 10_000

REACHES_BPS = (10, 50, 100)
"""How far from the consolidated middle depth is told."""

LEVELS_READ = 500
"""Of each side of a book for that; what rests beyond is not counted."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What taking liquidity from the best level on would fill.

    `notional` is on the price's and the quantity's scale together. `worst_price` is the last level
    touched, None when nothing was. `is_complete` says whether the depth sufficed.
    """

    quantity: int
    notional: int
    worst_price: int | None
    is_complete: bool

    def check(self) -> None:
        if (self.worst_price is None) != (self.quantity == 0) or self.notional < 0:
            raise BrokenInvariant(f"a sweep contradicts itself: {self}")


def spread(bids: Levels, asks: Levels) -> int | None:
    """Best ask less best bid, None while a side is empty. Negative when crossed, 0 when locked."""
    return asks.prices[0] - bids.prices[0] if bids.prices and asks.prices else None


def twice_mid(bids: Levels, asks: Levels) -> int | None:
    """Twice the mid price, since the mid itself may lie between two steps of the scale."""
    return asks.prices[0] + bids.prices[0] if bids.prices and asks.prices else None


def within(levels: Levels, side: Side, twice_middle: int, bps: int) -> int:
    """The quantity of a side that rests no further than `bps` behind a middle, which is given twice."""
    sign = 1 if side is Side.BUY else -1
    furthest = bps * twice_middle
    reached = bisect_right(levels.prices, furthest, key=lambda price: sign * (twice_middle - 2 * price) * BPS_ONE)
    return sum(levels.quantities[:reached])


def cumulative(levels: Levels) -> list[int]:
    """For each level, the quantity from the best level down to it."""
    return list(accumulate(levels.quantities))


def sweep_quantity(levels: Levels, quantity: int) -> Sweep:
    """Take `quantity`, best level first."""
    taken, notional, worst = 0, 0, None
    for price, available in zip(levels.prices, levels.quantities, strict=True):
        if taken == quantity:
            break
        part = min(available, quantity - taken)
        taken, notional, worst = taken + part, notional + part * price, price
    return Sweep(taken, notional, worst, taken == quantity)


def sweep_notional(levels: Levels, notional: int) -> Sweep:
    """Take as much as `notional` pays for, best level first. The last part is rounded down, so that what
    is spent is never more than `notional`."""
    taken, spent, worst = 0, 0, None
    for price, available in zip(levels.prices, levels.quantities, strict=True):
        part = min(available, (notional - spent) // price)
        if part:
            taken, spent, worst = taken + part, spent + part * price, price
        if part < available:
            return Sweep(taken, spent, worst, is_complete=True)
    return Sweep(taken, spent, worst, spent == notional)
