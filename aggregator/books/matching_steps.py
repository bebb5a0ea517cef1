"""What can happen to the orders of a local book, step by step, each step with its events."""

from __future__ import annotations

from operator import attrgetter

from aggregator.books.auction import clearing_price, own_crossings
from aggregator.books.matching_queues import Queues, Standing
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
    SelfTrade,
    Traded,
)

ENDED_AT_LEAST = 4096
"""How many ids of orders that ended are kept, and up to twice as many, to refuse them if they come again; the oldest
are forgotten first. Ids are unique by how they are made, so this only has to catch what is sent twice."""

# To look a member up through its enum costs as much as to make an event.
BUY = Side.BUY
FILLED, SELF_TRADE = LocalReason.FILLED.value, LocalReason.SELF_TRADE.value


class Steps:
    """Both sides' queues, the orders by id, and the events of the request that is being carried out.

    An order that stands in a queue is in `orders`; one that is on its way in, or was taken out to be amended, is not.
    An order that has left has a quantity of 0; `ended` has the ids of the last of those, `ended_before` of some before.
    """

    __slots__ = (
        "acceptance", "asks", "at_ns", "bids", "ended", "ended_before", "events", "instrument", "last_price", "orders",
        "sequence",
    )  # fmt: skip

    def __init__(self, acceptance: Acceptance) -> None:
        self.acceptance = acceptance
        self.instrument: Instrument = acceptance.rules.instrument
        self.bids, self.asks = Queues(Side.BUY), Queues(Side.SELL)
        self.orders: dict[str, Standing] = {}
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

    def enter(self, one: Standing) -> None:
        """The order is on its way in: it stands in no queue."""
        self.sequence += 1
        self.events.append(
            Entered(self.sequence, self.at_ns, one.order.order_id, self.instrument, one.quantity, one.price)
        )

    def rest(self, one: Standing) -> None:
        """Stand behind all others of its price."""
        order, at_ns = one.order, self.at_ns
        self.sequence = sequence = self.sequence + 1
        one.priority_ns, one.sequence = at_ns, sequence
        self.orders[order.order_id] = one
        (self.bids if order.side is BUY else self.asks).append(one)
        self.events.append(
            Rested(
                sequence,
                at_ns,
                order.order_id,
                order.account,
                self.instrument,
                order.side,
                one.price,
                one.quantity,
                at_ns,
            )
        )

    def take_out(self, one: Standing) -> None:
        """Let it stand in no queue any more, without having left."""
        del self.orders[one.order.order_id]
        self.own(one.order.side).remove(one)

    def reduce(self, one: Standing, quantity: int, reason: str) -> None:
        """Leave it this quantity, which is less than what it has, and its place."""
        one.quantity = quantity
        order_id = one.order.order_id
        self.events.append(Reduced(self.next_sequence(), self.at_ns, order_id, self.instrument, quantity, reason))

    def leave(self, one: Standing, reason: str) -> None:
        """The order is over."""
        order_id = one.order.order_id
        if self.orders.pop(order_id, None) is not None:
            (self.bids if one.order.side is BUY else self.asks).remove(one)
        ended = self.ended
        ended[order_id] = None
        if len(ended) == ENDED_AT_LEAST:
            self.ended_before, self.ended = ended, {}
        self.sequence += 1
        self.events.append(Left(self.sequence, self.at_ns, order_id, self.instrument, one.quantity, reason))
        one.quantity = 0

    def match(self, taker: Standing) -> None:
        """Let an order trade with all that it reaches, best first."""
        makers = self.asks if taker.order.side is BUY else self.bids
        ranks, bound = makers.ranks, taker.price * makers.sign
        while ranks and ranks[-1] >= bound and taker.quantity:
            maker = makers.first()
            if maker.order.account == taker.order.account:
                self._prevent(maker, taker)
            else:
                self._trade(maker, taker, maker.price, is_auction=False)

    def market_bound(self, side: Side) -> int:
        """The worst price for an order without one, which is only taken on while the other side has a best."""
        best = self.opposite(side).best
        if best is None:
            raise BrokenInvariant(f"local book: a {side} order without a limit price, and nothing to bound it by")
        return self.acceptance.market_bound(best, side is BUY)

    def can_fill(self, taker: Standing) -> bool:
        """Whether all of it would trade, if it were matched now."""
        makers = self.opposite(taker.order.side)
        wanted, bound = taker.quantity, taker.price * makers.sign
        for maker in makers:
            if maker.price * makers.sign < bound:
                return False
            if maker.order.account != taker.order.account:
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
            maker, taker = sorted((self.bids.first(), self.asks.first()), key=attrgetter("sequence"))
            self._trade(maker, taker, price, is_auction=True)

    def _trade(self, maker: Standing, taker: Standing, price: int, is_auction: bool) -> None:
        """As much as both have, and who has nothing left leaves."""
        quantity = min(maker.quantity, taker.quantity)
        maker.quantity -= quantity
        taker.quantity -= quantity
        self.last_price = price
        self.sequence += 1
        made, took = maker.order, taker.order
        self.events.append(
            Traded(
                self.sequence,
                self.at_ns,
                self.instrument,
                made.order_id,
                took.order_id,
                made.account,
                took.account,
                took.side,
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

    def _self_trade_of(self, one: Standing) -> SelfTrade:
        return one.order.self_trade or self.acceptance.rules.self_trade

    def _prevent(self, oldest: Standing, newest: Standing) -> None:
        """Take quantity from one or both of two orders of one account, so that they do not trade."""
        way = self._self_trade_of(newest)
        if way is SelfTrade.DECREMENT:
            both_lose = min(oldest.quantity, newest.quantity)
            for one in (oldest, newest):
                if one.quantity > both_lose:
                    self.reduce(one, one.quantity - both_lose, SELF_TRADE)
                else:
                    self.leave(one, SELF_TRADE)
            return
        if way is not SelfTrade.CANCEL_NEWEST:
            self.leave(oldest, SELF_TRADE)
        if way is not SelfTrade.CANCEL_OLDEST:
            self.leave(newest, SELF_TRADE)
