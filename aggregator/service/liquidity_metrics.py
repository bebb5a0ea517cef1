"""How much can be traded, and at what spread: read from the books when someone scrapes. A metric may be rounded as a
price may not, so here and only here they become binary floats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aggregator.books.depth import BPS_ONE, LEVELS_READ, REACHES_BPS, within
from aggregator.books.ledger import Ledger
from aggregator.books.venue_book import VenueBook
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.engine.engine import Engine

Premiums = Callable[[], Mapping[str, float | None]]
"""By local listing, how far its middle is above the partners', in bps."""


def no_premiums() -> Mapping[str, float | None]:
    """Where there is no local book."""
    return {}


class LiquidityCollector(Collector):
    """Of the live books that are shown."""

    def __init__(self, engine: Engine, premiums: Premiums = no_premiums) -> None:
        self._engine = engine
        self._premiums = premiums

    def collect(self) -> Iterator[Metric]:
        yield from self._market()
        yield from self._house(self._engine.orders.ledger)

    def _market(self) -> Iterator[Metric]:
        market = self._engine.market
        middle = _gauge("aggregator_middle_price", "Between the consolidated best bid and offer, in quote.")
        spread = _gauge("aggregator_spread_bps", "Consolidated best offer less best bid; negative while crossed.")
        depth = GaugeMetricFamily(
            "aggregator_depth_base",
            "Quantity of a venue's live book no further than this from the consolidated middle, in base.",
            labels=("venue", "instrument", "side", "bps"),
        )
        for name in market.instruments:
            books = [b for b in market.books(name).values() if b.is_live and b.venue not in market.hidden]
            bids = [best for book in books if (best := book.bids.best) is not None]
            asks = [best for book in books if (best := book.asks.best) is not None]
            if not bids or not asks:
                continue
            twice = max(bids) + min(asks)
            middle.add_metric((name,), twice / 2 / POWERS[market.instrument(name).price_decimals])
            spread.add_metric((name,), 2 * BPS_ONE * (min(asks) - max(bids)) / twice)
            for book in books:
                for side in Side:
                    for bps, quantity in zip(REACHES_BPS, _within(book, side, twice), strict=True):
                        depth.add_metric((book.venue, name, side.value, str(bps)), quantity)
        yield from (middle, spread, depth)
        premium = _gauge("aggregator_local_premium_bps", "How far a local book's middle is above its partners'.")
        for name, above in self._premiums().items():
            if above is not None:
                premium.add_metric((name,), above)
        yield premium

    def _house(self, ledger: Ledger) -> Iterator[Metric]:
        shortage = GaugeMetricFamily(
            "aggregator_ledger_shortage",
            "By how much custody's last count is below what accounts own, in the asset; 0 when nothing is missing.",
            labels=("asset",),
        )
        for asset in sorted({asset for account in ledger.accounts for asset in ledger.assets(account)}):
            shortage.add_metric((asset,), ledger.shortage(asset) / POWERS[ASSET_DECIMALS])
        yield shortage


def _within(book: VenueBook, side: Side, twice_middle: int) -> list[float]:
    """For each reach, the quantity that rests no further than it from the middle."""
    instrument: Instrument = book.listing.instrument
    levels, one = book.side(side).top(LEVELS_READ), POWERS[instrument.quantity_decimals]
    return [within(levels, side, twice_middle, reach) / one for reach in REACHES_BPS]


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=("instrument",))
