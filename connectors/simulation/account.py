"""An account at a simulated venue: its balances, its orders, and what the venue tells of them.

1. An order is refused on the spot for what its listing, its id or the balances say, and leaves no trace then.
2. What it may cost is held: at the limit price for a buy, the base asset for a sell. The hold shrinks with its fills.
3. What it can take it takes at the prices that rest in the book, as a taker.
4. The rest of a GTC or post-only order waits. Once the best of the other side reaches its price, it takes what the book
   offers there or better, but at its own price, as a maker. Better prices have the first turn, then older orders.
5. Waiting orders are not in the venue's published book, and two of them never meet.
6. The fee is part of the asset that is received. A fraction that cannot be written is charged in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from aggregator.domain.instrument import Listing, Side
from connectors.simulation.balances import Balances, assets_of, cost_of, starting_balances
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange

FIRST_ORDER_ID, FIRST_FILL_ID = 7_000_000_001, 300_000_001
"""Far apart, so that none can pass for the other."""

REJECTED_AFTER_NS = 20_000_000


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
    def remaining(self) -> int:
        return self.quantity - self.filled

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
    at first (PENDING, which nobody is told), and are looked at that much later. `balances` are decimals by asset; by
    default there is plenty of everything that is listed. Times are ns by the venue's clock, and the exchange has been
    advanced to them. After any call `wake_at_ns` is to be asked again; `advance` does what is due, and fills resting
    orders that the book has come to.
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
        self._exchange = exchange
        owned = starting_balances(exchange) if balances is None else balances
        self._balances = Balances(dict.fromkeys(assets_of(exchange), "0") | dict(owned))
        self._unique_ids = unique_ids
        self._acts_after_ns = acts_after_ns
        self._order_ids, self._fill_ids = count(FIRST_ORDER_ID), count(FIRST_FILL_ID)
        self._orders: dict[int, SimulatedOrder] = {}
        self._open: dict[int, SimulatedOrder] = {}
        self._by_client_id: dict[str, list[SimulatedOrder]] = {}
        self._fills: list[SimulatedFill] = []
        self._fills_of: dict[int, list[SimulatedFill]] = {}
        self._happenings: list[Happening] = []
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        """By true time, so that a clock that jumps moves nothing."""
        self._due_ever = count()
        self._hidden, self._doomed = set[int](), set[int]()
        self._reject_next: str | None = None
        self._hold_next_ns = 0

    def place(
        self, symbol: str, side: Side, price: int, quantity: int, terms: Terms, client_id: str, now_ns: int
    ) -> SimulatedOrder:
        """Take an order on. Raises OrderRefused for one that the venue would refuse on the spot: one that was taken on
        under the same id comes with it."""
        is_rejected, held_ns = self._reject_next in ("", symbol), self._hold_next_ns
        self._reject_next, self._hold_next_ns = None if is_rejected else self._reject_next, 0
        self.advance(now_ns)
        order = SimulatedOrder(0, client_id, symbol, side, price, quantity, terms, now_ns, now_ns)
        self._admit(order)
        wait_ns = held_ns or self._acts_after_ns
        if not wait_ns and terms is Terms.POST_ONLY and self._offered(order):
            raise OrderRefused(Refusal.WOULD_TAKE, f"{symbol}: the order's limit reaches the best price")
        self._take_on(order)
        if is_rejected:
            self._doomed.add(order.order_id)
        if held_ns:
            self._hidden.add(order.order_id)
        self._after(wait_ns, now_ns, partial(self._look_at, order))
        return order

    def cancel(self, order_id: int, now_ns: int) -> SimulatedOrder:
        """Raises OrderRefused (UNKNOWN_ORDER, ALREADY_ENDED, the latter with the order)."""
        self.advance(now_ns)
        order = self.find(order_id)
        if order is None:
            raise OrderRefused(Refusal.UNKNOWN_ORDER, f"there is no order {order_id}")
        if not order.is_open:
            raise OrderRefused(Refusal.ALREADY_ENDED, f"order {order_id} is {order.status}", order)
        self._after(self._acts_after_ns, now_ns, partial(self._end, order, Status.CANCELED, None))
        return order

    def find(self, order_id: int) -> SimulatedOrder | None:
        return None if order_id in self._hidden else self._orders.get(order_id)

    def find_client(self, client_id: str) -> SimulatedOrder | None:
        """The newest of that client id."""
        known = self._by_client_id.get(client_id, ())
        return next((order for order in reversed(known) if order.order_id not in self._hidden), None)

    def open_orders(self, symbol: str | None = None) -> list[SimulatedOrder]:
        """Oldest first."""
        return self._shown(self._open, symbol)

    def all_orders(self, symbol: str | None = None) -> list[SimulatedOrder]:
        """Oldest first, and the ended ones with them."""
        return self._shown(self._orders, symbol)

    def fills(self, order_id: int | None = None, symbol: str | None = None, since_ns: int = 0) -> list[SimulatedFill]:
        """Oldest first."""
        fills = self._fills if order_id is None else self._fills_of.get(order_id, [])
        return [fill for fill in fills if symbol in (None, fill.symbol) and fill.time_ns >= since_ns]

    def balances(self) -> dict[str, tuple[int, int]]:
        """Free and held, by asset, on ASSET_DECIMALS."""
        return self._balances.all()

    def transfer(self, asset: str, change: int) -> None:
        """Pay in, or out if it is negative, on ASSET_DECIMALS. Raises ValueError for more than is free."""
        self._balances.receive(asset, change)

    def advance(self, now_ns: int) -> None:
        while self._due and self._due[0][0] <= now_ns - self._exchange.clock_offset_ns:
            due_ns, _, act = heappop(self._due)
            act(due_ns + self._exchange.clock_offset_ns)
        for order in sorted(self._open.values(), key=_turn):
            if order.status is Status.OPEN and order.order_id not in self._doomed:
                self._rest(order, now_ns)

    def wake_at_ns(self) -> int:
        """When something is due; resting orders have to be advanced with the exchange besides."""
        return self._due[0][0] + self._exchange.clock_offset_ns if self._due else NEVER_NS

    def take_happenings(self) -> list[Happening]:
        """What has happened since the last call, in its order; each order as it was then."""
        happenings, self._happenings = self._happenings, []
        return happenings

    def took_part(self) -> bool:
        """Whether happenings wait to be taken."""
        return bool(self._happenings)

    def reject_next(self, symbol: str = "") -> None:
        """The next order for this symbol, or for any, is accepted (OPEN, with an id), and rejected REJECTED_AFTER_NS
        later with nothing filled."""
        self._reject_next = symbol

    def hold_next(self, ns: int) -> None:
        """The next order is received, and what it may cost is held; but it is only looked at, and found by those who
        ask, after `ns`."""
        self._hold_next_ns = ns

    def spare_next(self) -> None:
        """Neither reject nor hold the next order."""
        self._reject_next, self._hold_next_ns = None, 0

    def _shown(self, orders: Mapping[int, SimulatedOrder], symbol: str | None) -> list[SimulatedOrder]:
        chosen = (order for order in orders.values() if symbol in (None, order.symbol))
        return [order for order in chosen if order.order_id not in self._hidden]

    def _admit(self, order: SimulatedOrder) -> None:
        """Rule 1."""
        if order.symbol not in self._exchange:
            raise OrderRefused(Refusal.UNKNOWN_SYMBOL, f"{order.symbol!r} is not listed on {self._exchange.name}")
        _keep_rules(order, self._exchange.listing(order.symbol))
        namesakes = self._by_client_id.get(order.client_id, ()) if order.client_id else ()
        for known in reversed(namesakes):
            if self._unique_ids is UniqueIds.EVER or (self._unique_ids is UniqueIds.OPEN and known.is_open):
                raise OrderRefused(Refusal.DUPLICATE_ID, f"there is an order of the id {order.client_id!r}", known)
        asset, money = self._cost(order)
        if not self._balances.can_hold(asset, money):
            raise OrderRefused(Refusal.INSUFFICIENT, f"too little {asset} is free")

    def _take_on(self, order: SimulatedOrder) -> None:
        order.order_id = next(self._order_ids)
        self._balances.hold(*self._cost(order))
        self._orders[order.order_id] = self._open[order.order_id] = order
        self._by_client_id.setdefault(order.client_id, []).append(order)

    def _look_at(self, order: SimulatedOrder, at_ns: int) -> None:
        """What the venue's matching does with a new order, unless that was canceled before its turn."""
        self._hidden.discard(order.order_id)
        if not order.is_open:
            return
        if not self._exchange.listing(order.symbol).tradable:
            self._end(order, Status.REJECTED, Refusal.NOT_TRADABLE, at_ns)
        elif order.order_id in self._doomed:
            self._open_up(order, at_ns)
            self._after(REJECTED_AFTER_NS, at_ns, partial(self._end, order, Status.REJECTED, Refusal.BY_FAULT))
        elif order.terms is Terms.POST_ONLY and self._offered(order):
            self._end(order, Status.REJECTED, Refusal.WOULD_TAKE, at_ns)
        else:
            self._open_up(order, at_ns)
            self._match(order, at_ns)

    def _open_up(self, order: SimulatedOrder, at_ns: int) -> None:
        order.status, order.updated_ns = Status.OPEN, at_ns
        self._tell(order, None, at_ns)

    def _match(self, order: SimulatedOrder, at_ns: int) -> None:
        """Rule 3."""
        if order.terms is not Terms.FOK or self._offered(order) >= order.quantity:
            for price, quantity in self._exchange.take(order.symbol, order.side, order.quantity, order.price):
                self._fill(order, price, quantity, False, at_ns)
        if order.terms in (Terms.IOC, Terms.FOK):
            self._end(order, Status.EXPIRED, None, at_ns)

    def _rest(self, order: SimulatedOrder, at_ns: int) -> None:
        """Rule 4."""
        if self._exchange.listing(order.symbol).tradable and self._offered(order):
            taken = self._exchange.take(order.symbol, order.side, order.remaining, order.price)
            self._fill(order, order.price, sum(quantity for _, quantity in taken), True, at_ns)

    def _fill(self, order: SimulatedOrder, price: int, quantity: int, is_maker: bool, at_ns: int) -> None:
        listing = self._exchange.listing(order.symbol)
        asset, fee = self._balances.settle(listing, order.side, order.price, price, quantity, is_maker)
        order.filled += quantity
        order.notional += price * quantity
        order.fees[asset] = order.fees.get(asset, 0) + fee
        order.updated_ns = at_ns
        fill = SimulatedFill(
            next(self._fill_ids), order.order_id, order.client_id, order.symbol, order.side, price, quantity, fee,
            asset, is_maker, at_ns,
        )  # fmt: skip
        self._fills.append(fill)
        self._fills_of.setdefault(order.order_id, []).append(fill)
        if not order.remaining:
            order.status = Status.FILLED
            del self._open[order.order_id]
        self._tell(order, fill, at_ns)

    def _end(self, order: SimulatedOrder, status: Status, refusal: Refusal | None, at_ns: int) -> None:
        """Unless it has ended already."""
        if not order.is_open:
            return
        self._balances.release(*self._cost(order))
        order.status, order.refusal, order.updated_ns = status, refusal, at_ns
        del self._open[order.order_id]
        self._tell(order, None, at_ns)

    def _cost(self, order: SimulatedOrder) -> tuple[str, int]:
        """Rule 2: the asset, and how much of it what remains of the order may cost."""
        return cost_of(self._exchange.listing(order.symbol).instrument, order.side, order.price, order.remaining)

    def _offered(self, order: SimulatedOrder) -> int:
        return self._exchange.offered(order.symbol, order.side, order.price)

    def _after(self, wait_ns: int, now_ns: int, act: Callable[[int], None]) -> None:
        if wait_ns:
            heappush(self._due, (now_ns + wait_ns - self._exchange.clock_offset_ns, next(self._due_ever), act))
        else:
            act(now_ns)

    def _tell(self, order: SimulatedOrder, fill: SimulatedFill | None, at_ns: int) -> None:
        self._happenings.append(Happening(replace(order, fees=dict(order.fees)), fill, at_ns))


