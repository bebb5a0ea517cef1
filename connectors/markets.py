"""Which markets a venue has, by its own symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Fees, Instruments, Listing
from aggregator.domain.numbers import decimals_of


class Market(NamedTuple):
    """A row of a venue's market list, in the venue's own spelling; rules are decimal texts, `0` for none."""

    symbol: str
    base: str
    quote: str
    tick: str = "0"
    lot: str = "0"
    minimum_quantity: str = "0"
    minimum_notional: str = "0"
    tradable: bool = True


class Markets:
    """A venue's listings: those that its file states, and the others as its market list describes them.

    `adopts_unlisted` is for recordings: a market that nothing describes still gets a book, named by its
    symbol, or by its two assets where the venue's spelling keeps them apart with `separator`.
    """

    def __init__(
        self,
        venue: str,
        listings: Iterable[Listing] = (),
        instruments: Instruments | None = None,
        fees: Fees = Fees(),  # noqa: B008 - immutable
        *,
        separator: str = "",
        adopts_unlisted: bool = False,
    ) -> None:
        self.venue = venue
        self._instruments = instruments or Instruments()
        self._fees = fees
        self._separator = separator
        self._adopts_unlisted = adopts_unlisted
        self._listings = {listing.symbol: listing for listing in listings}
        self._symbols = {listing.instrument.name: listing.symbol for listing in self._listings.values()}
        self._list: dict[str, Market] = {}

    def symbol_of(self, instrument: str) -> str:
        """The venue's symbol of an instrument that is listed here."""
        return self._symbols[instrument]

    def learn(self, markets: Iterable[Market]) -> None:
        """Take in the venue's market list. What the venue's file states about a market stays."""
        self._list = {market.symbol: market for market in markets}

    @property
    def has_list(self) -> bool:
        return bool(self._list)

    def choose(self, accepts: Callable[[Market], bool]) -> list[str]:
        """The symbols of the market list that are accepted, each listed from now on. A market whose rules cannot be
        had on the instrument's scale is left out."""
        chosen = []
        for market in self._list.values():
            if not accepts(market):
                continue
            try:
                if market.symbol not in self._listings:
                    self.adopt(market)
            except NumberRefused:
                continue
            chosen.append(market.symbol)
        return chosen

    def listing(self, symbol: str) -> Listing | None:
        """The listing of a symbol, made from the market list if need be; None for a symbol that is unknown.

        Raises NumberRefused when its rules cannot be had on the instrument's scale.
        """
        known = self._listings.get(symbol)
        if known is not None or not self._adopts_unlisted:
            return known
        market = self._list.get(symbol)
        if market is not None:
            return self.adopt(market)
        base, _, quote = symbol.partition(self._separator) if self._separator else ("", "", "")
        if base and quote:
            return self.adopt(Market(symbol, base, quote))
        return self._keep(Listing(self.venue, symbol, self._instruments.named(symbol), fees=self._fees))

    def adopt(self, market: Market) -> Listing:
        """Make a listing of a row of the market list. Raises NumberRefused as `listing` does."""
        instrument = self._instruments.get(market.base, market.quote, decimals_of(market.tick), decimals_of(market.lot))
        both = instrument.widened(instrument.price_decimals + instrument.quantity_decimals, 0)
        return self._keep(
            Listing(
                self.venue,
                market.symbol,
                instrument,
                tick=instrument.price(market.tick),
                lot=instrument.quantity(market.lot),
                minimum_quantity=instrument.quantity(market.minimum_quantity),
                minimum_notional=both.price(market.minimum_notional),
                fees=self._fees,
                tradable=market.tradable,
            )
        )

    def _keep(self, listing: Listing) -> Listing:
        self._listings[listing.symbol] = listing
        self._symbols[listing.instrument.name] = listing.symbol
        return listing
