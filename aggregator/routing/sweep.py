"""The cheapest liquidity of several venues, level by level, while lots, minimums and fixed costs are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heapreplace

from aggregator.domain.book import Levels

Swept = tuple[list[int], list[int], list[int], int]
"""Of each venue the quantity taken, the level touched last and the signed cost; and how much was taken in all. A plain
tuple, since making a named one is a tenth of a sweep."""


def sweep(columns: Sequence[Levels], factors: Sequence[int], wanted: int) -> Swept:
    """Take `wanted`, cheapest unit first; no better split exists where nothing but depth limits.

    Only the levels that are taken are looked at: an order is small beside the books that it is routed over. Of equal
    prices the earlier venue's comes first. `factors` turn each venue's prices into costs.
    """
    fronts = []
    venue = 0
    for prices, available in columns:
        if prices:
            factor = factors[venue]
            fronts.append((prices[0] * factor, venue, 0, prices, available, factor))
        venue += 1
    fronts.sort()  # a sorted list is a heap
    quantities = [0] * venue
    levels, costs = quantities.copy(), quantities.copy()
    left = wanted
    while fronts:
        unit, venue, level, prices, available, factor = fronts[0]
        quantity = available[level]
        levels[venue] = level
        if quantity >= left:
            quantities[venue] += left
            costs[venue] += left * unit
            return quantities, levels, costs, wanted
        left -= quantity
        quantities[venue] += quantity
        costs[venue] += quantity * unit
        level += 1
        if level < len(prices):
            heapreplace(fronts, (prices[level] * factor, venue, level, prices, available, factor))
        else:
            heappop(fronts)
    return quantities, levels, costs, wanted - left
