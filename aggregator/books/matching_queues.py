"""One side of a book, order by order: who stands at which price, and in which place."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import pairwise

from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side
from aggregator.domain.local import LocalOrder, RestingOrder


class Standing:
    """An order that the book has taken on, with what is left of it, its place, and its neighbours of the same price.
    Only while it stands in a queue do place and neighbours mean anything."""

    __slots__ = ("before", "behind", "order", "price", "priority_ns", "quantity", "sequence")

    before: Standing | None
    behind: Standing | None
    priority_ns: int
    sequence: int

    def __init__(self, order: LocalOrder, price: int) -> None:
        self.order = order
        self.price = price
        self.quantity: int = order.quantity

    def as_resting(self) -> RestingOrder:
        """The order as it is now, for others to keep."""
        order = self.order
        return RestingOrder(
            order.order_id,
            order.account,
            order.side,
            self.price,
            self.quantity,
            self.priority_ns,
            self.sequence,
            order.post_only,
            order.self_trade,
        )


class Queues:
    """The orders of one side, best price first, and at one price in the order in which they came.

    `ranks` are the prices that have orders, ascending towards the best: a bid's rank is its price, an ask's its price
    negated, so that both sides compare alike and the best is the last one. Most changes are near the end of that list,
    where they move few pointers; a tree costs more in Python even with tens of thousands of levels. The orders of a
    price are linked to one another, so that any of them can leave, and the next to trade be found, in a few steps
    however many they are.
    """

    __slots__ = ("_first", "_last", "ranks", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = 1 if side is Side.BUY else -1
        self.ranks: list[int] = []
        self._first: dict[int, Standing] = {}
        self._last: dict[int, Standing] = {}

    @property
    def best(self) -> int | None:
        """The best price, or None when the side is empty."""
        return self.ranks[-1] * self.sign if self.ranks else None

    def first(self) -> Standing:
        """Who is to trade next. Not to be asked of an empty side."""
        return self._first[self.ranks[-1]]

    def reaches(self, price: int) -> bool:
        """Whether the best order of this side would trade with one of the other side at this price."""
        ranks = self.ranks
        return bool(ranks) and ranks[-1] >= price * self.sign

    def append(self, one: Standing) -> None:
        """Place it behind all others of its price."""
        rank = one.price * self.sign
        one.before = last = self._last.get(rank)
        one.behind = None
        self._last[rank] = one
        if last is not None:
            last.behind = one
        else:
            self._first[rank] = one
            insort(self.ranks, rank)

    def remove(self, one: Standing) -> None:
        before, behind = one.before, one.behind
        if before is not None:
            before.behind = behind
        if behind is not None:
            behind.before = before
        if before is not None and behind is not None:
            return
        rank = one.price * self.sign
        if behind is not None:
            self._first[rank] = behind
        elif before is not None:
            self._last[rank] = before
        else:
            del self._first[rank], self._last[rank]
            ranks = self.ranks
            del ranks[-1 if ranks[-1] == rank else bisect_left(ranks, rank)]

    def __iter__(self) -> Iterator[Standing]:
        """Every order, in the order in which they would trade. None may come or leave meanwhile."""
        for rank in reversed(self.ranks):
            yield from self._at(rank)

    def levels(self, depth: int | None = None) -> Levels:
        """The best `depth` prices (all of them by default) with the quantity of their orders together."""
        ranks = self.ranks[::-1] if depth is None else self.ranks[: -depth - 1 : -1]
        quantities = [sum(one.quantity for one in self._at(rank)) for rank in ranks]
        return Levels([rank * self.sign for rank in ranks], quantities)

    def _at(self, rank: int) -> Iterator[Standing]:
        one: Standing | None = self._first[rank]
        while one is not None:
            yield one
            one = one.behind

    def check(self) -> None:
        """Raise BrokenInvariant unless prices and places are in order and every order is where its price says."""
        if self.ranks != sorted(self._first) or self._first.keys() != self._last.keys():
            raise BrokenInvariant(f"{self.side} queues: the prices in order are not those that have orders")
        for rank in self.ranks:
            queue = list(self._at(rank))
            if [one.before for one in queue] != [None, *queue[:-1]] or queue[-1] is not self._last[rank]:
                raise BrokenInvariant(f"{self.side} queues: neighbours at {rank * self.sign} do not know each other")
            places = [(one.priority_ns, one.sequence) for one in queue]
            if any(later <= earlier for earlier, later in pairwise(places)):
                raise BrokenInvariant(f"{self.side} queues: the places at {rank * self.sign} are not in order")
            for one in queue:
                if one.order.side is not self.side or one.price * self.sign != rank or one.quantity <= 0:
                    raise BrokenInvariant(f"{self.side} queues: {one.order.order_id} cannot stand where it stands")
