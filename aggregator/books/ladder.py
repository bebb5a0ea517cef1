"""One sorted side of a book."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side

MEND_AT_ONCE_FROM = 128
"""From this many prices out of place on, one pass over all of them costs less than mending the order one by one."""


class Ladder:
    """Price levels of one side: a dict of quantities, the best price, and a list of the prices in ascending order.

    A feed changes levels far more often than anyone reads them in order, so prices that come and go are only noted,
    and the list is mended when somebody reads it. The best price is always known, unless it was just removed. A list
    of plain integers beats a tree here: a book of 1000 levels is 8 kB of pointers, and moving those costs less than
    one step of a tree in Python. Measured by `make bench`.
    """

    __slots__ = ("_best", "_come", "_gone", "_is_buy", "_prices", "_quantities", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._is_buy = side is Side.BUY
        self._quantities: dict[int, int] = {}
        self._best: int | None = None
        """None when the side is empty, or when the best level was removed and no one has looked since."""
        self._prices: list[int] = []
        self._come: set[int] = set()
        self._gone: set[int] = set()
        """Prices that the list lacks, and those that it has too many."""

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
        self._prices = sorted(quantities)
        self._come.clear()
        self._gone.clear()
        self._best = None
        return True

    def apply(self, levels: Levels) -> bool:
        """Set each price's quantity; 0 removes the level, and removing what is not there is normal.

        Says whether any level is now different.
        """
        quantities, come, gone = self._quantities, self._come, self._gone
        is_buy, best = self._is_buy, self._best
        changed = False
        for price, quantity in zip(levels.prices, levels.quantities):  # noqa: B905 - as long as each other by nature
            before = quantities.get(price, 0)
            if before == quantity:
                continue
            changed = True
            if not quantity:
                del quantities[price]
                if price in come:
                    come.remove(price)
                else:
                    gone.add(price)
                if price == best:
                    best = None
                continue
            quantities[price] = quantity
            if not before:
                if price in gone:
                    gone.remove(price)
                else:
                    come.add(price)
                if best is not None and (price > best if is_buy else price < best):
                    best = price
        self._best = best
        return changed

    def trim(self, depth: int) -> None:
        """Keep the best `depth` levels."""
        excess = len(self._quantities) - depth
        if excess <= 0:
            return
        prices = self._in_order()
        worst = slice(excess) if self._is_buy else slice(depth, None)
        for price in prices[worst]:
            del self._quantities[price]
        del prices[worst]
        if not prices:
            self._best = None

    @property
    def best(self) -> int | None:
        """The best price, or None when the side is empty."""
        if self._best is None and self._quantities:
            self._best = self._find_best()
        return self._best

    def _find_best(self) -> int:
        """The first in the order that is not gone, or one that has come and is better. Mends nothing if it can."""
        come, gone = self._come, self._gone
        if len(come) + len(gone) > min(MEND_AT_ONCE_FROM, len(self._prices)):
            self._in_order()
        if self._is_buy:
            return max(chain(_first_besides(gone, reversed(self._prices)), come))
        return min(chain(_first_besides(gone, self._prices), come))

    def quantity_at(self, price: int) -> int:
        return self._quantities.get(price, 0)

    @property
    def lookup(self) -> Callable[[int, int], int]:
        """The quantity at a price, or the default given: for many look-ups before the next change."""
        return self._quantities.get

    def quantities_at(self, prices: Iterable[int]) -> list[int]:
        """The quantity at each price, 0 where there is no level."""
        get = self._quantities.get
        return [get(price, 0) for price in prices]

    def top_prices(self, depth: int | None = None) -> list[int]:
        """The best `depth` prices (all of them by default), best first."""
        prices = self._in_order()
        if not self._is_buy:
            return prices[:depth]
        if depth is None:
            return prices[::-1]
        return list(islice(reversed(prices), depth))

    def top(self, depth: int | None = None) -> Levels:
        """The best `depth` levels (all of them by default), best first, as columns of their own."""
        prices = self.top_prices(depth)
        return Levels(prices, list(map(self._quantities.__getitem__, prices)))

    def _in_order(self) -> list[int]:
        come, gone = self._come, self._gone
        if len(come) + len(gone) >= MEND_AT_ONCE_FROM:
            self._prices = [price for price in self._prices if price not in gone]
            self._prices += sorted(come)
            self._prices.sort()  # it merges what is sorted already
        else:
            prices = self._prices
            for price in gone:
                del prices[bisect_left(prices, price)]
            for price in come:
                insort(prices, price)
        come.clear()
        gone.clear()
        return self._prices

    def check(self) -> None:
        """Raise BrokenInvariant unless the structures say the same, sorted, positive and once each."""
        best = self._best
        if self._in_order() != sorted(self._quantities):
            raise BrokenInvariant(f"{self.side} ladder: its prices and its quantities are not of the same levels")
        if best is not None and best != (self._prices[-1] if self._is_buy else self._prices[0]):
            raise BrokenInvariant(f"{self.side} ladder: {best} is said to be its best price")
        if self._prices and (self._prices[0] <= 0 or min(self._quantities.values()) <= 0):
            raise BrokenInvariant(f"{self.side} ladder: a price or a quantity is not positive")


def _first_besides(gone: set[int], prices: Iterable[int]) -> Iterator[int]:
    """The first price that is not gone, if there is one."""
    return islice((price for price in prices if price not in gone), 1)
