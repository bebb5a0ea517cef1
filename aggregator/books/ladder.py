"""One sorted side of a book."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import islice

from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side


class Ladder:
    """Price levels of one side: a dict of quantities and a list of the prices in ascending order.

    A list of plain integers beats a tree here: a book of 1000 levels is 8 kB of pointers, and moving
    those costs less than one step of a tree in Python. Measured by `make bench`.
    """

    __slots__ = ("_prices", "_quantities", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._quantities: dict[int, int] = {}
        self._prices: list[int] = []

    def __len__(self) -> int:
        return len(self._prices)

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
        self._prices = sorted(quantities)
        return True

    def apply(self, levels: Levels) -> bool:
        """Set each price's quantity; 0 removes the level, and removing what is not there is normal.

        Says whether any level is now different.
        """
        quantities, prices = self._quantities, self._prices
        quantity_at = quantities.get
        changed = False
        for price, quantity in zip(levels.prices, levels.quantities, strict=True):
            before = quantity_at(price, 0)
            if before == quantity:
                continue
            changed = True
            if quantity:
                if not before:
                    insort(prices, price)
                quantities[price] = quantity
            else:
                del quantities[price]
                del prices[bisect_left(prices, price)]
        return changed

    def trim(self, depth: int) -> None:
        """Keep the best `depth` levels."""
        excess = len(self._prices) - depth
        if excess <= 0:
            return
        worst = slice(excess) if self.side is Side.BUY else slice(depth, None)
        for price in self._prices[worst]:
            del self._quantities[price]
        del self._prices[worst]

    def clear(self) -> None:
        self._quantities = {}
        self._prices = []

    @property
    def best(self) -> int | None:
        """The best price, or None when the side is empty."""
        if not self._prices:
            return None
        return self._prices[-1] if self.side is Side.BUY else self._prices[0]

    def quantity_at(self, price: int) -> int:
        return self._quantities.get(price, 0)

    def quantities_at(self, prices: Iterable[int]) -> list[int]:
        """The quantity at each price, 0 where there is no level."""
        get = self._quantities.get
        return [get(price, 0) for price in prices]

    def top_prices(self, depth: int | None = None) -> list[int]:
        """The best `depth` prices (all of them by default), best first."""
        if self.side is Side.SELL:
            return self._prices[:depth]
        if depth is None:
            return self._prices[::-1]
        return list(islice(reversed(self._prices), depth))

    def top(self, depth: int | None = None) -> Levels:
        """The best `depth` levels (all of them by default), best first, as columns of their own."""
        prices = self.top_prices(depth)
        return Levels(prices, list(map(self._quantities.__getitem__, prices)))

    def check(self) -> None:
        """Raise BrokenInvariant unless both structures say the same, sorted, positive and once each."""
        if self._prices != sorted(self._quantities):
            raise BrokenInvariant(f"{self.side} ladder: its prices and its quantities are not of the same levels")
        if self._prices and (self._prices[0] <= 0 or min(self._quantities.values()) <= 0):
            raise BrokenInvariant(f"{self.side} ladder: a price or a quantity is not positive")
