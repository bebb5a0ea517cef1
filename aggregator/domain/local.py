"""The local book's words: what Busan lists, under which rules, and what happens in its book.

Prices and quantities are on the scales of the instrument, ratios on RATE_DECIMALS. Every event has the book's own
sequence, one more than the one before, and the time at which its cause came, in ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.order import Notional, Price, Quantity, TimeInForce

LOCAL_VENUE = "busan"


class BookState(StrEnum):
    PRE_OPEN = "pre_open"
    """Orders are taken and rest, nothing trades; the opening auction does that at one price."""
    OPEN = "open"
    HALTED = "halted"
    """Nothing is taken; cancels are."""
    CLOSED = "closed"


class SelfTrade(StrEnum):
    """What becomes of an order that would trade with one of its own account."""

    CANCEL_NEWEST = "cancel_newest"
    CANCEL_OLDEST = "cancel_oldest"
    CANCEL_BOTH = "cancel_both"
    DECREMENT = "decrement"
    """Both lose the smaller quantity; nothing trades."""


@dataclass(frozen=True, slots=True)
class TickBand:
    """From this price on (inclusive), prices are multiples of `tick`."""

    instrument: Instrument
    from_price: Price
    tick: Price


@dataclass(frozen=True, slots=True)
class LocalRules:
    """What an instrument's local book accepts. `bands` ascend; the first begins at 0. `price_band_bps` is how far a
    limit price may be from the reference price, `market_bound_bps` how far from the best an order without a limit
    price may trade; `maximum_quantity` 0 is none."""

    instrument: Instrument
    ticks: tuple[TickBand, ...]
    lot: Quantity
    minimum_quantity: Quantity
    maximum_quantity: Quantity
    minimum_notional: Notional
    reference_price: Price
    price_band_bps: int
    market_bound_bps: int
    fees: Fees
    self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST

    def tick_at(self, price: int) -> int:
        """The tick of a price."""
        return next(band.tick for band in reversed(self.ticks) if price >= band.from_price)


@dataclass(frozen=True, slots=True)
class LocalOrder:
    """An order as it comes to the local book. `limit_price` None is a market order, bounded from the best price."""

    order_id: str
    account: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    limit_price: Price | None
    time_in_force: TimeInForce
    received_ns: int
    post_only: bool = False
    self_trade: SelfTrade | None = None
    """None is what the rules say."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The order was taken on. `remaining` is what will try to trade."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    remaining: Quantity


@dataclass(frozen=True, slots=True)
class Refused:
    """The order, the cancel or the amendment changed nothing. `code` is stable."""

    sequence: int
    at_ns: int
    order_id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rested:
    """The order stands in the book with this quantity; its place in the queue of its price is by `priority_ns`, then
    by sequence. Said again when it loses its place."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    side: Side
    price: Price
    quantity: Quantity
    priority_ns: int


@dataclass(frozen=True, slots=True)
class Traded:
    """Two orders traded, at the price of the one that rested (in an auction, at the auction's)."""

    sequence: int
    at_ns: int
    instrument: Instrument
    maker_id: str
    taker_id: str
    maker_account: str
    taker_account: str
    taker_side: Side
    price: Price
    quantity: Quantity
    maker_remaining: Quantity
    taker_remaining: Quantity
    is_auction: bool = False

    @property
    def trade_id(self) -> str:
        return f"{LOCAL_VENUE}-{self.instrument.name}-{self.sequence}"


@dataclass(frozen=True, slots=True)
class Reduced:
    """Less of it is left in the book, and it keeps its place: an amendment, or a self-trade that was decremented."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    remaining: Quantity
    reason: str


@dataclass(frozen=True, slots=True)
class Left:
    """The order is over, with so much of it not filled: filled, canceled, expired, or prevented from self-trade."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    unfilled: Quantity
    reason: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    sequence: int
    at_ns: int
    instrument: Instrument
    before: BookState
    after: BookState
    reason: str


LocalEvent = Entered | Refused | Rested | Traded | Reduced | Left | StateChanged
