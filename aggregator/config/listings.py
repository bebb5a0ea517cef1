"""What Busan lists: the rules of each instrument's local book, when it is open, and which venues stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from aggregator.config.calendars import Calendar
from aggregator.config.document import Document, Fault, KeyPath
from aggregator.config.scalars import (
    BasisPoints,
    Exact,
    ExactOrZero,
    InstrumentName,
    Name,
    TimeOfDay,
    VenueId,
    read_exact_or_zero,
    read_time,
)
from aggregator.config.schema import Reading, Root, Section, read_file
from aggregator.config.venues import FeeRates
from aggregator.domain.errors import ConfigurationRefused, NumberRefused
from aggregator.domain.instrument import Fees, Instrument
from aggregator.domain.local import LOCAL_VENUE, BookState, LocalRules, SelfTrade, TickBand
from aggregator.domain.numbers import MAX_DECIMALS, decimals_of, parse_decimal

_CLOSED: JsonDict = {"additionalProperties": False}


class TickStep(Section):
    """From this price on, up to where the next one begins, prices are multiples of the tick. Both are in quote."""

    from_price: ExactOrZero = Field(default="0", alias="from", examples=["0"])
    """The first price that it rules: 0 in a table's first row."""
    tick: Exact
    """The step between two prices."""


class Hours(Section):
    """When the book opens and closes, every day, as times in Seoul: pre_open before open before close."""

    pre_open: TimeOfDay | None = None
    """From then on orders are taken and wait for the opening auction. Left out: it opens without one."""
    open: TimeOfDay
    """When trading begins."""
    close: TimeOfDay = Field(examples=["23:30"])
    """When it ends."""

    def as_calendar(self) -> Calendar:
        return Calendar(self.open, self.close, self.pre_open)


class LocalListing(Section):
    """An instrument as Busan lists it. Numbers are exact decimals, in quote for prices and notionals and in base for
    quantities."""

    instrument: InstrumentName = Field(examples=["BTC/KRW"])
    """What is traded, as BASE/QUOTE."""
    ticks: Name
    """Which of the tick tables rules its prices."""
    lot: Exact
    """The step between two quantities, in base."""
    minimum_quantity: Exact | None = None
    """The least quantity of an order, in base, a multiple of the lot. Left out: one lot."""
    maximum_quantity: Exact | None = None
    """The greatest quantity of an order, in base, a multiple of the lot. Left out: there is none."""
    minimum_notional: Exact | None = None
    """The least price times quantity of an order, in quote. Left out: there is none."""
    reference_price: Exact
    """The price that the price band is around until the operator sets another, in quote."""
    price_band_bps: BasisPoints
    """How far a limit price may be from the reference price."""
    market_bound_bps: BasisPoints
    """How far from the best price an order without a limit price may trade."""
    fees: FeeRates
    """What Busan charges, in quote."""
    self_trade: Literal["cancel_newest", "cancel_oldest", "cancel_both", "decrement"] = "cancel_newest"
    """What becomes of an order that would trade with one of its own account, unless the order says otherwise."""
    state: Literal["pre_open", "open", "halted", "closed"] = "open"
    """What a book without hours is when it begins. People turn it from then on."""
    hours: Hours | None = None
    """When the book opens and closes by itself. Left out: it stays as it is until a person turns it."""
    display: tuple[VenueId, ...] = Field(default=(), examples=[["binance", "gateio"]])
    """Venues whose depth of the same base is shown beside the local book, turned into its quote."""
    route: tuple[VenueId, ...] = Field(default=(), examples=[["binance", "gateio"]])
    """Venues to which orders in this listing may be routed. The venue's own `route` must be true as well."""

    def state_at(self, at_ns: int) -> BookState:
        """What a new book is at a moment, in ns since the Unix epoch."""
        return self.hours.as_calendar().state_at(at_ns) if self.hours else BookState(self.state)

    def widened(self, instrument: Instrument, table: tuple[TickStep, ...]) -> Instrument:
        """The instrument on scales that hold every number of this listing."""
        prices = [text for step in table for text in (step.from_price, step.tick)]
        quantities = [self.lot, self.minimum_quantity or "0", self.maximum_quantity or "0"]
        return instrument.widened(
            max(map(decimals_of, [*prices, self.reference_price])), max(map(decimals_of, quantities))
        )


