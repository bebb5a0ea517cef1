"""Which markets a venue has, by its own symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
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
        self._stated = {listing.symbol: listing for listing in listings}
        self._listings = dict(self._stated)
        self._symbols = {listing.instrument.name: listing.symbol for listing in self._listings.values()}
        self._list: dict[str, Market] = {}
        self._is_read_anew = False

    def symbol_of(self, instrument: str) -> str:
        """The venue's symbol of an instrument that is listed here."""
        return self._symbols[instrument]

    def learn(self, markets: Iterable[Market]) -> None:
        """Take in the venue's market list, in place of the one before."""
        self._list = {market.symbol: market for market in markets}
        self._is_read_anew = True

    @property
    def has_closed(self) -> bool:
        """Whether anything that is listed here is not traded now."""
        return any(not listing.tradable for listing in self._listings.values())

    def take_changes(self) -> tuple[list[Listing], dict[str, str]]:
        """The listings whose rules are others than before, by the list that was read since the last call; and by
        instrument, why the venue's new rules cannot be kept. What the venue says now replaces what its file says; a
        rule of which its list says nothing stays. A market that is no longer in the list is not tradable. A
        recording's listings stay as they are."""
        self._is_read_anew = False
        if self._adopts_unlisted:
            return [], {}
        changed, unkept = [], {}
        for before in list(self._listings.values()):
            try:
                now = self._now(before)
            except NumberRefused as error:
                unkept[before.instrument.name] = str(error)
                now = replace(before, tradable=False)
            if now != before:
                changed.append(self._keep(now))
        return changed, unkept

    def _now(self, before: Listing) -> Listing:
        market, instrument = self._list.get(before.symbol), before.instrument
        if market is None:
            return replace(before, tradable=False)
        return replace(
            before,
            tick=instrument.price(market.tick) or before.tick,
            lot=instrument.quantity(market.lot) or before.lot,
            minimum_quantity=instrument.quantity(market.minimum_quantity) or before.minimum_quantity,
            minimum_notional=instrument.notional(market.minimum_notional) or before.minimum_notional,
            tradable=market.tradable,
        )

    @property
    def is_read_anew(self) -> bool:
        """Whether a list was read since changes were last taken."""
        return self._is_read_anew

    def choose(self, accepts: Callable[[Market], bool]) -> list[Listing]:
        """The listings of the market list that are accepted. A market whose rules cannot be had on the instrument's
        scale is left out, and so is one whose instrument has another symbol here already."""
        chosen = []
        for market in self._list.values():
            if not accepts(market) or self._is_taken(market):
                continue
            try:
                chosen.append(self.adopt(market))
            except NumberRefused:
                continue
        return chosen

    def listing(self, symbol: str) -> Listing | None:
        """The listing of a symbol, made from the market list if need be; None for a symbol that is unknown.

        Raises NumberRefused when its rules cannot be had on the instrument's scale.
        """
        known = self._listings.get(symbol)
        if known is not None or not symbol or not self._adopts_unlisted:
            return known
        base, _, quote = symbol.partition(self._separator) if self._separator else ("", "", "")
        market = self._list.get(symbol) or Market(symbol, base, quote)
        if market.base and market.quote and not self._is_taken(market):
            return self.adopt(market)
        return self._keep(Listing(self.venue, symbol, self._instruments.named(symbol), fees=self._fees))

    def adopt(self, market: Market) -> Listing:
        """Make a listing of a row of the market list. Rules that the venue's file states stay, the others are taken
        from the row. Raises NumberRefused as `listing` does."""
        stated = self._stated.get(market.symbol)
        instrument = (
            stated.instrument
            if stated
            else self._instruments.get(market.base, market.quote, decimals_of(market.tick), decimals_of(market.lot))
        )
        listed = Listing(
            self.venue,
            market.symbol,
            instrument,
            tick=instrument.price(market.tick),
            lot=instrument.quantity(market.lot),
            minimum_quantity=instrument.quantity(market.minimum_quantity),
            minimum_notional=instrument.notional(market.minimum_notional),
            fees=self._fees,
            tradable=market.tradable,
        )
        return self._keep(_completed(stated, listed) if stated else listed)

    def _is_taken(self, market: Market) -> bool:
        """Whether its instrument has another symbol here already. One venue has one book of an instrument: two
        would be mixed into one."""
        symbol = self._symbols.get(f"{market.base}/{market.quote}", market.symbol)
        return symbol != market.symbol and market.symbol not in self._stated

    def _keep(self, listing: Listing) -> Listing:
        self._listings[listing.symbol] = listing
        self._symbols[listing.instrument.name] = listing.symbol
        return listing


def _completed(stated: Listing, listed: Listing) -> Listing:
    return replace(
        stated,
        tick=stated.tick or listed.tick,
        lot=stated.lot or listed.lot,
        minimum_quantity=stated.minimum_quantity or listed.minimum_quantity,
        minimum_notional=stated.minimum_notional or listed.minimum_notional,
        tradable=listed.tradable,
    )
