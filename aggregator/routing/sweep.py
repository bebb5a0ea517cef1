"""The cheapest liquidity of several venues, level by level, while lots, minimums and fixed costs are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heapreplace
from typing import NamedTuple

from aggregator.domain.book import Levels


class Swept(NamedTuple):
    """What was taken: of each venue the quantity, the level touched last and the signed cost, and how much in all."""

    quantities: list[int]
    levels: list[int]
    costs: list[int]
    filled: int


def sweep(columns: Sequence[Levels], factors: Sequence[int], wanted: int) -> Swept:
    """Take `wanted`, cheapest unit first; no better split exists where nothing but depth limits.

    Only the levels that are taken are looked at: an order is small beside the books that it is routed over. Of equal
    prices the earlier venue's comes first. `factors` turn each venue's prices into costs.
    """
    fronts = []
    venue = 0
    for (prices, available), factor in zip(columns, factors, strict=True):
        if prices:
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
            return Swept(quantities, levels, costs, wanted)
        left -= quantity
        quantities[venue] += quantity
        costs[venue] += quantity * unit
        level += 1
        if level < len(prices):
            heapreplace(fronts, (prices[level] * factor, venue, level, prices, available, factor))
        else:
            heappop(fronts)
    return Swept(quantities, levels, costs, wanted - left)
