"""The traders in one simulated book: when they act, and what they do."""

from __future__ import annotations

import math
from heapq import heappop, heappush
from random import Random

from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import POWERS
from connectors.simulation.book import Resting, TrueBook
from connectors.simulation.prices import DOLLAR_DECIMALS, FairPrice, dollars

REACH = 3
"""The best level of a side is never more ticks than this behind the best place that it could have."""

SPAN = 100
"""Levels lie within a hundredth of the price, or within twice as many ticks as there are levels if that is more."""

REGROWTH = 8
"""Each update closes at least this part of what a side lacks of its depth."""

MOST = 5, 4
"""A side may have this many times its depth before its worst levels go."""

TYPICAL_DOLLARS = 1000
"""What half of all levels are worth less than; the greatest are worth a thousand times as much."""

ECHO = 102
"""Of 256: the chance that an update calls forth another one soon after, then the chance of one more, and so on. So an
update brings two thirds of another one, and a cluster has CLUSTER updates."""
CLUSTER = 3
MOST_ECHOES = 64

_WAIT_BITS = 10
_ONE_WAIT = 1 << 16
# not money: the quantiles of a waiting time whose mean is 1, in parts of _ONE_WAIT
_WAITS = [round(-math.log((number + 0.5) / 2**_WAIT_BITS) * _ONE_WAIT) for number in range(2**_WAIT_BITS)]


