"""One side of a book, order by order: who stands at which price, and in which place."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain

from aggregator.domain.book import Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side
from aggregator.domain.local import RestingOrder


class Queues:
    """The orders of one side, best price first, and at one price in the order in which they came.

    `ranks` are the prices that have orders, ascending towards the best: a bid's rank is its price, an ask's its price
    negated, so that both sides compare alike and the best is the last one. The busy prices are near the end of the
    list, where a change moves the fewest pointers; a tree costs more in Python even with tens of thousands of levels.
    An OrderedDict gives both the first order and any order by its id at once, which a dict does not once orders have
    left from its front.
    """

    __slots__ = ("_by_rank", "ranks", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = 1 if side is Side.BUY else -1
        self.ranks: list[int] = []
        self._by_rank: dict[int, OrderedDict[str, RestingOrder]] = {}

    @property
    def best(self) -> int | None:
        """The best price, or None when the side is empty."""
        return self.ranks[-1] * self.sign if self.ranks else None

    def first(self) -> RestingOrder:
        """Who is to trade next. Not to be asked of an empty side."""
        return next(iter(self._by_rank[self.ranks[-1]].values()))

    def reaches(self, price: int) -> bool:
        """Whether the best order of this side would trade with one of the other side at this price."""
        ranks = self.ranks
        return bool(ranks) and ranks[-1] >= price * self.sign

    def append(self, order: RestingOrder) -> None:
        """Place it behind all others of its price."""
        rank = order.price * self.sign
        queue = self._by_rank.get(rank)
        if queue is None:
            self._by_rank[rank] = queue = OrderedDict()
            insort(self.ranks, rank)
        queue[order.order_id] = order

    def remove(self, order: RestingOrder) -> None:
        rank = order.price * self.sign
        queue = self._by_rank[rank]
        del queue[order.order_id]
        if not queue:
            del self._by_rank[rank]
            if self.ranks[-1] == rank:
                self.ranks.pop()
            else:
                del self.ranks[bisect_left(self.ranks, rank)]

    def __iter__(self) -> Iterator[RestingOrder]:
        """Every order, in the order in which they would trade."""
        return chain.from_iterable(self._by_rank[rank].values() for rank in reversed(self.ranks))

    def levels(self, depth: int | None = None) -> Levels:
        """The best `depth` prices (all of them by default) with the quantity of their orders together."""
        ranks = self.ranks[::-1] if depth is None else self.ranks[: -depth - 1 : -1]
        quantities = [sum(order.quantity for order in self._by_rank[rank].values()) for rank in ranks]
        return Levels([rank * self.sign for rank in ranks], quantities)

    def check(self) -> None:
        """Raise BrokenInvariant unless prices and places are in order and every order is where its price says."""
        if self.ranks != sorted(self._by_rank) or not all(self._by_rank.values()):
            raise BrokenInvariant(f"{self.side} queues: the prices in order are not those that have orders")
        for rank, queue in self._by_rank.items():
            places = [(order.priority_ns, order.sequence) for order in queue.values()]
            if places != sorted(set(places)):
                raise BrokenInvariant(f"{self.side} queues: the places at {rank * self.sign} are not in order")
            for order_id, order in queue.items():
                if (order.order_id, order.side, order.price * self.sign) != (order_id, self.side, rank):
                    raise BrokenInvariant(f"{self.side} queues: order {order_id} does not belong where it stands")
                if order.quantity <= 0:
                    raise BrokenInvariant(
                        f"{self.side} queues: order {order_id} has nothing left and stands all the same"
                    )
