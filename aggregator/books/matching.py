"""The local book: what is placed in it trades by price, then by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aggregator.books.matching_queues import Standing
from aggregator.books.matching_refusals import UNKNOWN, amendment_refusal, placement_refusal
from aggregator.books.matching_rules import Acceptance, Refusal, fault_of
from aggregator.books.matching_steps import ENDED_AT_LEAST, Steps
from aggregator.domain.book import Levels
from aggregator.domain.documents import Document, from_document, to_document
from aggregator.domain.errors import BrokenInvariant, DocumentRefused
from aggregator.domain.instrument import Instrument, Instruments, Side
from aggregator.domain.local import (
    BookState,
    LocalCode,
    LocalEvent,
    LocalOrder,
    LocalReason,
    LocalRules,
    RestingOrder,
    StateChanged,
)
from aggregator.domain.order import Price, TimeInForce

# To look a member up through its enum costs as much as to make an event.
OPEN, FOK, GTC = BookState.OPEN, TimeInForce.FOK, TimeInForce.GTC
AMENDED, CANCELED, EXPIRED = (
    reason.value for reason in (LocalReason.AMENDED, LocalReason.CANCELED, LocalReason.EXPIRED)
)


@dataclass(frozen=True, slots=True)
class LocalPicture:
    """All that a local book is. `orders` are bids, then asks, as they would trade; `ended` has the ids of the last
    orders that ended, and `ended_before` of those before them."""

    rules: LocalRules
    state: BookState
    sequence: int
    at_ns: int
    last_price: Price | None
    orders: tuple[RestingOrder, ...]
    ended: tuple[str, ...]
    ended_before: tuple[str, ...]


class LocalBook:
    """One instrument's book, under rules that may change. Every request is answered by the events that it caused; one
    that cannot be carried out is a single Refused, and nothing changed."""

    __slots__ = ("_state", "_steps")

    def __init__(self, rules: LocalRules, state: BookState = BookState.CLOSED) -> None:
        """Raises ValueError for rules by which no order can be judged."""
        self._steps = Steps(Acceptance(rules))
        self._state = state

    @property
    def rules(self) -> LocalRules:
        return self._steps.acceptance.rules

    @property
    def state(self) -> BookState:
        return self._state

    @property
    def sequence(self) -> int:
        """That of the last event, 0 before the first."""
        return self._steps.sequence

    @property
    def last_price(self) -> int | None:
        """The price of the last trade, None before the first."""
        return self._steps.last_price

    def best(self, side: Side) -> int | None:
        """The best price of a side, None when it is empty. Unless the book is open, bids may reach asks."""
        return self._steps.own(side).best

    def levels(self, side: Side, depth: int | None = None) -> Levels:
        """The best `depth` levels of a side (all of them by default), best first."""
        return self._steps.own(side).levels(depth)

    def orders(self, side: Side) -> list[RestingOrder]:
        """Every order of a side as it stands now, in the order in which they would trade."""
        return [one.as_resting() for one in self._steps.own(side)]

    def order(self, order_id: str) -> RestingOrder | None:
        """The order as it stands now, None when it does not rest."""
        one = self._steps.orders.get(order_id)
        return None if one is None else one.as_resting()

    def place(self, order: LocalOrder) -> list[LocalEvent]:
        """Take on an order: it trades, and rests or ends with what is left."""
        steps = self._steps
        steps.begin(order.received_ns)
        refusal = placement_refusal(steps, self._state, order)
        if refusal is not None:
            steps.refuse(order.order_id, refusal)
            return steps.events
        price, time_in_force = order.limit_price, order.time_in_force
        one = Standing(order, steps.market_bound(order.side) if price is None else price)
        steps.enter(one)
        if self._state is OPEN and (time_in_force is not FOK or steps.can_fill(one)):
            steps.match(one)
        if one.quantity and time_in_force is GTC and price is not None:
            steps.rest(one)
        elif one.quantity:
            steps.leave(one, EXPIRED)
        return steps.events

    def cancel(self, order_id: str, at_ns: int, reason: str = CANCELED) -> list[LocalEvent]:
        """Take an order out of the book, in whatever state that is."""
        steps = self._steps
        steps.begin(at_ns)
        one = steps.orders.get(order_id)
        if one is None:
            steps.refuse(order_id, UNKNOWN)
        else:
            steps.leave(one, reason)
        return steps.events

    def amend(self, order_id: str, quantity: int | None, limit_price: int | None, at_ns: int) -> list[LocalEvent]:
        """Change what is left of an order (fills not counted), its limit price, or both; None leaves it as it is.

        Less at the same price keeps its place. Anything else is like a new order that comes now: it may trade.
        """
        steps = self._steps
        steps.begin(at_ns)
        one = steps.orders.get(order_id)
        if one is None:
            steps.refuse(order_id, UNKNOWN)
            return steps.events
        quantity = one.quantity if quantity is None else quantity
        price = one.price if limit_price is None else limit_price
        refusal = amendment_refusal(steps, self._state, one, quantity, price)
        if refusal is not None:
            steps.refuse(order_id, refusal)
        elif price == one.price and quantity < one.quantity:
            steps.reduce(one, quantity, LocalReason.AMENDED)
        else:
            self._enter_again(one, quantity, price)
        return steps.events

    def turn(self, state: BookState, at_ns: int, reason: str) -> list[LocalEvent]:
        """Open, halt or close the book; nothing happens when it is so already. When it opens, bids and asks that reach
        each other trade in an auction before anything else."""
        steps = self._steps
        steps.begin(at_ns)
        if state is not self._state:
            before, self._state = self._state, state
            change = StateChanged(steps.next_sequence(), steps.at_ns, steps.instrument, before, state, reason)
            steps.events.append(change)
            if state is OPEN:
                steps.auction()
        return steps.events

    def set_rules(self, rules: LocalRules, at_ns: int) -> list[LocalEvent]:
        """Go on under other rules. An order leaves whose price or lot they do not know: bids, then asks, best first."""
        steps = self._steps
        steps.begin(at_ns)
        fault = fault_of(rules) if rules.instrument == steps.instrument else f"they are for {rules.instrument.name}"
        if fault is not None:
            steps.refuse("", Refusal(LocalCode.BAD_RULES, f"rules of {steps.instrument.name}: {fault}"))
            return steps.events
        steps.acceptance = Acceptance(rules)
        for one in [*steps.bids, *steps.asks]:
            refusal = steps.acceptance.may_rest(one.price, one.quantity)
            if refusal is not None:
                steps.leave(one, refusal.code)
        return steps.events

    def document(self) -> Document:
        """The whole book as a plain document that JSON can hold."""
        steps = self._steps
        return to_document(
            LocalPicture(
                self.rules,
                self._state,
                steps.sequence,
                steps.at_ns,
                steps.last_price,
                orders=(*self.orders(Side.BUY), *self.orders(Side.SELL)),
                ended=tuple(steps.ended),
                ended_before=tuple(steps.ended_before),
            )
        )

    @classmethod
    def restore(cls, document: Mapping[str, Any], instruments: Instruments) -> LocalBook:
        """The book of a document. Raises DocumentRefused for one that no book can have written."""
        picture = from_document(LocalPicture, document, instruments)
        try:
            book = cls(picture.rules, picture.state)
        except ValueError as error:
            raise DocumentRefused(f"LocalPicture.rules: {error}") from None
        steps = book._steps
        steps.sequence, steps.at_ns, steps.last_price = picture.sequence, picture.at_ns, picture.last_price
        steps.ended, steps.ended_before = dict.fromkeys(picture.ended), dict.fromkeys(picture.ended_before)
        for order in picture.orders:
            if order.order_id in steps.orders:
                raise DocumentRefused(f"LocalPicture.orders: {order.order_id} stands twice")
            steps.orders[order.order_id] = one = _standing(order, picture.rules.instrument)
            steps.own(order.side).append(one)
        try:
            book.check()
        except BrokenInvariant as error:
            raise DocumentRefused(f"LocalPicture.orders: {error}") from None
        return book

    def check(self) -> None:
        """Raise BrokenInvariant unless the book obeys its own rules."""
        steps = self._steps
        steps.bids.check()
        steps.asks.check()
        standing = [*steps.bids, *steps.asks]
        if len(standing) != len(steps.orders) or any(
            steps.orders.get(one.order.order_id) is not one for one in standing
        ):
            raise BrokenInvariant("local book: the orders by id are not those that stand in the queues")
        for one in standing:
            refusal = steps.acceptance.may_rest(one.price, one.quantity)
            if refusal is not None:
                raise BrokenInvariant(f"local book: {one.order.order_id} rests, but {refusal.detail}")
            if one.sequence > steps.sequence or one.priority_ns > steps.at_ns:
                raise BrokenInvariant(f"local book: {one.order.order_id} has its place from a time to come")
        best_bid = steps.bids.best
        if self._state is OPEN and best_bid is not None and steps.asks.reaches(best_bid):
            raise BrokenInvariant("local book: it is open, and its best bid reaches its best ask")
        ended = [*steps.ended, *steps.ended_before]
        if len(ended) >= 2 * ENDED_AT_LEAST or not steps.orders.keys().isdisjoint(ended):
            raise BrokenInvariant("local book: an order rests and has ended, or too many that ended are remembered")

    def _enter_again(self, one: Standing, quantity: int, price: int) -> None:
        steps = self._steps
        steps.take_out(one)
        one.quantity, one.price = quantity, price
        steps.enter(one)
        if self._state is OPEN:
            steps.match(one)
        if one.quantity:
            steps.rest(one)


def _standing(order: RestingOrder, instrument: Instrument) -> Standing:
    """As it stood when it was written down."""
    placed = LocalOrder(
        order.order_id,
        order.account,
        instrument,
        order.side,
        order.quantity,
        order.price,
        GTC,
        order.priority_ns,
        order.post_only,
        order.self_trade,
    )
    one = Standing(placed, order.price)
    one.priority_ns, one.sequence = order.priority_ns, order.sequence
    return one