class Schedule:
    """When updates come: some by themselves, each of which may call forth others, so that they cluster."""

    def __init__(self, random: Random, start_ns: int, mean_wait_ns: int) -> None:
        self._random = random
        self.mean_wait_ns = mean_wait_ns
        self._arrival_ns = start_ns + self._wait(mean_wait_ns * CLUSTER)
        self._echoes_ns: list[int] = []

    @property
    def next_ns(self) -> int:
        if self._echoes_ns and self._echoes_ns[0] < self._arrival_ns:
            return self._echoes_ns[0]
        return self._arrival_ns

    def take_next(self) -> int:
        at_ns = self.next_ns
        if at_ns == self._arrival_ns:
            self._arrival_ns += self._wait(self.mean_wait_ns * CLUSTER)
        else:
            heappop(self._echoes_ns)
        while self._random.getrandbits(8) < ECHO and len(self._echoes_ns) < MOST_ECHOES:
            heappush(self._echoes_ns, at_ns + self._wait(self.mean_wait_ns // 8))
        return at_ns

    def _wait(self, mean_ns: int) -> int:
        return 1 + (mean_ns * _WAITS[self._random.getrandbits(_WAIT_BITS)] >> 16)


class Crowd:
    """Places, cancels and takes levels so that the book follows its fair price and keeps about `depth` levels a side.

    With f the fair price in whole ticks, bids are at f or below and asks above it.
    """

    def __init__(self, book: TrueBook, listing: Listing, fair: FairPrice, depth: int, random: Random) -> None:
        self._book = book
        self._fair = fair
        self._depth = depth
        self._most = depth * MOST[0] // MOST[1]
        self._random = random
        self.follow(listing)

    def follow(self, listing: Listing) -> None:
        """Keep to these rules from now on."""
        self._tick, self._lot = listing.tick, listing.lot
        self._minimum_quantity, self._minimum_notional = listing.minimum_quantity, listing.minimum_notional
        typical = TYPICAL_DOLLARS * POWERS[DOLLAR_DECIMALS + listing.instrument.quantity_decimals]
        self._typical_lots = typical // dollars(listing.instrument.base) // listing.lot + 1
        self._ground = 0

    def fill(self, at_ns: int) -> None:
        """Make the book that stands at the start."""
        for side, nearest in self._places(at_ns):
            for _ in range(4 * self._depth):
                if len(side.keys) < self._depth:
                    self._place(side, nearest, self._distance())
            self._heal(side, nearest)

    def act(self, at_ns: int) -> None:
        """One update: what the fair price has overtaken goes, somebody does something, and the book closes up."""
        places = self._places(at_ns)
        for side, nearest in places:
            self._clear(side, nearest)
        choice = self._random.getrandbits(6)
        side, nearest = places[choice & 1]
        if choice < 10:
            self._trade(side)
        elif len(side.keys) < self._depth:
            self._place(side, nearest, self._distance())
        else:
            self._cancel(side)
        for side, nearest in places:
            self._heal(side, nearest)

    def regrid(self) -> None:
        """Move every level that is on no tick, away from the other side, to one that is."""
        book, tick = self._book, self._tick
        for side in (book.bids, book.asks):
            for key in [key for key in side.keys if key % tick]:
                moved = key - key % tick + tick  # towards greater keys, the worse ones
                quantity = side.quantities[key]
                book.put(side, key, 0)
                if moved * side.sign > 0:
                    book.put(side, moved, side.quantities.get(moved, 0) + quantity)

    def _places(self, at_ns: int) -> tuple[tuple[Resting, int], tuple[Resting, int]]:
        """Both sides, each with the key of the best place it could have."""
        self._ground = max(self._fair.at(at_ns) // self._tick, 1)
        return (
            (self._book.bids, -self._ground * self._tick),
            (self._book.asks, (self._ground + 1) * self._tick),
        )

    def _clear(self, side: Resting, nearest: int) -> None:
        """Levels on the wrong side of the fair price are taken, or cancelled in time."""
        if not side.keys or side.keys[0] >= nearest:
            return
        taken = self._random.getrandbits(1)
        while side.keys and side.keys[0] < nearest:
            key = side.keys[0]
            if taken:
                self._book.take(_OTHER[side.side], side.quantities[key])
            else:
                self._book.put(side, key, 0)

    def _trade(self, side: Resting) -> None:
        """Somebody takes the best level and perhaps a few more."""
        if side.keys:
            limit = (side.keys[0] + REACH * self._tick) * side.sign
            self._book.take(_OTHER[side.side], self._quantity(side.keys[0]), max(limit, self._tick))

    def _cancel(self, side: Resting) -> None:
        """Somebody leaves a level, mostly one of the better: it shrinks, or it goes."""
        nearness = self._random.getrandbits(20)
        key = side.keys[len(side.keys) * nearness * nearness >> 40]
        quantity = side.quantities[key]
        left = quantity // (2 * self._lot) * self._lot if nearness & 1 else 0
        self._book.put(side, key, left if left >= self._least(key) else 0)

    def _place(self, side: Resting, nearest: int, distance: int) -> None:
        """Set a level that many ticks from the best place."""
        if side.sign < 0:
            distance = min(distance, self._ground - 1)
        key = nearest + distance * self._tick
        self._book.put(side, key, self._quantity(key))

    def _heal(self, side: Resting, nearest: int) -> None:
        if not side.keys or side.keys[0] > nearest + REACH * self._tick:
            self._place(side, nearest, self._below(REACH + 1))
        for _ in range(-((len(side.keys) - self._depth) // REGROWTH)):
            self._place(side, nearest, self._distance())
        while len(side.keys) > self._most:
            self._book.put(side, side.keys[-1], 0)

    def _distance(self) -> int:
        """In ticks. The square of an even draw, so that levels lie ever farther apart away from the middle."""
        span = max(self._ground // SPAN, 2 * self._depth)
        draw = self._random.getrandbits(20)
        return span * draw * draw >> 40

    def _quantity(self, key: int) -> int:
        """Heavy-tailed: twice the quantity is half as frequent."""
        rarity = self._random.getrandbits(10) | 1 << 10
        doubled = (rarity & -rarity).bit_length() - 1
        lots = ((self._typical_lots * (32 + self._below(64)) << doubled) >> 7) + 1
        return max(lots * self._lot, self._least(key))

    def _least(self, key: int) -> int:
        """The least quantity that the rules allow at this price, in whole lots."""
        quantity = max(self._minimum_quantity, -(-self._minimum_notional // abs(key)), 1)
        return -(-quantity // self._lot) * self._lot

    def _below(self, bound: int) -> int:
        return self._random.getrandbits(24) * bound >> 24


_OTHER = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
