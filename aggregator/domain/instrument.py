"""What is traded, and under which rules on which venue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from aggregator.domain.errors import NumberRefused
from aggregator.domain.numbers import MAX_DECIMALS, format_decimal, parse_decimal

PRICE_DECIMALS, QUANTITY_DECIMALS = 12, 18
"""Scales of an instrument unless a listing is finer. They leave room below ticks and lots, since resting levels that
are finer than the market list says are real: HTX has been seen with quantities of 15 decimals."""


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is traded: `base` priced in `quote`, and the scales that its numbers have on every venue.

    `name` is `BTC/USDT`; a market whose assets no list describes is named by the venue's symbol.
    """

    name: str
    base: str = ""
    quote: str = ""
    price_decimals: int = PRICE_DECIMALS
    quantity_decimals: int = QUANTITY_DECIMALS

    @classmethod
    def of(cls, base: str, quote: str) -> Instrument:
        return cls(f"{base}/{quote}", base, quote)

    def widened(self, price_decimals: int, quantity_decimals: int) -> Instrument:
        """The same instrument on scales that are no coarser than the ones given."""
        return replace(
            self,
            price_decimals=max(self.price_decimals, price_decimals),
            quantity_decimals=max(self.quantity_decimals, quantity_decimals),
        )

    def price(self, text: str | bytes) -> int:
        return parse_decimal(text, self.price_decimals)

    def quantity(self, text: str | bytes) -> int:
        return parse_decimal(text, self.quantity_decimals)

    def notional(self, text: str | bytes) -> int:
        return parse_decimal(text, self.price_decimals + self.quantity_decimals)

    def show_price(self, price: int) -> str:
        return format_decimal(price, self.price_decimals)

    def show_quantity(self, quantity: int) -> str:
        return format_decimal(quantity, self.quantity_decimals)

    def show_notional(self, notional: int) -> str:
        """A notional is price times quantity, so it has the decimals of both."""
        return format_decimal(notional, self.price_decimals + self.quantity_decimals)


class Instruments:
    """Every instrument once, so that all venues' books of it are on the same scales.

    The scale is fixed when an instrument is first asked for: prices already in a book cannot change
    their meaning.
    """

    def __init__(self, known: Iterable[Instrument] = ()) -> None:
        self._by_name = {instrument.name: instrument for instrument in known}

    def learn(self, known: Iterable[Instrument]) -> None:
        """Take on those that are new; the others keep their scale."""
        for instrument in known:
            self._by_name.setdefault(instrument.name, instrument)

    def get(self, base: str, quote: str, price_decimals: int = 0, quantity_decimals: int = 0) -> Instrument:
        """The instrument, made on scales at least this fine if it is new.

        Raises NumberRefused when it exists on a coarser scale, or when none is that fine.
        """
        name = f"{base}/{quote}"
        if max(price_decimals, quantity_decimals) > MAX_DECIMALS:
            raise NumberRefused(
                f"{name} needs {price_decimals} decimals of price and {quantity_decimals} of quantity; "
                f"no scale has more than {MAX_DECIMALS}"
            )
        instrument = self._by_name.get(name)
        if instrument is None:
            instrument = Instrument(name, base, quote).widened(price_decimals, quantity_decimals)
            self._by_name[name] = instrument
        if instrument != instrument.widened(price_decimals, quantity_decimals):
            raise NumberRefused(
                f"{name} is kept on {instrument.price_decimals} decimals of price and "
                f"{instrument.quantity_decimals} of quantity; a listing here needs {price_decimals} and "
                f"{quantity_decimals}: set them under `instruments` in the configuration"
            )
        return instrument

    def listed(self, name: str) -> Instrument:
        """The instrument of a name such as `BTC/USDT`."""
        base, _, quote = name.partition("/")
        return self.get(base, quote)

    def named(self, symbol: str) -> Instrument:
        """An instrument known only by a venue's symbol."""
        return self._by_name.setdefault(symbol, Instrument(symbol))


@dataclass(frozen=True, slots=True)
class Fees:
    """Ratios on RATE_DECIMALS."""

    maker: int = 0
    taker: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument's rules, fees and spelling on one venue.

    `tick`, `lot` and `minimum_quantity` are on the instrument's scales and `minimum_notional` on both
    together; 0 means that the venue states no such rule.
    """

    venue: str
    symbol: str
    instrument: Instrument
    tick: int = 0
    lot: int = 0
    minimum_quantity: int = 0
    minimum_notional: int = 0
    fees: Fees = Fees()
    tradable: bool = True


@dataclass(frozen=True, slots=True)
class Venue:
    """A place where instruments are listed. A defunct venue says since when, and why."""

    name: str
    connector: str
    display_name: str = ""
    defunct: str = ""
