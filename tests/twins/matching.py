"""The local book as one list, sorted anew on each step, each rule written out; and the book as its events tell it."""

from collections.abc import Iterable
from dataclasses import replace

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.local import (
    BookState,
    Entered,
    Left,
    LocalEvent,
    LocalOrder,
    LocalRules,
    Reduced,
    Refused,
    Rested,
    RestingOrder,
    SelfTrade,
    StateChanged,
    TickBand,
    Traded,
)
from aggregator.domain.order import TimeInForce


def sorted_side(orders: Iterable[RestingOrder], side: Side) -> list[RestingOrder]:
    """As they would trade: by price, then by time."""
    own = [order for order in orders if order.side is side]
    return sorted(own, key=lambda order: (-order.price if side is Side.BUY else order.price, order.sequence))


def summed(orders: Iterable[RestingOrder]) -> Levels:
    """Orders of one side, in order, as levels."""
    levels: dict[int, int] = {}
    for order in orders:
        levels[order.price] = levels.get(order.price, 0) + order.quantity
    return Levels(list(levels), list(levels.values()))


def reach(one: RestingOrder, other: RestingOrder) -> bool:
    """Whether two orders of different sides would trade."""
    bid, ask = (one, other) if one.side is Side.BUY else (other, one)
    return bid.price >= ask.price