class Listings(Root):
    """What Busan lists."""

    tick_tables: dict[Name, tuple[TickStep, ...]] = Field(json_schema_extra=_CLOSED)
    """Tables of price steps by name, for the listings to refer to: the lowest prices first."""
    listings: tuple[LocalListing, ...] = Field(min_length=1)
    """The instruments, once each."""

    def widened(self, index: int, instrument: Instrument) -> Instrument:
        """The instrument of a listing on scales that hold all its numbers."""
        listing = self.listings[index]
        return listing.widened(instrument, self.tick_tables[listing.ticks])

    def local_rules(self, instrument_of: Callable[[str], Instrument]) -> list[LocalRules]:
        """The rules of each listing, on the scales of its instrument. Raises ConfigurationRefused with every number
        that is finer than its scale."""
        faults: list[str] = []
        rules = [self._rules(index, instrument_of, faults) for index in range(len(self.listings))]
        if faults:
            raise ConfigurationRefused(faults)
        return rules

    def _rules(self, index: int, instrument_of: Callable[[str], Instrument], faults: list[str]) -> LocalRules:
        listing = self.listings[index]
        instrument = instrument_of(listing.instrument)
        prices, quantities = instrument.price_decimals, instrument.quantity_decimals

        def scaled(path: KeyPath, text: str | None, decimals: int) -> int:
            try:
                return parse_decimal(text or "0", decimals)
            except NumberRefused:
                finer = f"{text} needs {decimals_of(text or '0')} decimals, but {instrument.name} has {decimals}"
                faults.append(self.fault(path, f"{finer}; write a coarser number, or more decimals in the settings"))
                return 0

        def own(key: str, text: str | None, decimals: int) -> int:
            return scaled(("listings", index, key), text, decimals)

        def band(row: int, step: TickStep) -> TickBand:
            path = ("tick_tables", listing.ticks, row)
            from_price = scaled((*path, "from"), step.from_price, prices)
            return TickBand(instrument, from_price, scaled((*path, "tick"), step.tick, prices))

        return LocalRules(
            instrument,
            ticks=tuple(band(row, step) for row, step in enumerate(self.tick_tables[listing.ticks])),
            lot=own("lot", listing.lot, quantities),
            minimum_quantity=own("minimum_quantity", listing.minimum_quantity or listing.lot, quantities),
            maximum_quantity=own("maximum_quantity", listing.maximum_quantity, quantities),
            minimum_notional=own("minimum_notional", listing.minimum_notional, prices + quantities),
            reference_price=own("reference_price", listing.reference_price, prices),
            price_band_bps=listing.price_band_bps,
            market_bound_bps=listing.market_bound_bps,
            fees=Fees(listing.fees.maker, listing.fees.taker),
            self_trade=SelfTrade(listing.self_trade),
        )


def read_listings_file(path: Path) -> Reading[Listings]:
    return read_file(path, Listings, listing_relations)


def listing_relations(document: Document) -> Iterator[Fault]:
    tables = document.at(("tick_tables",))
    names = list(tables) if isinstance(tables, dict) else []
    for name in names:
        yield from _ascending(document, ("tick_tables", name))
    listings = document.at(("listings",))
    first: dict[str, int] = {}
    for index in range(len(listings) if isinstance(listings, tuple) else 0):
        path: KeyPath = ("listings", index)
        yield from _known_table(document, path, names)
        yield from _in_lots(document, path)
        yield from _timely(document, path)
        for key in ("display", "route"):
            yield from _venues_once(document, (*path, key))
        instrument = document.at((*path, "instrument"))
        if isinstance(instrument, str) and first.setdefault(instrument, index) != index:
            line = document.values["listings", first[instrument], "instrument"].line
            text = f"{instrument} is listed a second time, first on line {line}; keep one"
            yield document.fault((*path, "instrument"), text)


