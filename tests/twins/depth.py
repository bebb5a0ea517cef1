"""What taking liquidity fills, one unit at a time."""

from aggregator.domain.book import Levels

Taken = tuple[int, int, int | None]
"""Quantity, notional, and the worst price touched."""


def take_units(levels: Levels, quantity: int) -> Taken:
    taken, notional, worst = 0, 0, None
    for price in _units(levels)[:quantity]:
        taken, notional, worst = taken + 1, notional + price, price
    return taken, notional, worst


def spend_units(levels: Levels, notional: int) -> Taken:
    taken, spent, worst = 0, 0, None
    for price in _units(levels):
        if spent + price > notional:
            break
        taken, spent, worst = taken + 1, spent + price, price
    return taken, spent, worst


def _units(levels: Levels) -> list[int]:
    """The price of every unit on offer, best first."""
    return [price for price, quantity in zip(*levels, strict=True) for _ in range(quantity)]
