"""What one asset is worth in another: from a venue's book of the two, or as somebody stated it.

A rate here is on NET_DECIMALS and always has a side: who has to buy the base pays the ask, rounded up; who has to sell
it gets the bid, rounded down. So no round trip gains. A rate that is missing, old, or outside its band is no rate but
the reason why there is none; nothing is ever taken to be worth 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from aggregator.books.venue_book import VenueBook
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS, format_decimal
from aggregator.domain.plan import BPS_DECIMALS, NET_DECIMALS, NET_ONE, Rate
from aggregator.domain.rates import BookRate, Peg, RateSource, StatedRate

BPS_ONE = 10_000

ANY_AGE_NS = 2**63 - 1
"""Of a rate that holds at any time."""


class Top(NamedTuple):
    """The best of both sides of a live book, prices on `price_decimals`, and when it was last heard of."""

    bid: int
    ask: int
    price_decimals: int
    at_ns: int


Look = Callable[[str, str], Top | str]
"""The top of a venue's book of an instrument, both by name, or why there is none."""


def top_of(book: VenueBook) -> Top | str:
    """The top of a venue's book, or why it is not to be believed."""
    if not book.is_live:
        return f"its book is {book.health}: {book.reason}"
    bid, ask = book.bids.best, book.asks.best
    if bid is None or ask is None:
        return f"its book has no {'bid' if bid is None else 'ask'}"
    return Top(bid, ask, book.listing.instrument.price_decimals, book.received_ns)


@dataclass(frozen=True, slots=True)
class Quoted:
    """What one source says now of `base` in `quote`, on NET_DECIMALS, for people to see. `reason` says why it is not
    used, None when it is; the figures are 0 when there are none."""

    source: str
    base: str
    quote: str
    bid: int = 0
    ask: int = 0
    at_ns: int = 0
    max_age_ns: int = 0
    reason: str | None = None

    def rate(self, side: Side) -> Rate:
        value = self.ask if side is Side.BUY else self.bid
        return Rate(self.base, self.quote, value, self.source, self.at_ns, self.max_age_ns)

    def turned(self) -> Quoted:
        """The same seen from the other asset. Its bid is what an ask costs the other way, and rounds down."""
        bid, ask = NET_ONE**2 // self.ask, -(-(NET_ONE**2) // self.bid)
        return Quoted(self.source, self.quote, self.base, bid, ask, self.at_ns, self.max_age_ns)


class Rates:
    """The rates of all sources. Of several for the same two assets the first that may be used is."""

    def __init__(self, sources: Iterable[RateSource], look: Look) -> None:
        self._sources = tuple(sources)
        self._look = look

    def rate(self, base: str, quote: str, now_ns: int, side: Side) -> Rate | str:
        """What one `base` costs in `quote` who has to buy it, or brings who has to sell it; or why there is no rate."""
        quoted = self._usable(base, quote, now_ns)
        return quoted if isinstance(quoted, str) else quoted.rate(side)

    def middle(self, base: str, quote: str, now_ns: int) -> Rate | str:
        """Between buying and selling, rounded down: to compare by, never to route by."""
        quoted = self._usable(base, quote, now_ns)
        if isinstance(quoted, str):
            return quoted
        value = (quoted.bid + quoted.ask) // 2
        return Rate(base, quote, value, quoted.source, quoted.at_ns, quoted.max_age_ns)

    def into(self, quote: str) -> list[str]:
        """The assets that have a source of a rate into this one, in the sources' order."""
        others = {source.base: None for source in self._sources if source.quote == quote}
        others |= {source.quote: None for source in self._sources if source.base == quote}
        return list(others)

    def shown(self, now_ns: int) -> list[Quoted]:
        """What every source says, in their order, also where it is not used."""
        return [self._quoted(source, now_ns) for source in self._sources]

    def _usable(self, base: str, quote: str, now_ns: int) -> Quoted | str:
        reasons = []
        for source in self._sources:
            if {source.base, source.quote} != {base, quote}:
                continue
            quoted = self._quoted(source, now_ns)
            if quoted.reason is None:
                return quoted if source.base == base else quoted.turned()
            reasons.append(f"{source.source}: {quoted.reason}")
        return "; ".join([f"no rate from {base} to {quote}", *reasons])

    def _quoted(self, source: RateSource, now_ns: int) -> Quoted:
        told = _stated(source, now_ns) if isinstance(source, StatedRate) else self._in_book(source)
        if told.reason is not None:
            return told
        reason = told.rate(Side.SELL).fault(source.base, source.quote, now_ns) or _astray(told, source.peg)
        return replace(told, reason=reason)

    def _in_book(self, source: BookRate) -> Quoted:
        top = self._look(source.venue, source.instrument)
        if isinstance(top, str):
            return Quoted(source.source, source.base, source.quote, reason=f"{source.venue}: {top}")
        bid, ask = _net(top.bid, top.price_decimals), -_net(-top.ask, top.price_decimals)
        return Quoted(source.source, source.base, source.quote, bid, ask, top.at_ns, source.max_age_ns)


def _stated(source: StatedRate, now_ns: int) -> Quoted:
    value = source.value
    quoted = Quoted(source.source, source.base, source.quote, value, value, now_ns, ANY_AGE_NS)
    if source.as_of_ns is None:
        return quoted
    reason = "it was stated for a later day" if source.as_of_ns > now_ns else None
    return replace(quoted, at_ns=source.as_of_ns, max_age_ns=source.max_age_ns, reason=reason)


def _net(price: int, decimals: int) -> int:
    """A price on NET_DECIMALS, rounded down."""
    if decimals <= NET_DECIMALS:
        return price * POWERS[NET_DECIMALS - decimals]
    return price // POWERS[decimals - NET_DECIMALS]


def _astray(quoted: Quoted, peg: Peg | None) -> str | None:
    """Why the rate is too far from where it should be. Both of its sides must be near."""
    if peg is None:
        return None
    for value in (quoted.bid, quoted.ask):
        if abs(value - peg.reference) * BPS_ONE > peg.band_bps * peg.reference:
            found, reference = format_decimal(value, NET_DECIMALS), format_decimal(peg.reference, NET_DECIMALS)
            return f"{found} {quoted.quote} is more than {peg.band_bps} bps from {reference}"
    return None


def premium(local: Instrument, local_twice_mid: int, other: Instrument, other_twice_mid: int, rate: Rate) -> int:
    """By how much the local mid price is above another market's, turned into the local quote: in bps on BPS_DECIMALS,
    rounded down. Mid prices are given twice, as `depth.twice_mid` has them. Raises ValueError when the rate is not the
    one from the other quote to the local."""
    if (rate.base, rate.quote) != (other.quote, local.quote) or local.base != other.base:
        raise ValueError(f"{rate.base} to {rate.quote} does not turn {other.name} into {local.name}")
    here = local_twice_mid * POWERS[other.price_decimals] * NET_ONE
    there = other_twice_mid * rate.value * POWERS[local.price_decimals]
    return (here - there) * BPS_ONE * POWERS[BPS_DECIMALS] // there
