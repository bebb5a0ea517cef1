"""The opening auction: the one price at which everything trades that can, and who trades with whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import accumulate, pairwise, takewhile
from operator import attrgetter
from typing import NamedTuple

from aggregator.books.matching_queues import Queues, Standing
from aggregator.books.matching_rules import Ticks
from aggregator.domain.book import Levels
from aggregator.domain.instrument import Side


class _Candidate(NamedTuple):
    """A price, and what would be bought and sold at it."""

    price: int
    bought: int
    sold: int


def clearing_price(bids: Levels, asks: Levels, reference: int, ticks: Ticks) -> int | None:
    """The price at which the greatest quantity trades; of several, the one that leaves the least over on either side,
    then the one nearest to the reference, then the lower. None when no bid reaches any ask.

    Both sides best first. It need not be anyone's limit price, only one that the ticks know.
    """
    if not bids.prices or not asks.prices or bids.prices[0] < asks.prices[0]:
        return None

    def preference(candidate: _Candidate) -> tuple[int, int, int, int]:
        price, bought, sold = candidate
        return -min(bought, sold), abs(bought - sold), abs(price - reference), price

    return min(_candidates(bids, asks, reference, ticks), key=preference).price


def _candidates(bids: Levels, asks: Levels, reference: int, ticks: Ticks) -> Iterator[_Candidate]:
    """Every limit price between best ask and best bid, and, as nothing changes between two of them, of the prices in
    between the one nearest to the reference."""
    wanted, offered = dict(zip(*bids, strict=True)), dict(zip(*asks, strict=True))
    lowest, highest = asks.prices[0], bids.prices[0]
    prices = [price for price in sorted(wanted.keys() | offered.keys()) if lowest <= price <= highest]
    # What buys at a price is all that bids it or more, what sells is all that asks it or less.
    bought = list(accumulate(wanted.get(price, 0) for price in reversed(prices)))[::-1]
    sold = list(accumulate(offered.get(price, 0) for price in prices))
    at_limits = list(map(_Candidate, prices, bought, sold))
    yield from at_limits
    for lower, upper in pairwise(at_limits):
        for price in _nearest(reference, lower.price + 1, upper.price - 1, ticks):
            yield _Candidate(price, upper.bought, lower.sold)


def _nearest(reference: int, lowest: int, highest: int, ticks: Ticks) -> Iterator[int]:
    """On either side of the reference, the nearest price from the lowest to the highest."""
    target = max(min(reference, highest), lowest)
    for price in (ticks.at_or_below(target), ticks.at_or_above(target)):
        if lowest <= price <= highest:
            yield price


def own_crossings(bids: Queues, asks: Queues) -> Iterator[tuple[Standing, Standing]]:
    """Pairs of orders of one account that would trade with each other, the older one first: what self-trade prevention
    has to see before the auction. The caller takes quantity from one or both of them before it asks for the next pair.

    Orders are gone through as they came, each against the best before it, as if the book had been open.
    """
    earlier: defaultdict[tuple[str, Side], list[tuple[int, int, Standing]]] = defaultdict(list)
    for newest in sorted(_crossing(bids, asks), key=attrgetter("sequence")):
        own, other = (bids, asks) if newest.order.side is Side.BUY else (asks, bids)
        heap = earlier[newest.order.account, other.side]
        while newest.quantity and heap and -heap[0][0] >= newest.price * other.sign:
            oldest = heap[0][2]
            yield oldest, newest
            if not oldest.quantity:
                heappop(heap)
        if newest.quantity:
            place = -newest.price * own.sign, newest.sequence, newest
            heappush(earlier[newest.order.account, own.side], place)


def _crossing(bids: Queues, asks: Queues) -> list[Standing]:
    """The orders that the other side reaches."""
    reached_bids = takewhile(lambda bid: asks.reaches(bid.price), bids)
    reached_asks = takewhile(lambda ask: bids.reaches(ask.price), asks)
    return [*reached_bids, *reached_asks]
