"""The local book's words: what Busan lists, under which rules, and what happens in its book.

Prices and quantities are on the scales of the instrument, ratios on RATE_DECIMALS. Every event has the book's own
sequence, one more than the one before, and the time at which its cause came, in ns; a time that lies before the one of
the event before counts as that one. Orders and events are written once and then only read; they are not frozen because
freezing triples the cost of making one.

The events alone tell who stands where in the book: an order is in it from Rested to Left, or to Entered, with which an
amendment takes it out; Traded and Reduced say what is left of it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.order import Notional, Price, Quantity, TimeInForce

LOCAL_VENUE = "busan"


class BookState(StrEnum):
    PRE_OPEN = "pre_open"
    """Orders with a limit price are taken and rest, nothing trades; the opening auction does that at one price."""
    OPEN = "open"
    HALTED = "halted"
    """Nothing is taken; cancels are."""
    CLOSED = "closed"
    """Nothing is taken; cancels are. What rests is there again at the next opening."""


class SelfTrade(StrEnum):
    """What becomes of an order that would trade with one of its own account. The newest is the one that came last; it
    is its wish that counts."""

    CANCEL_NEWEST = "cancel_newest"
    CANCEL_OLDEST = "cancel_oldest"
    CANCEL_BOTH = "cancel_both"
    DECREMENT = "decrement"
    """Both lose the smaller quantity; nothing trades."""


class LocalCode(StrEnum):
    """Why the local book refuses. Stable: clients and records know these words."""

    NO_ID = "no_id"
    OTHER_INSTRUMENT = "other_instrument"
    PRE_OPEN = "pre_open"
    """Before the opening only orders with a limit price are taken, and only to rest."""
    HALTED = "halted"
    CLOSED = "closed"
    DUPLICATE_ID = "duplicate_id"
    """It rests, or was among the last that ended."""
    CONTRADICTORY = "contradictory"
    """Post-only, yet not to rest."""
    NOT_POSITIVE = "not_positive"
    OFF_LOT = "off_lot"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    OFF_TICK = "off_tick"
    OUTSIDE_BAND = "outside_band"
    BELOW_NOTIONAL = "below_notional"
    NO_PRICE = "no_price"
    """An order without a limit price, and nothing on the other side to bound it by."""
    WOULD_TRADE = "would_trade"
    """Post-only, yet its price is reached by the other side."""
    UNKNOWN_ORDER = "unknown_order"
    UNCHANGED = "unchanged"
    """An amendment to what it is already."""
    BAD_RULES = "bad_rules"


class LocalReason(StrEnum):
    """Why an order left or was reduced, where it was not a client or an operator who gave a reason of their own; an
    order whose price or quantity new rules do not know leaves with the LocalCode of that."""

    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    """What an immediate order, or one without a limit price, could not fill."""
    SELF_TRADE = "self_trade"
    AMENDED = "amended"


@dataclass(frozen=True, slots=True)
class TickBand:
    """From this price on (inclusive), prices are multiples of `tick`. It begins at one."""

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


@dataclass(slots=True)
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


@dataclass(slots=True)
class RestingOrder:
    """An order as it stands in the local book: `quantity` is what is left of it. Its place in the queue of its price is
    by `priority_ns`, then by `sequence`, both of the Rested that gave it the place."""

    order_id: str
    account: str
    side: Side
    price: Price
    quantity: Quantity
    priority_ns: int
    sequence: int
    post_only: bool = False
    self_trade: SelfTrade | None = None


@dataclass(slots=True)
class Entered:
    """The order was taken on. `remaining` is what will try to trade, at no worse a price than `bound_price`: its limit,
    or what bounds an order without one. Said again when an amendment makes it lose its place; from then until it is
    Rested it does not stand in the book."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    remaining: Quantity
    bound_price: Price


@dataclass(slots=True)
class Refused:
    """The order, the cancel or the amendment changed nothing. `code` is stable, see LocalCode; `order_id` is empty when
    rules were refused."""

    sequence: int
    at_ns: int
    order_id: str
    code: str
    detail: str


@dataclass(slots=True)
class Rested:
    """The order stands in the book with this quantity; its place in the queue of its price is by `priority_ns`, then
    by sequence. Said again when it loses its place."""

    sequence: int
    at_ns: int
    order_id: str
    account: str
    instrument: Instrument
    side: Side
    price: Price
    quantity: Quantity
    priority_ns: int


@dataclass(slots=True)
class Traded:
    """Two orders traded, at the price of the one that rested (in an auction, where the one that came first counts as
    the maker, at the auction's)."""

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


@dataclass(slots=True)
class Reduced:
    """Less of it is left in the book, and it keeps its place: an amendment, or a self-trade that was decremented."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    remaining: Quantity
    reason: str


@dataclass(slots=True)
class Left:
    """The order is over, and so much was left of it: nothing when it was filled, else it was canceled, expired, or
    prevented from self-trade."""

    sequence: int
    at_ns: int
    order_id: str
    instrument: Instrument
    unfilled: Quantity
    reason: str


@dataclass(slots=True)
class StateChanged:
    sequence: int
    at_ns: int
    instrument: Instrument
    before: BookState
    after: BookState
    reason: str


LocalEvent = Entered | Refused | Rested | Traded | Reduced | Left | StateChanged
