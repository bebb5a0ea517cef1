"""The cheapest liquidity of several venues, level by level, while lots, minimums and fixed costs are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from aggregator.domain.book import Levels


class Swept(NamedTuple):
    """What was taken: of each venue the quantity, the level touched last and the signed cost, and how much in all."""

    quantities: list[int]
    levels: list[int]
    costs: list[int]
    filled: int

    @property
    def cost(self) -> int:
        return sum(self.costs)


def sweep(columns: Sequence[Levels], factors: Sequence[int], wanted: int) -> Swept:
    """Take `wanted`, cheapest unit first; no better split exists where nothing but depth limits.

    Only the levels that are taken are looked at: an order is small beside the books that it is routed over. Of equal
    prices the earlier venue's comes first.
    """
    venues = range(len(columns))
    quantities, levels, costs = [0] * len(columns), [0] * len(columns), [0] * len(columns)
    fronts = [(columns[venue].prices[0] * factors[venue], venue) for venue in venues if columns[venue].prices]
    heapify(fronts)
    left = wanted
    while fronts:
        unit, venue = fronts[0]
        level = levels[venue]
        available = columns[venue].quantities[level]
        if available >= left:
            quantities[venue] += left
            costs[venue] += left * unit
            return Swept(quantities, levels, costs, wanted)
        quantities[venue] += available
        costs[venue] += available * unit
        left -= available
        level += 1
        prices = columns[venue].prices
        if level < len(prices):
            levels[venue] = level
            heapreplace(fronts, (prices[level] * factors[venue], venue))
        else:
            heappop(fronts)
    return Swept(quantities, levels, costs, wanted - left)