def _keep_rules(order: SimulatedOrder, listing: Listing) -> None:
    """Raises OrderRefused for an order that the listing's rules forbid."""
    instrument = listing.instrument
    price, quantity = instrument.show_price(order.price), instrument.show_quantity(order.quantity)
    if not listing.tradable:
        raise OrderRefused(Refusal.NOT_TRADABLE, f"{order.symbol} is not traded")
    if order.price <= 0 or order.price % listing.tick:
        tick = instrument.show_price(listing.tick)
        raise OrderRefused(Refusal.BAD_PRICE, f"{order.symbol}: a price of {price} is on no tick of {tick}")
    if order.quantity <= 0 or order.quantity % listing.lot:
        lot = instrument.show_quantity(listing.lot)
        raise OrderRefused(Refusal.BAD_QUANTITY, f"{order.symbol}: a quantity of {quantity} is not in lots of {lot}")
    if order.quantity < listing.minimum_quantity:
        least = instrument.show_quantity(listing.minimum_quantity)
        raise OrderRefused(Refusal.TOO_SMALL, f"{order.symbol}: a quantity of {quantity} is under {least}")
    if order.price * order.quantity < listing.minimum_notional:
        least = instrument.show_notional(listing.minimum_notional)
        raise OrderRefused(Refusal.TOO_SMALL, f"{order.symbol}: {quantity} at {price} is worth less than {least}")


def _turn(order: SimulatedOrder) -> tuple[int, int]:
    """Whose turn it is among resting orders: better prices first, then older ones."""
    return (-order.price if order.side is Side.BUY else order.price), order.order_id
