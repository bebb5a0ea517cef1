"""The true book of one instrument on a simulated venue: its levels, its update ids, and what it was at each id."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Side


class TradeMade(NamedTuple):
    """A public trade. `taker` is the side that crossed the spread."""

    trade_id: int
    taker: Side
    price: int
    quantity: int


class Change(NamedTuple):
    """One update. Every level in it has an id of its own, `first_id` to `last_id` in the order in which they came;
    a price may come twice, then the later quantity holds. A quantity of 0 removes the level."""

    symbol: str
    venue_time_ns: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels
    trades: Sequence[TradeMade] = ()


class Picture(NamedTuple):
    """Levels as they stand at `last_id`, best first."""

    symbol: str
    last_id: int
    bids: Levels
    asks: Levels


def merge(changes: Sequence[Change]) -> Change:
    """Several successive changes of one book (at least one) as a single one, in which each price comes once."""
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for change in changes:
        bids.update(zip(*change.bids, strict=True))
        asks.update(zip(*change.asks, strict=True))
    last = changes[-1]
    trades = [trade for change in changes for trade in change.trades]
    return last._replace(first_id=changes[0].first_id, bids=columns(bids), asks=columns(asks), trades=trades)


def columns(levels: dict[int, int]) -> Levels:
    return Levels(list(levels), list(levels.values()))


DIGEST_MASK = 2**64 - 1


def digest_of(bids: Levels, asks: Levels) -> int:
    """A number that tells books apart, whatever the order of their levels. Quantities of 0 are not levels.

    Tuples of integers hash alike in every process, unlike strings.
    """
    total = sum(hash((-price, quantity)) for price, quantity in zip(*bids, strict=True) if quantity)
    total += sum(hash((price, quantity)) for price, quantity in zip(*asks, strict=True) if quantity)
    return total & DIGEST_MASK


class Resting:
    """One side. A level's key is its price times `sign`, so that the best level has the least key on both sides;
    `keys` are sorted."""

    __slots__ = ("keys", "quantities", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = -1 if side is Side.BUY else 1
        self.keys: list[int] = []
        self.quantities: dict[int, int] = {}

    def top(self, depth: int | None) -> Levels:
        keys = self.keys[:depth]
        quantities = list(map(self.quantities.__getitem__, keys))
        return Levels(keys if self.sign == 1 else [-key for key in keys], quantities)


class TrueBook:
    """What changes between two calls of `close` is one update.

    The book is never crossed. `cross` makes the venue tell of a bid that crosses: everything published then has it,
    the true book and its digests do not.
    """

    def __init__(self, symbol: str, last_id: int, history: int) -> None:
        self.symbol = symbol
        self.bids = Resting(Side.BUY)
        self.asks = Resting(Side.SELL)
        self.last_id = last_id
        self._told: tuple[Levels, Levels] = Levels([], []), Levels([], [])
        self._trades: list[TradeMade] = []
        self._trade_id = last_id
        self._digest = 0
        self._digests = array("Q", bytes(8 * history))
        self._oldest_id = last_id
        self._closed_id = last_id
        self._phantom = 0
        self._phantom_quantity = 0

    def put(self, side: Resting, key: int, quantity: int) -> None:
        """Set the quantity of one level; 0 removes it."""
        quantities = side.quantities
        before = quantities.get(key, 0)
        if before == quantity:
            return
        digest = self._digest
        if before:
            digest -= hash((key, before))
        if quantity:
            digest += hash((key, quantity))
            if not before:
                insort(side.keys, key)
            quantities[key] = quantity
        else:
            del quantities[key]
            del side.keys[bisect_left(side.keys, key)]
        self._digest = digest & DIGEST_MASK
        self._tell(side, key, quantity)

    def take(self, taker: Side, quantity: int, limit_price: int | None = None) -> list[tuple[int, int]]:
        """Consume what rests on the other side, best first, up to `quantity` and no worse than `limit_price`.
        Returns the price and quantity of each trade."""
        side = self.asks if taker is Side.BUY else self.bids
        fills: list[tuple[int, int]] = []
        while quantity and side.keys:
            key = side.keys[0]
            if limit_price is not None and key > limit_price * side.sign:
                break
            resting = side.quantities[key]
            taken = min(resting, quantity)
            self.put(side, key, resting - taken)
            self._trade_id += 1
            self._trades.append(TradeMade(self._trade_id, taker, key * side.sign, taken))
            fills.append((key * side.sign, taken))
            quantity -= taken
        return fills

    def offered(self, taker: Side, limit_price: int) -> int:
        """What `take` could consume with that limit."""
        side = self.asks if taker is Side.BUY else self.bids
        reached = takewhile(lambda key: key <= limit_price * side.sign, side.keys)
        return sum(side.quantities[key] for key in reached)

    def close(self, at_ns: int) -> Change | None:
        """The update that ends here, None when nothing changed."""
        if self._phantom and self.asks.keys and self._phantom <= self.asks.keys[0]:
            self.uncross()
            self.cross()
        if self.last_id == self._closed_id:
            return None
        change = Change(self.symbol, at_ns, self._closed_id + 1, self.last_id, *self._told, self._trades)
        self._told, self._trades = (Levels([], []), Levels([], [])), []
        self._closed_id = self.last_id
        return change

    def cross(self) -> None:
        asks = self.asks
        if self._phantom or not asks.keys:
            return
        self._phantom = asks.keys[min(2, len(asks.keys) - 1)]
        self._phantom_quantity = asks.quantities[self._phantom]
        self._tell(self.bids, -self._phantom, self._phantom_quantity)

    def uncross(self) -> None:
        if self._phantom:
            self._tell(self.bids, -self._phantom, self.bids.quantities.get(-self._phantom, 0))
            self._phantom = 0

    def picture(self, depth: int | None = None) -> Picture:
        """The best `depth` levels of each side as published."""
        bids, asks = self.bids.top(depth), self.asks.top(depth)
        if self._phantom:
            quantities = [self._phantom_quantity, *bids.quantities]
            bids = Levels([self._phantom, *bids.prices][:depth], quantities[:depth])
        return Picture(self.symbol, self.last_id, bids, asks)

    def digest_at(self, update_id: int) -> int:
        """Of the whole true book when it was at this id. Raises LookupError when that is too long ago."""
        history = len(self._digests)
        if not max(self._oldest_id, self.last_id - history) < update_id <= self.last_id:
            raise LookupError(f"{self.symbol} is at {self.last_id} and remembers {history} ids back, not {update_id}")
        return self._digests[update_id % history]

    def _tell(self, side: Resting, key: int, quantity: int) -> None:
        self.last_id += 1
        self._digests[self.last_id % len(self._digests)] = self._digest
        prices, quantities = self._told[side.sign > 0]
        prices.append(key * side.sign)
        quantities.append(quantity)
