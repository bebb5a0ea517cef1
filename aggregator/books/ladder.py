"""One sorted side of a book."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from itertools import repeat

from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import LIMIT

NEAR = 192
NEAR_AT_LEAST, NEAR_AT_MOST = 64, 320
"""How many prices are put in order at a time, and between which numbers of them that order is kept up."""


class Ladder:
    """Price levels of one side: a dict of quantities, and in ascending order those prices that are near the best.

    Depth is read near the best price, while most levels of a venue's book lie beyond, and come and go unseen: they
    are in the dict only, and whoever reads that far has them sorted. Near the best a short list of plain integers
    beats a tree: moving its pointers costs less than one step of a tree in Python. Measured by `make bench`.
    """

    __slots__ = ("_best_at", "_high", "_low", "_prices", "_quantities", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._best_at = -1 if side is Side.BUY else 0
        self._quantities: dict[int, int] = {}
        self._prices: list[int] = []
        self._low, self._high = 0, LIMIT
        """The near prices are all from `_low` to `_high`; towards the best there is no limit."""

    def __len__(self) -> int:
        return len(self._quantities)

    def replace(self, levels: Levels) -> bool:
        """Make these the whole side; says whether it is now different.

        A quantity of 0 is no level; a price that stands twice counts once, as the last of the two.
        """
        quantities = dict(zip(levels.prices, levels.quantities, strict=True))
        if 0 in levels.quantities:
            quantities = {price: quantity for price, quantity in quantities.items() if quantity}
        if quantities == self._quantities:
            return False
        self._quantities = quantities
        self._order()
        return True

    def apply(self, levels: Levels) -> bool:
        """Set each price's quantity; 0 removes the level, and removing what is not there is normal.

        Says whether any level is now different.
        """
        quantities, prices, low, high = self._quantities, self._prices, self._low, self._high
        changed = False
        for price, quantity in zip(*levels):  # noqa: B905 - as long as each other by nature
            if price in quantities:
                if not quantity:
                    del quantities[price]
                    if low <= price <= high:
                        del prices[bisect_left(prices, price)]
                elif quantities[price] == quantity:
                    continue
                else:
                    quantities[price] = quantity
            elif quantity:
                quantities[price] = quantity
                if low <= price <= high:
                    insort(prices, price)
            else:
                continue
            changed = True
        if not NEAR_AT_LEAST <= len(prices) <= NEAR_AT_MOST and len(prices) != len(quantities):
            self._order()
        # A dict grows for good when keys come and go: by half of what a book of 1000 levels takes without this.
        if quantities.__sizeof__() > 512 + 60 * len(quantities):
            self._quantities = dict(quantities.items())
        return changed

    def _order(self) -> None:
        """Choose anew which prices are near, and put them in order."""
        prices = sorted(self._quantities)
        self._low, self._high = 0, LIMIT
        if len(prices) > NEAR_AT_MOST:
            if self.side is Side.BUY:
                del prices[:-NEAR]
                self._low = prices[0]
            else:
                del prices[NEAR:]
                self._high = prices[-1]
        self._prices = prices

    def trim(self, depth: int) -> None:
        """Keep the best `depth` levels."""
        if len(self._quantities) > depth:
            for price in self.top_prices()[depth:]:
                del self._quantities[price]
            self._order()

    @property
    def best(self) -> int | None:
        """The best price, or None when the side is empty."""
        return self._prices[self._best_at] if self._prices else None

    def quantity_at(self, price: int) -> int:
        return self._quantities.get(price, 0)

    @property
    def lookup(self) -> Callable[[int, int], int]:
        """The quantity at a price, or the default given: for many look-ups before the next change."""
        return self._quantities.get

    def quantities_at(self, prices: Iterable[int]) -> list[int]:
        """The quantity at each price, 0 where there is no level."""
        return list(map(self._quantities.get, prices, repeat(0)))

    def top_prices(self, depth: int | None = None) -> list[int]:
        """The best `depth` prices (all of them by default), best first."""
        prices = self._prices
        if len(prices) < len(self._quantities) and (depth is None or depth > len(prices)):
            prices = sorted(self._quantities)
        if self.side is Side.SELL:
            return prices[:depth]
        return prices[::-1] if depth is None else prices[: -depth - 1 : -1]

    def top(self, depth: int | None = None) -> Levels:
        """The best `depth` levels (all of them by default), best first, as columns of their own."""
        prices = self.top_prices(depth)
        return Levels(prices, list(map(self._quantities.__getitem__, prices)))

    def check(self) -> None:
        """Raise BrokenInvariant unless the structures say the same, sorted, positive and once each."""
        near = [price for price in sorted(self._quantities) if self._low <= price <= self._high]
        if self._prices != near or bool(near) != bool(self._quantities):
            raise BrokenInvariant(f"{self.side} ladder: its prices and its quantities are not of the same levels")
        if near and (min(self._quantities) <= 0 or min(self._quantities.values()) <= 0):
            raise BrokenInvariant(f"{self.side} ladder: a price or a quantity is not positive")
