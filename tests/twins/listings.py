"""Listings and levels for tests, in few words."""

from collections.abc import Mapping

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Listing

BTC = Instrument("BTC/USDT", "BTC", "USDT", price_decimals=2, quantity_decimals=3)


def listing(venue: str = "binance", symbol: str = "BTCUSDT", instrument: Instrument = BTC, taker: int = 0) -> Listing:
    return Listing(venue, symbol, instrument, fees=Fees(taker=taker))


def levels(rows: Mapping[int, int]) -> Levels:
    """Price to quantity."""
    return Levels(list(rows), list(rows.values()))


def rows(levels: Levels) -> dict[int, int]:
    return dict(zip(levels.prices, levels.quantities, strict=True))
