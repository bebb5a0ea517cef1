"""Orders: what a client asks for (the parent), what is sent to a venue for it (its children), and what was filled.

Prices and quantities are on the scales of the order's instrument; money by asset (balances, fees) is on
ASSET_DECIMALS, where a notional of any instrument is exact. The annotations say which, for whoever writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Annotated, Any

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.lifecycle import ENDED_STATES, ChildState
from aggregator.domain.numbers import MAX_DECIMALS, POWERS
from aggregator.domain.plan import NET_ONE, Rate

ASSET_DECIMALS = 2 * MAX_DECIMALS
"""Scale of balances and fees, whatever the asset."""


class Scale(Enum):
    """On which scale an integer is written down."""

    PRICE = auto()
    QUANTITY = auto()
    NOTIONAL = auto()
    ASSET = auto()


Price = Annotated[int, Scale.PRICE]
Quantity = Annotated[int, Scale.QUANTITY]
Notional = Annotated[int, Scale.NOTIONAL]
Money = Annotated[int, Scale.ASSET]


def base_money(instrument: Instrument, quantity: int) -> int:
    """A quantity as money in the base asset."""
    return quantity * POWERS[ASSET_DECIMALS - instrument.quantity_decimals]


def quote_money(instrument: Instrument, notional: int) -> int:
    """A notional as money in the quote asset."""
    return notional * POWERS[ASSET_DECIMALS - instrument.price_decimals - instrument.quantity_decimals]


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderType(StrEnum):
    MARKET = "market"
    """Within a bound from the best price that the policy sets; never without one."""
    LIMIT = "limit"


class Liquidity(StrEnum):
    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What a client asks for. `client_order_id` is unique within the account, for ever. Without `venues` all may be
    used. `medium` says how it came: api, page, operator."""

    account: str
    client_order_id: str
    instrument: Instrument
    side: Side
    type: OrderType
    quantity: Quantity
    limit_price: Price | None = None
    time_in_force: TimeInForce = TimeInForce.IOC
    post_only: bool = False
    venues: tuple[str, ...] | None = None
    strategy: str = ""
    medium: str = "api"


@dataclass(frozen=True, slots=True)
class ChildTerms:
    """One order to one venue. `child_id` is the client order id that the venue is told: its parent's id, `-`, and the
    slice in base 36; 20 characters of [a-z0-9-], unique for ever.

    `instrument` is what is traded at the venue. Where it is in another quote than the parent's, `rate` turns it into
    that: the rate of the plan, at which fills are passed on to the client.
    """

    child_id: str
    order_id: str
    venue: str
    symbol: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    limit_price: Price
    time_in_force: TimeInForce
    post_only: bool = False
    rate: Rate | None = None

    def turned(self, spent: int) -> int:
        """What is paid here (received, when negative) in the parent's quote, rounded against the client."""
        return spent if self.rate is None else -(-spent * self.rate.value // NET_ONE)


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of ours, as the venue tells it. `fill_id` is the venue's, and counts once."""

    venue: str
    child_id: str
    instrument: Instrument
    fill_id: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Money
    fee_asset: str
    liquidity: Liquidity
    venue_time_ns: int
    received_ns: int

    @property
    def notional(self) -> int:
        return self.price * self.quantity


@dataclass(slots=True)
class ChildOrder:
    """A child and what is known of it.

    `executed` is the most that the venue has said is filled, `filled` what our own fills come to: they agree when
    the child has ended. `venue_word` is the venue's own last word on it, `reason` why it is as it is. `since_ns` is
    when it came into its state, `sent_ns` when it left. `misses` counts agreeing answers that there is no such order.
    """

    terms: ChildTerms
    sent_ns: int
    state: ChildState = ChildState.SUBMITTED
    since_ns: int = 0
    venue_order_id: str = ""
    venue_word: str = ""
    reason: str = ""
    executed: Quantity = 0
    filled: Quantity = 0
    fills: dict[str, Fill] = field(default_factory=dict)
    is_cancel_wanted: bool = False
    is_cancel_sent: bool = False
    asks: int = 0
    misses: int = 0
    ask_at_ns: int = 0

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def reserved(self) -> int:
        """The quantity that this child may still fill."""
        return 0 if self.has_ended else self.terms.quantity - self.filled


class ParentState(StrEnum):
    WORKING = "working"
    CANCELING = "canceling"
    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    """Ended, with a part filled."""
    UNFILLED = "unfilled"
    """Ended, with nothing filled."""
    REJECTED = "rejected"
    """Never taken on: the reason says why."""


@dataclass(slots=True)
class ParentOrder:
    """A client's order and what became of it. `bound_price` is the worst price that any of its children may have.

    `quantity` and `limit_price` are the present ones: amendments change them. `notional` and `fees` are what the client
    pays and gets: of children in another quote they are turned into the order's. `plans` are documents of every plan
    that was made for it, the first one first; `reason` says why it ended as it did, or why it was rejected.
    """

    order_id: str
    terms: OrderTerms
    received_ns: int
    quantity: Quantity
    limit_price: Price | None
    state: ParentState = ParentState.WORKING
    code: str = ""
    reason: str = ""
    updated_ns: int = 0
    bound_price: Price | None = None
    arrival_mid: Price | None = None
    plans: list[dict[str, Any]] = field(default_factory=list)
    children: dict[str, ChildOrder] = field(default_factory=dict)
    filled: Quantity = 0
    notional: Notional = 0
    fees: dict[str, Money] = field(default_factory=dict)
    rounds: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in (ParentState.WORKING, ParentState.CANCELING)

    @property
    def live_children(self) -> list[ChildOrder]:
        return [child for child in self.children.values() if not child.has_ended]

    @property
    def reserved(self) -> int:
        return sum(child.reserved for child in self.children.values())

    @property
    def remaining(self) -> int:
        """What is neither filled nor with a venue that may fill it."""
        return max(0, self.quantity - self.filled - self.reserved)