class NaiveLocalBook:
    """See `aggregator.books.matching.LocalBook`. It remembers every id that it has seen."""

    def __init__(self, rules: LocalRules, state: BookState = BookState.CLOSED) -> None:
        self.rules, self.state = rules, state
        self.sequence = self.now_ns = 0
        self.last_price: int | None = None
        self.standing: list[RestingOrder] = []
        self.seen: set[str] = set()
        self.events: list[LocalEvent] = []

    def orders(self, side: Side) -> list[RestingOrder]:
        return [replace(order) for order in sorted_side(self.standing, side)]

    def order(self, order_id: str) -> RestingOrder | None:
        return next((replace(order) for order in self.standing if order.order_id == order_id), None)

    def levels(self, side: Side, depth: int | None = None) -> Levels:
        prices, quantities = summed(sorted_side(self.standing, side))
        return Levels(prices[:depth], quantities[:depth])

    def best(self, side: Side) -> int | None:
        return next((order.price for order in sorted_side(self.standing, side)), None)

    def place(self, order: LocalOrder) -> list[LocalEvent]:
        self._begin(order.received_ns)
        code = self._why_not_placed(order)
        if code:
            return self._refused(order.order_id, code)
        self.seen.add(order.order_id)
        price = self._bound(order.side) if order.limit_price is None else order.limit_price
        entering = RestingOrder(
            order.order_id, order.account, order.side, price, order.quantity, 0, 0, order.post_only, order.self_trade
        )
        self._tell(Entered, order.order_id, self.rules.instrument, order.quantity, price)
        if order.time_in_force is not TimeInForce.FOK or self._would_fill(entering):
            self._trade(entering)
        self._settle(entering, order.limit_price is not None and order.time_in_force is TimeInForce.GTC)
        return self.events

    def cancel(self, order_id: str, at_ns: int, reason: str = "canceled") -> list[LocalEvent]:
        self._begin(at_ns)
        for order in self.standing:
            if order.order_id == order_id:
                self._leave(order, reason)
                return self.events
        return self._refused(order_id, "unknown_order")

    def amend(self, order_id: str, quantity: int | None, limit_price: int | None, at_ns: int) -> list[LocalEvent]:
        self._begin(at_ns)
        order = next((order for order in self.standing if order.order_id == order_id), None)
        if order is None:
            return self._refused(order_id, "unknown_order")
        quantity = order.quantity if quantity is None else quantity
        price = order.price if limit_price is None else limit_price
        code = (
            "unchanged" if (quantity, price) == (order.quantity, order.price) else self._why_not_legal(quantity, price)
        )
        if not code and order.post_only and self._would_take(replace(order, price=price)):
            code = "would_trade"
        if self.state in (BookState.HALTED, BookState.CLOSED):
            code = self.state.value
        if code:
            return self._refused(order_id, code)
        if price == order.price and quantity < order.quantity:
            order.quantity = quantity
            self._tell(Reduced, order_id, self.rules.instrument, quantity, "amended")
            return self.events
        self.standing.remove(order)
        order.quantity, order.price = quantity, price
        self._tell(Entered, order_id, self.rules.instrument, quantity, price)
        self._trade(order)
        self._settle(order, rests=True)
        return self.events

    def turn(self, state: BookState, at_ns: int, reason: str) -> list[LocalEvent]:
        self._begin(at_ns)
        if state is not self.state:
            before, self.state = self.state, state
            self._tell(StateChanged, self.rules.instrument, before, state, reason)
            if state is BookState.OPEN:
                self._auction()
        return self.events

    def set_rules(self, rules: LocalRules, at_ns: int) -> list[LocalEvent]:
        self._begin(at_ns)
        self.rules = rules
        for order in sorted_side(self.standing, Side.BUY) + sorted_side(self.standing, Side.SELL):
            code = "off_lot" if order.quantity % rules.lot else self._why_no_price(order.price)
            if code:
                self._leave(order, code)
        return self.events

    def check(self) -> None:
        assert all(order.quantity > 0 for order in self.standing)

    def _begin(self, at_ns: int) -> None:
        self.now_ns = max(self.now_ns, at_ns)
        self.events = []

    def _tell(self, kind: type[LocalEvent], *told: object) -> None:
        self.sequence += 1
        self.events.append(kind(self.sequence, self.now_ns, *told))  # type: ignore[arg-type]

    def _refused(self, order_id: str, code: str) -> list[LocalEvent]:
        """Without the detail, which is for people."""
        self._tell(Refused, order_id, code, "")
        return self.events

    def _why_not_placed(self, order: LocalOrder) -> str:
        rests = order.limit_price is not None and order.time_in_force is TimeInForce.GTC
        if not order.order_id:
            return "no_id"
        if order.instrument != self.rules.instrument:
            return "other_instrument"
        if self.state is not BookState.OPEN and not (self.state is BookState.PRE_OPEN and rests):
            return self.state.value
        if order.order_id in self.seen:
            return "duplicate_id"
        if order.post_only and not rests:
            return "contradictory"
        if order.limit_price is not None:
            code = self._why_not_legal(order.quantity, order.limit_price)
            placed = RestingOrder(order.order_id, "", order.side, order.limit_price, order.quantity, 0, 0)
            return code or ("would_trade" if order.post_only and self._would_take(placed) else "")
        best = self.best(Side.SELL if order.side is Side.BUY else Side.BUY)
        if self._why_no_quantity(order.quantity) or best is None:
            return self._why_no_quantity(order.quantity) or "no_price"
        return "below_notional" if best * order.quantity < self.rules.minimum_notional else ""

    def _why_not_legal(self, quantity: int, price: int) -> str:
        code = self._why_no_quantity(quantity) or self._why_no_price(price)
        return code or ("below_notional" if price * quantity < self.rules.minimum_notional else "")

    def _why_no_quantity(self, quantity: int) -> str:
        if quantity <= 0:
            return "not_positive"
        if quantity > (self.rules.maximum_quantity or 10**38):
            return "above_maximum"
        if quantity % self.rules.lot:
            return "off_lot"
        return "below_minimum" if quantity < self.rules.minimum_quantity else ""

    def _why_no_price(self, price: int) -> str:
        if price <= 0:
            return "not_positive"
        if abs(price - self.rules.reference_price) * 10_000 > self.rules.reference_price * self.rules.price_band_bps:
            return "outside_band"
        return "off_tick" if price % self.rules.tick_at(price) else ""

    def _bound(self, side: Side) -> int:
        """Found by going away from the best price, one by one."""
        best = self.best(Side.SELL if side is Side.BUY else Side.BUY)
        assert best is not None
        bound, step = best, 1 if side is Side.BUY else -1
        while bound + step >= 0 and abs(bound + step - best) * 10_000 <= best * self.rules.market_bound_bps:
            bound += step
        return bound

    def _makers(self, taker: RestingOrder) -> list[RestingOrder]:
        other = Side.SELL if taker.side is Side.BUY else Side.BUY
        return [maker for maker in sorted_side(self.standing, other) if reach(taker, maker)]

    def _would_take(self, order: RestingOrder) -> bool:
        return self.state is BookState.OPEN and bool(self._makers(order))

    def _would_fill(self, taker: RestingOrder) -> bool:
        """Tried out on a book of its own."""
        trial = NaiveLocalBook(self.rules, self.state)
        trial.standing = [replace(order) for order in self.standing]
        trial._trade(replace(taker))
        filled = sum(event.quantity for event in trial.events if isinstance(event, Traded))
        return filled == taker.quantity

    def _trade(self, taker: RestingOrder) -> None:
        while self.state is BookState.OPEN and taker.quantity and self._makers(taker):
            maker = self._makers(taker)[0]
            if maker.account == taker.account:
                self._prevent(maker, taker)
            else:
                self._fill(maker, taker, maker.price)

    def _fill(self, maker: RestingOrder, taker: RestingOrder, price: int, is_auction: bool = False) -> None:
        quantity = min(maker.quantity, taker.quantity)
        maker.quantity -= quantity
        taker.quantity -= quantity
        ids = maker.order_id, taker.order_id, maker.account, taker.account
        left = maker.quantity, taker.quantity
        self._tell(Traded, self.rules.instrument, *ids, taker.side, price, quantity, *left, is_auction)
        self.last_price = price
        for order in (maker, taker):
            if not order.quantity:
                self._leave(order, "filled")

    def _prevent(self, oldest: RestingOrder, newest: RestingOrder) -> None:
        way = self.rules.self_trade if newest.self_trade is None else newest.self_trade
        both = oldest.quantity, newest.quantity
        if way is SelfTrade.DECREMENT:
            for order in (oldest, newest):
                if order.quantity == min(both):
                    self._leave(order, "self_trade")
                else:
                    order.quantity -= min(both)
                    self._tell(Reduced, order.order_id, self.rules.instrument, order.quantity, "self_trade")
        if way in (SelfTrade.CANCEL_OLDEST, SelfTrade.CANCEL_BOTH):
            self._leave(oldest, "self_trade")
        if way in (SelfTrade.CANCEL_NEWEST, SelfTrade.CANCEL_BOTH):
            self._leave(newest, "self_trade")

    def _settle(self, order: RestingOrder, rests: bool) -> None:
        if order.quantity and rests:
            order.priority_ns, order.sequence = self.now_ns, self.sequence + 1
            self.standing.append(order)
            told = order.side, order.price, order.quantity, self.now_ns
            self._tell(Rested, order.order_id, order.account, self.rules.instrument, *told)
        elif order.quantity:
            self._leave(order, "expired")

    def _leave(self, order: RestingOrder, reason: str) -> None:
        self._tell(Left, order.order_id, self.rules.instrument, order.quantity, reason)
        order.quantity = 0
        self.standing = [other for other in self.standing if other is not order]

    def _auction(self) -> None:
        for newest in sorted(self.standing, key=lambda order: order.sequence):
            own = [maker for maker in self._makers(newest) if maker.account == newest.account]
            for oldest in own:
                if newest.quantity and oldest.quantity and oldest.sequence < newest.sequence:
                    self._prevent(oldest, newest)
        price = self._clearing_price()
        while price is not None:
            bids = [order for order in sorted_side(self.standing, Side.BUY) if order.price >= price]
            asks = [order for order in sorted_side(self.standing, Side.SELL) if order.price <= price]
            if not bids or not asks:
                break
            maker, taker = sorted((bids[0], asks[0]), key=lambda order: order.sequence)
            self._fill(maker, taker, price, is_auction=True)

    def _clearing_price(self) -> int | None:
        """Found by trying every price from the best ask to the best bid."""
        bid, ask = self.best(Side.BUY), self.best(Side.SELL)
        if bid is None or ask is None or bid < ask:
            return None

        def worth(price: int) -> tuple[int, int, int, int]:
            bought = sum(order.quantity for order in self.orders(Side.BUY) if order.price >= price)
            sold = sum(order.quantity for order in self.orders(Side.SELL) if order.price <= price)
            return -min(bought, sold), abs(bought - sold), abs(price - self.rules.reference_price), price

        return min((price for price in range(ask, bid + 1) if price % self.rules.tick_at(price) == 0), key=worth)


