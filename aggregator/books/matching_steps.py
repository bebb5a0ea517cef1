"""What can happen to the orders of a local book, step by step, each step with its events."""

from __future__ import annotations

from aggregator.books.auction import clearing_price, own_crossings
from aggregator.books.matching_queues import Queues
from aggregator.books.matching_rules import Acceptance, Refusal
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.local import (
    Entered,
    Left,
    LocalEvent,
    LocalReason,
    Reduced,
    Refused,
    Rested,
    RestingOrder,
    SelfTrade,
    Traded,
)

ENDED_AT_LEAST = 4096
"""How many ids of orders that ended are kept, and up to twice as many, to refuse them if they come again; the oldest are
forgotten first. Ids are unique by how they are made, so this only has to catch what is sent twice."""


# To look a member up through its enum costs as much as to make an event.
BUY = Side.BUY
FILLED, SELF_TRADE = LocalReason.FILLED.value, LocalReason.SELF_TRADE.value


class Steps:
    """Both sides' queues, the orders by id, and the events of the request that is being carried out.

    An order that stands in a queue is in `orders`; one that is on its way in, or was taken out to be amended, is not.
    An order that has left has a quantity of 0.
    """

    __slots__ = (
        "acceptance", "asks", "at_ns", "bids", "ended", "ended_before", "events", "instrument", "last_price", "orders", "sequence",
    )  # fmt: skip

    def __init__(self, acceptance: Acceptance) -> None:
        self.acceptance = acceptance
        self.instrument: Instrument = acceptance.rules.instrument
        self.bids, self.asks = Queues(Side.BUY), Queues(Side.SELL)
        self.orders: dict[str, RestingOrder] = {}
        self.ended: dict[str, None] = {}
        self.ended_before: dict[str, None] = {}
        self.sequence = 0
        self.at_ns = 0
        self.last_price: int | None = None
        self.events: list[LocalEvent] = []

    def begin(self, at_ns: int) -> None:
        """A new request, that came at this time. Clocks are set back now and then; places in a queue are not."""
        self.events = []
        self.at_ns = at_ns if at_ns > self.at_ns else self.at_ns

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    def own(self, side: Side) -> Queues:
        return self.bids if side is BUY else self.asks

    def opposite(self, side: Side) -> Queues:
        return self.asks if side is BUY else self.bids

    def refuse(self, order_id: str, refusal: Refusal) -> None:
        self.events.append(Refused(self.next_sequence(), self.at_ns, order_id, refusal.code, refusal.detail))

    def enter(self, order: RestingOrder) -> None:
        """The order is on its way in: it stands in no queue."""
        self.sequence += 1
        self.events.append(
            Entered(self.sequence, self.at_ns, order.order_id, self.instrument, order.quantity, order.price)
        )

    def rest(self, order: RestingOrder) -> None:
        """Stand behind all others of its price."""
        self.sequence += 1
        order.priority_ns, order.sequence = self.at_ns, self.sequence
        self.orders[order.order_id] = order
        (self.bids if order.side is BUY else self.asks).append(order)
        self.events.append(
            Rested(
                self.sequence,
                self.at_ns,
                order.order_id,
                order.account,
                self.instrument,
                order.side,
                order.price,
                order.quantity,
                self.at_ns,
            )
        )

    def take_out(self, order: RestingOrder) -> None:
        """Let it stand in no queue any more, without having left."""
        del self.orders[order.order_id]
        self.own(order.side).remove(order)

    def reduce(self, order: RestingOrder, quantity: int, reason: str) -> None:
        """Leave it this quantity, which is less than what it has, and its place."""
        order.quantity = quantity
        self.events.append(Reduced(self.next_sequence(), self.at_ns, order.order_id, self.instrument, quantity, reason))

    def leave(self, order: RestingOrder, reason: str) -> None:
        """The order is over."""
        order_id = order.order_id
        if self.orders.pop(order_id, None) is not None:
            self.own(order.side).remove(order)
        self.ended[order_id] = None
        if len(self.ended) == ENDED_AT_LEAST:
            self.ended_before, self.ended = self.ended, {}
        self.sequence += 1
        self.events.append(Left(self.sequence, self.at_ns, order_id, self.instrument, order.quantity, reason))
        order.quantity = 0

    def match(self, taker: RestingOrder) -> None:
        """Let an order trade with all that it reaches, best first."""
        makers = self.asks if taker.side is BUY else self.bids
        while taker.quantity and makers.reaches(taker.price):
            maker = makers.first()
            if maker.account == taker.account:
                self._prevent(maker, taker)
            else:
                self._trade(maker, taker, maker.price, is_auction=False)

    def market_bound(self, side: Side) -> int:
        """The worst price for an order without one, which is only taken on while the other side has a best."""
        best = self.opposite(side).best
        if best is None:
            raise BrokenInvariant(f"local book: a {side} order without a limit price, and nothing to bound it by")
        return self.acceptance.market_bound(best, side is BUY)

    def can_fill(self, taker: RestingOrder) -> bool:
        """Whether all of it would trade, as if it were matched now."""
        makers = self.opposite(taker.side)
        wanted, bound = taker.quantity, taker.price * makers.sign
        for maker in makers:
            if maker.price * makers.sign < bound:
                return False
            if maker.account != taker.account:
                wanted -= maker.quantity
            elif self._self_trade_of(taker) is not SelfTrade.CANCEL_OLDEST:
                return False  # every other way takes something from the taker that is then not filled
            if wanted <= 0:
                return True
        return False

    def auction(self) -> None:
        """Let everything that can trade do so at one price. Orders of one account that reach each other are prevented
        before, so that the price is found without them."""
        for oldest, newest in own_crossings(self.bids, self.asks):
            self._prevent(oldest, newest)
        rules = self.acceptance.rules
        price = clearing_price(self.bids.levels(), self.asks.levels(), rules.reference_price, self.acceptance.ticks)
        if price is None:
            return
        while self.bids.reaches(price) and self.asks.reaches(price):
            first, second = sorted((self.bids.first(), self.asks.first()), key=lambda order: order.sequence)
            self._trade(first, second, price, is_auction=True)

    def _trade(self, maker: RestingOrder, taker: RestingOrder, price: int, is_auction: bool) -> None:
        quantity = min(maker.quantity, taker.quantity)
        maker.quantity -= quantity
        taker.quantity -= quantity
        self.last_price = price
        self.sequence += 1
        self.events.append(
            Traded(
                self.sequence,
                self.at_ns,
                self.instrument,
                maker.order_id,
                taker.order_id,
                maker.account,
                taker.account,
                taker.side,
                price,
                quantity,
                maker.quantity,
                taker.quantity,
                is_auction,
            )
        )
        if not maker.quantity:
            self.leave(maker, FILLED)
        if not taker.quantity:
            self.leave(taker, FILLED)

    def _self_trade_of(self, order: RestingOrder) -> SelfTrade:
        return order.self_trade or self.acceptance.rules.self_trade

    def _prevent(self, oldest: RestingOrder, newest: RestingOrder) -> None:
        """Take quantity from one or both of two orders of one account, so that they do not trade."""
        way = self._self_trade_of(newest)
        if way is SelfTrade.DECREMENT:
            both_lose = min(oldest.quantity, newest.quantity)
            for order in (oldest, newest):
                if order.quantity > both_lose:
                    self.reduce(order, order.quantity - both_lose, SELF_TRADE)
                else:
                    self.leave(order, SELF_TRADE)
            return
        if way is not SelfTrade.CANCEL_NEWEST:
            self.leave(oldest, SELF_TRADE)
        if way is not SelfTrade.CANCEL_OLDEST:
            self.leave(newest, SELF_TRADE)
