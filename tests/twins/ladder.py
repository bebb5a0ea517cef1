"""One side of a book as a plain dict, sorted anew whenever someone looks."""

from collections.abc import Iterable

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Side


class NaiveLadder:
    """See `aggregator.books.ladder.Ladder`."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._levels: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def replace(self, levels: Levels) -> bool:
        before, self._levels = self._levels, {}
        self.apply(levels)
        return self._levels != before

    def apply(self, levels: Levels) -> bool:
        changed = False
        for price, quantity in zip(levels.prices, levels.quantities, strict=True):
            changed = changed or self._levels.get(price, 0) != quantity
            self._levels.pop(price, None)
            if quantity:
                self._levels[price] = quantity
        return changed

    def trim(self, depth: int) -> None:
        self._levels = {price: self._levels[price] for price in self.top_prices(depth)}

    def clear(self) -> None:
        self._levels = {}

    @property
    def best(self) -> int | None:
        pick = max if self.side is Side.BUY else min
        return pick(self._levels, default=None)

    def quantity_at(self, price: int) -> int:
        return self._levels.get(price, 0)

    def quantities_at(self, prices: Iterable[int]) -> list[int]:
        return [self.quantity_at(price) for price in prices]

    def top_prices(self, depth: int | None = None) -> list[int]:
        return sorted(self._levels, reverse=self.side is Side.BUY)[:depth]

    def top(self, depth: int | None = None) -> Levels:
        prices = self.top_prices(depth)
        return Levels(prices, self.quantities_at(prices))

    def check(self) -> None:
        assert all(price > 0 and quantity > 0 for price, quantity in self._levels.items())
