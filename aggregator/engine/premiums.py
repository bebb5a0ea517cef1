"""How far Busan's own books are above their partners', whose depth stands beside them in another quote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aggregator.books.consolidated import ConsolidatedDepth, View
from aggregator.books.rates import Rates, premium
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.numbers import format_decimal
from aggregator.domain.plan import BPS_DECIMALS, NET_DECIMALS, Rate
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views

Beside = Mapping[str, tuple[str, frozenset[str]]]
"""By listing, the instrument of its partners that is shown with it, and the venues that are."""


class Premium(NamedTuple):
    """`premium_bps` is of the local middle over the partners' at `rate`, from the source of that name; None where there
    is none, for the `reason`. Figures are decimals."""

    instrument: str
    source: str
    rate: str | None
    premium_bps: str | None
    reason: str | None


class Premiums:
    def __init__(self, engine: Engine, views: Views, rates: Rates, beside: Beside) -> None:
        self._engine = engine
        self._views = views
        self._rates = rates
        self._beside = beside

    def all(self, now_ns: int) -> list[Premium]:
        """Of every listing with partners beside it."""
        market = self._engine.market
        return [
            self.of(name, self._views.book(source, 1, View.GROSS, venues), now_ns)
            for name, (source, venues) in self._beside.items()
            if source in market.instruments and name in self._engine.orders.local.books
        ]

    def of(self, name: str, partners: ConsolidatedDepth, now_ns: int) -> Premium:
        """Of one listing over partners' depth, both as they stand now."""
        instrument, other = self._engine.market.instrument(name), partners.instrument
        rate = self._rates.middle(other.quote, instrument.quote, now_ns)
        if not isinstance(rate, Rate):
            return Premium(name, "", None, None, rate)
        shown = format_decimal(rate.value, NET_DECIMALS)
        here = _twice_mid(self._views.book(name, 1, View.GROSS, frozenset({LOCAL_VENUE})))
        there = _twice_mid(partners)
        if here is None or there is None:
            side = "the local book" if here is None else other.name
            return Premium(name, rate.source, shown, None, f"{side} has no middle")
        bps = premium(instrument, here, other, there, rate)
        return Premium(name, rate.source, shown, format_decimal(bps, BPS_DECIMALS), None)


def _twice_mid(depth: ConsolidatedDepth) -> int | None:
    bids, asks = depth.bids.prices, depth.asks.prices
    return bids[0] + asks[0] if bids and asks else None
