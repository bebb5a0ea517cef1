"""What happened, as the venues told it.

`venue_time_ns` is the venue's own clock (0 where it states none), `received_ns` ours when the bytes
came; both are ns since the Unix epoch. `instrument` is the instrument's name. Events are written once
and then only read; they are not frozen because freezing triples the cost of making one.
"""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Listing, Side


@dataclass(slots=True)
class BookSnapshot:
    """The whole book, to replace whatever was there. `resync` marks the repair of a book that was lost."""

    venue: str
    instrument: str
    venue_time_ns: int
    received_ns: int
    bids: Levels
    asks: Levels
    resync: bool = False


@dataclass(slots=True)
class BookDelta:
    """Changes that continue the book without a gap: its sequence machine has said so.

    `depth` is how many levels a side the venue's stream covers, when it covers only the best ones: what
    has sunk below them would never be heard of again. 0 means all levels.
    """

    venue: str
    instrument: str
    venue_time_ns: int
    received_ns: int
    bids: Levels
    asks: Levels
    depth: int = 0


@dataclass(slots=True)
class BookLost:
    """From this event on the book must not be believed, until the next snapshot. `gap` says that the
    venue's numbering proved a loss, rather than a connection having ended."""

    venue: str
    instrument: str
    received_ns: int
    reason: str
    gap: bool = False


@dataclass(slots=True)
class BookUnchanged:
    """The venue said that the book stands as it was: no level moved, yet the book is fresh."""

    venue: str
    instrument: str
    venue_time_ns: int
    received_ns: int


@dataclass(slots=True)
class Trade:
    """A public trade. `taker` is the side that crossed the spread."""

    venue: str
    instrument: str
    venue_time_ns: int
    received_ns: int
    trade_id: str
    price: int
    quantity: int
    taker: Side


@dataclass(slots=True)
class BestQuote:
    """The venue's own statement of its best bid and offer, an independent witness of the book. `sequence`
    is the update it belongs to. A side that is empty at the venue has price and quantity 0."""

    venue: str
    instrument: str
    venue_time_ns: int
    received_ns: int
    sequence: int
    bid_price: int
    bid_quantity: int
    ask_price: int
    ask_quantity: int


@dataclass(slots=True)
class ListingsRead:
    """The venue's market list, as far as it could be understood."""

    venue: str
    received_ns: int
    listings: list[Listing]


@dataclass(slots=True)
class Subscribed:
    """The venue acknowledged what was asked for (`topics`: its own words)."""

    venue: str
    received_ns: int
    topics: str


@dataclass(slots=True)
class Refused:
    """The venue said no, or sent what its protocol does not explain. `instrument` when one is named."""

    venue: str
    received_ns: int
    reason: str
    instrument: str | None = None


@dataclass(slots=True)
class FrameRejected:
    """A frame was dropped whole because it could not be understood. Nothing of it was applied."""

    venue: str
    received_ns: int
    reason: str
    instrument: str | None = None


@dataclass(slots=True)
class VenueClock:
    """The venue told its time, in answer to a question."""

    venue: str
    received_ns: int
    venue_time_ns: int


@dataclass(slots=True)
class ClockMeasured:
    """The venue's clock is `offset_ns` ahead of ours (behind when negative), give or take `error_ns`."""

    venue: str
    received_ns: int
    offset_ns: int
    error_ns: int


BookEvent = BookSnapshot | BookDelta | BookLost | BookUnchanged
MarketEvent = (
    BookEvent | Trade | BestQuote | ListingsRead | Subscribed | Refused | FrameRejected | VenueClock | ClockMeasured
)


@dataclass(slots=True)
class Tick:
    """Time has passed. Time comes to the engine as a message, so that a replay has the same one."""

    now_ns: int


Event = MarketEvent | Tick
"""What the engine may be given."""