class ToldBook:
    """Who stands where, by the events alone."""

    def __init__(self) -> None:
        self.standing: dict[str, RestingOrder] = {}
        self.sequence = 0

    def hear(self, event: LocalEvent) -> None:
        assert event.sequence == self.sequence + 1, "an event is missing"
        self.sequence = event.sequence
        match event:
            case Rested():
                place = event.price, event.quantity, event.priority_ns, event.sequence
                self.standing[event.order_id] = RestingOrder(event.order_id, event.account, event.side, *place)
            case Traded():
                self._set(event.maker_id, event.maker_remaining)
                self._set(event.taker_id, event.taker_remaining)
            case Reduced():
                self._set(event.order_id, event.remaining)
            case Entered() | Left():
                self.standing.pop(event.order_id, None)

    def orders(self, side: Side) -> list[RestingOrder]:
        return sorted_side(self.standing.values(), side)

    def levels(self, side: Side) -> Levels:
        return summed(self.orders(side))

    def _set(self, order_id: str, remaining: int) -> None:
        if order_id in self.standing:
            self.standing[order_id].quantity = remaining


BTC = Instrument("BTC/KRW", "BTC", "KRW", price_decimals=0, quantity_decimals=3)

PLAIN = LocalRules(
    BTC,
    ticks=(TickBand(BTC, 0, 1), TickBand(BTC, 110, 5)),
    lot=2,
    minimum_quantity=4,
    maximum_quantity=1000,
    minimum_notional=400,
    reference_price=100,
    price_band_bps=2000,
    market_bound_bps=500,
    fees=Fees(),
)
"""Prices from 80 to 120, on the tick of 1 below 110 and of 5 from there; quantities by twos, from 4 to 1000."""


