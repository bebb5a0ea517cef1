"""Why a local book does not take an order or an amendment: what depends on the book as it stands now."""

from __future__ import annotations

from aggregator.books.matching_queues import Standing
from aggregator.books.matching_rules import Refusal
from aggregator.books.matching_steps import Steps
from aggregator.domain.instrument import Side
from aggregator.domain.local import BookState, LocalCode, LocalOrder
from aggregator.domain.order import TimeInForce

# To look a member up through its enum costs as much as to make an event.
GTC, OPEN, PRE_OPEN = TimeInForce.GTC, BookState.OPEN, BookState.PRE_OPEN

UNKNOWN = Refusal(LocalCode.UNKNOWN_ORDER, "no such order stands in the book; it may have ended")

_NO_ID = Refusal(LocalCode.NO_ID, "an order without an id; give it one that is unique for ever")
_UNCHANGED = Refusal(LocalCode.UNCHANGED, "it has this price and this quantity already")
_CONTRADICTORY = Refusal(LocalCode.CONTRADICTORY, "post-only, but not to rest; give it a limit price and GTC")
_NO_PRICE = Refusal(LocalCode.NO_PRICE, "nobody on the other side to bound the price by; give it a limit price")
_NOT_TAKEN = {
    BookState.PRE_OPEN: Refusal(LocalCode.PRE_OPEN, "the book is not open yet; give it a limit price and GTC"),
    BookState.HALTED: Refusal(LocalCode.HALTED, "the book is halted; only cancels are taken"),
    BookState.CLOSED: Refusal(LocalCode.CLOSED, "the book is closed; only cancels are taken"),
}


def placement_refusal(steps: Steps, state: BookState, order: LocalOrder) -> Refusal | None:
    """Why the order is not taken on, None if it is."""
    order_id, price = order.order_id, order.limit_price
    if not order_id:
        return _NO_ID
    if order.instrument is not steps.instrument and order.instrument != steps.instrument:
        detail = f"this is the book of {steps.instrument.name}, not of {order.instrument.name}"
        return Refusal(LocalCode.OTHER_INSTRUMENT, detail)
    rests = price is not None and order.time_in_force is GTC
    if state is not OPEN and not (rests and state is PRE_OPEN):
        return _NOT_TAKEN[state]
    if order_id in steps.orders or order_id in steps.ended or order_id in steps.ended_before:
        return Refusal(LocalCode.DUPLICATE_ID, f"{order_id} was placed before; an id is unique for ever")
    if order.post_only and not rests:
        return _CONTRADICTORY
    if price is None:
        return _market_refusal(steps, order)
    refusal = steps.acceptance.limit(price, order.quantity)
    if refusal is None and order.post_only:
        return _taking_refusal(steps, state, order.side, price)
    return refusal


def amendment_refusal(steps: Steps, state: BookState, one: Standing, quantity: int, price: int) -> Refusal | None:
    """Why the order is not amended to this, None if it is."""
    if state not in (OPEN, PRE_OPEN):
        return _NOT_TAKEN[state]
    if (quantity, price) == (one.quantity, one.price):
        return _UNCHANGED
    refusal = steps.acceptance.limit(price, quantity)
    if refusal is None and one.order.post_only:
        return _taking_refusal(steps, state, one.order.side, price)
    return refusal


def _market_refusal(steps: Steps, order: LocalOrder) -> Refusal | None:
    best = steps.opposite(order.side).best
    refusal = steps.acceptance.quantity(order.quantity)
    if refusal is not None or best is None:
        return refusal or _NO_PRICE
    return steps.acceptance.notional(best, order.quantity)


def _taking_refusal(steps: Steps, state: BookState, side: Side, price: int) -> Refusal | None:
    """In an auction nobody takes, so before the opening a post-only order may reach the other side."""
    other = steps.opposite(side)
    if state is not OPEN or other.best is None or not other.reaches(price):
        return None
    show = steps.instrument.show_price
    detail = f"post-only at {show(price)}, which the other side reaches with {show(other.best)}"
    return Refusal(LocalCode.WOULD_TRADE, detail)