def _ascending(document: Document, path: KeyPath) -> Iterator[Fault]:
    rows = document.at(path)
    if not isinstance(rows, tuple):
        return
    if not rows:
        yield document.fault(path, "an empty table; write at least one row, such as {from: 0, tick: 1}")
    begins = [_number(document, (*path, row, "from"), "0") for row in range(len(rows))]
    if begins and begins[0]:
        yield document.fault((*path, 0, "from"), "the first row begins at 0; write 0, or add a row before it")
    for row, (lower, upper) in enumerate(pairwise(begins), start=1):
        if lower is not None and upper is not None and upper <= lower:
            yield document.fault((*path, row, "from"), "not above the row before; write the lowest prices first")
    ticks = [_number(document, (*path, row, "tick"), "") for row in range(len(rows))]
    for row, (begin, below, own) in enumerate(zip(begins[1:], ticks, ticks[1:], strict=False), start=1):
        # Else rounding a price up to its tick could lead to one that the next row forbids.
        if begin and any(begin % tick for tick in (below, own) if tick):
            text = "not a multiple of its own tick and of the tick below; begin at a price that both allow"
            yield document.fault((*path, row, "from"), text)


def _known_table(document: Document, path: KeyPath, names: list[str]) -> Iterator[Fault]:
    table = document.at((*path, "ticks"))
    if isinstance(table, str) and names and table not in names:
        yield document.fault((*path, "ticks"), f"no tick table is called {table}; known here: {', '.join(names)}")


def _in_lots(document: Document, path: KeyPath) -> Iterator[Fault]:
    lot = _number(document, (*path, "lot"), "")
    least, most = (_number(document, (*path, key), "") for key in ("minimum_quantity", "maximum_quantity"))
    for key, quantity in (("minimum_quantity", least), ("maximum_quantity", most)):
        if lot and quantity and quantity % lot:
            yield document.fault((*path, key), "not a multiple of the lot; no order could have it")
    if least and most and most < least:
        yield document.fault((*path, "maximum_quantity"), "less than minimum_quantity; no order would fit")


def _timely(document: Document, path: KeyPath) -> Iterator[Fault]:
    hours = document.at((*path, "hours"))
    if not isinstance(hours, dict):
        return
    if (*path, "state") in document.values:
        yield document.fault((*path, "state"), "given beside hours, which decide it; remove one of the two")
    given = [(key, at) for key in ("pre_open", "open", "close") if (at := _time(hours.get(key))) is not None]
    for (earlier, begun), (later, at) in pairwise(given):
        if at <= begun:
            text = f"not after {earlier}; write times of one day, pre_open before open before close"
            yield document.fault((*path, "hours", later), text)


def _venues_once(document: Document, path: KeyPath) -> Iterator[Fault]:
    venues = document.at(path)
    seen: set[object] = set()
    for index, venue in enumerate(venues if isinstance(venues, tuple) else ()):
        if not isinstance(venue, str):
            continue
        if venue == LOCAL_VENUE:
            text = f"{LOCAL_VENUE} is the local book itself; name other venues"
            yield document.fault((*path, index), text)
        elif venue in seen:
            yield document.fault((*path, index), f"{venue} is named a second time; keep one")
        seen.add(venue)


def _time(text: object) -> time | None:
    """None for what is missing, or is refused by its field."""
    try:
        return read_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _number(document: Document, path: KeyPath, default: str) -> int | None:
    """On MAX_DECIMALS; None for what is missing, or is refused by its field."""
    if not isinstance(document.at(path[:-1]), dict):
        return None
    text = document.at(path) if path in document.values else default
    try:
        return parse_decimal(read_exact_or_zero(text), MAX_DECIMALS) if isinstance(text, str) else None
    except ValueError:
        return None
