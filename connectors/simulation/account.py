"""An account at a simulated venue: its balances, its orders, and what the venue tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from aggregator.domain.instrument import Side
from connectors.simulation.exchange import SimulatedExchange


class Terms(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class Status(StrEnum):
    PENDING = "pending"
    """Received, not looked at yet."""
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    """By request."""
    EXPIRED = "expired"
    """What an immediate order left."""
    REJECTED = "rejected"


class Refusal(StrEnum):
    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_TRADABLE = "not_tradable"
    BAD_PRICE = "bad_price"
    BAD_QUANTITY = "bad_quantity"
    TOO_SMALL = "too_small"
    """Under the minimum quantity or notional."""
    INSUFFICIENT = "insufficient"
    DUPLICATE_ID = "duplicate_id"
    WOULD_TAKE = "would_take"
    """A post-only order that crosses."""
    UNKNOWN_ORDER = "unknown_order"
    ALREADY_ENDED = "already_ended"
    BY_FAULT = "by_fault"


class OrderRefused(Exception):
    """`order` where there is one all the same."""

    def __init__(self, refusal: Refusal, detail: str = "", order: SimulatedOrder | None = None) -> None:
        super().__init__(detail or refusal)
        self.refusal = refusal
        self.detail = detail
        self.order = order


class SimulatedFill(NamedTuple):
    """Prices and quantities on the instrument's scales, the fee on ASSET_DECIMALS in `fee_asset`."""

    fill_id: int
    order_id: int
    client_id: str
    symbol: str
    side: Side
    price: int
    quantity: int
    fee: int
    fee_asset: str
    is_maker: bool
    time_ns: int


@dataclass(slots=True)
class SimulatedOrder:
    """`notional` is the value of what is filled, on the scales of price and quantity together; `fees` by asset, on
    ASSET_DECIMALS. `refusal` says why it is rejected."""

    order_id: int
    client_id: str
    symbol: str
    side: Side
    price: int
    quantity: int
    terms: Terms
    created_ns: int
    updated_ns: int
    status: Status = Status.PENDING
    filled: int = 0
    notional: int = 0
    fees: dict[str, int] = field(default_factory=dict)
    refusal: Refusal | None = None

    @property
    def is_open(self) -> bool:
        return self.status in (Status.PENDING, Status.OPEN)


class Happening(NamedTuple):
    """Something to be told on private streams: the order as it was right after, and the fill that it is about, if it is
    about one."""

    order: SimulatedOrder
    fill: SimulatedFill | None
    at_ns: int


class UniqueIds(StrEnum):
    """Among which of the account's orders a client's id must be unique."""

    NEVER = "never"
    OPEN = "open"
    EVER = "ever"


class SimulatedAccount:
    """One account, whose orders trade against the exchange's books: what they take is gone, and the books grow back as
    they do after any trade.

    `key` and `secret` are what its requests must be signed with. `acts_after_ns`: orders and cancels are only received
    at first (PENDING), and are looked at that much later. `balances` are decimals by asset; by default there is
    plenty of everything that is listed. Times are ns by the venue's clock. After any call `wake_at_ns` is to be asked
    again; `advance` does what is due, and fills resting orders that the book has come to.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        key: str = "simulated-key",
        secret: str = "simulated-secret",
        *,
        balances: Mapping[str, str] | None = None,
        unique_ids: UniqueIds = UniqueIds.OPEN,
        acts_after_ns: int = 0,
    ) -> None:
        self.key = key
        self.secret = secret

    def place(
        self, symbol: str, side: Side, price: int, quantity: int, terms: Terms, client_id: str, now_ns: int
    ) -> SimulatedOrder:
        """Take an order on. Raises OrderRefused for one that the venue would refuse on the spot."""
        raise NotImplementedError

    def cancel(self, order_id: int, now_ns: int) -> SimulatedOrder:
        """Raises OrderRefused (UNKNOWN_ORDER, ALREADY_ENDED, the latter with the order)."""
        raise NotImplementedError

    def find(self, order_id: int) -> SimulatedOrder | None:
        raise NotImplementedError

    def find_client(self, client_id: str) -> SimulatedOrder | None:
        """The newest of that client id."""
        raise NotImplementedError

    def open_orders(self, symbol: str | None = None) -> list[SimulatedOrder]:
        """Oldest first."""
        raise NotImplementedError

    def fills(self, order_id: int | None = None, symbol: str | None = None, since_ns: int = 0) -> list[SimulatedFill]:
        """Oldest first."""
        raise NotImplementedError

    def balances(self) -> dict[str, tuple[int, int]]:
        """Free and held, by asset, on ASSET_DECIMALS."""
        raise NotImplementedError

    def advance(self, now_ns: int) -> None:
        raise NotImplementedError

    def wake_at_ns(self) -> int:
        raise NotImplementedError

    def take_happenings(self) -> list[Happening]:
        """What has happened since the last call, in its order; each order as it was then."""
        raise NotImplementedError

    def took_part(self) -> bool:
        """Whether happenings wait to be taken."""
        raise NotImplementedError
