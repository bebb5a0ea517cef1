"""The consolidated book by sorting everything, in fractions."""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from aggregator.domain.instrument import Side


@dataclass
class NaiveVenue:
    """What one venue shows, as numbers that need no scale."""

    name: str
    taker_fee: Fraction = Fraction(0)
    levels: dict[Side, dict[Fraction, Fraction]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})
    is_live: bool = True

    def price_after_fee(self, side: Side, price: Fraction) -> Fraction:
        """What is really got for selling into a bid, or paid for buying from an ask."""
        return price * (1 - self.taker_fee if side is Side.BUY else 1 + self.taker_fee)


Row = tuple[Fraction, Fraction, dict[str, Fraction]]
"""Price, quantity, and each venue's share of it."""


class NaiveConsolidated:
    def __init__(self, venues: list[NaiveVenue]) -> None:
        self.venues = venues

    def rows(self, side: Side, depth: int | None = None, *, net: bool = False) -> list[Row]:
        shares: defaultdict[Fraction, dict[str, Fraction]] = defaultdict(dict)
        for venue in self.venues:
            for price, quantity in venue.levels[side].items():
                if venue.is_live and quantity:
                    shown = venue.price_after_fee(side, price) if net else price
                    shares[shown][venue.name] = quantity
        best_first = sorted(shares, reverse=side is Side.BUY)
        return [(price, sum(shares[price].values(), Fraction(0)), shares[price]) for price in best_first[:depth]]