def local_order(
    order_id: str,
    side: Side,
    quantity: int,
    limit_price: int | None,
    time_in_force: TimeInForce = TimeInForce.GTC,
    *,
    account: str = "",
    post_only: bool = False,
    self_trade: SelfTrade | None = None,
    received_ns: int = 1,
) -> LocalOrder:
    """An order for the book of BTC/KRW, from an account of its own unless one is named."""
    account = account or f"of {order_id}"
    return LocalOrder(
        order_id, account, BTC, side, quantity, limit_price, time_in_force, received_ns, post_only, self_trade
    )


def shown(events: Iterable[LocalEvent]) -> list[str]:
    """Events in few words; those that say that an order entered are left out."""
    return [text for event in events if (text := _shown(event))]


def _shown(event: LocalEvent) -> str:
    match event:
        case Rested():
            return f"{event.order_id} rests {event.quantity}@{event.price}"
        case Traded():
            return f"{event.taker_id} takes {event.quantity}@{event.price} of {event.maker_id}"
        case Reduced():
            return f"{event.order_id} reduced to {event.remaining}: {event.reason}"
        case Left():
            return f"{event.order_id} left {event.unfilled}: {event.reason}"
        case Refused():
            return f"{event.order_id} refused: {event.code}"
        case StateChanged():
            return f"{event.before} -> {event.after}: {event.reason}"
    return ""
