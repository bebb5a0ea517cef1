"""What becomes of children: venues' words and fills are taken in here, and doubts are asked after."""

from __future__ import annotations

from collections.abc import Callable

from aggregator.domain.effects import Alarm, AskChild, AskFills, CancelChild, OrderEffect
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import ChildState, Word, ending, moved
from aggregator.domain.order import ChildOrder, Fill, ParentOrder, TimeInForce
from aggregator.domain.order_events import About, ExecutionReport, FillReported
from aggregator.engine.order_state import OrderState
from aggregator.engine.venue_accounts import VenueAccounts
from aggregator.routing.execution import (
    AGREEING_ANSWERS,
    ANSWER_PATIENCE_NS,
    CANCEL_PATIENCE_NS,
    GRACE_NS,
    QUIET_IMMEDIATE_NS,
    QUIET_RESTING_NS,
    SECOND,
    ask_wait_ns,
    is_immediate,
)

REFUSED = frozenset({ChildState.REJECTED, ChildState.NOT_SENT, ChildState.MISSING})
"""Ended without ever having been in a book, as far as was known."""

ALIVE = (Word.RECEIVED, Word.WORKING, Word.ENDED)


class Children:
    """`tell` takes effects. Times are ns."""

    def __init__(self, state: OrderState, accounts: VenueAccounts, tell: Callable[[OrderEffect], None]) -> None:
        self._state = state
        self._accounts = accounts
        self._tell = tell

    def find(self, child_id: str) -> tuple[ParentOrder, ChildOrder] | None:
        parent = self._state.parent(child_id.rpartition("-")[0])
        child = parent.children.get(child_id) if parent is not None else None
        return (parent, child) if parent is not None and child is not None else None

    def reported(self, child: ChildOrder, report: ExecutionReport) -> None:
        """Take in a venue's word on a child, live or ended."""
        self._note(child, report)
        now_ns = report.received_ns
        if report.about is About.CANCEL and report.word is not Word.ENDED:
            self._cancel_answered(child, report)
            return
        if child.has_ended:
            self._told_after_end(child, report)
            return
        if report.word is Word.MISSING:
            self._missed(child, now_ns)
            return
        if report.about is About.ASK and report.word in (Word.IN_DOUBT, Word.NOT_SENT):
            return  # the question failed, which says nothing of the order; the next one is due already
        child.misses = 0
        self._move(child, report)
        is_there = child.state in (ChildState.WORKING, ChildState.ACCEPTED)
        # A cancel is sent again when the venue, asked, still has the order: it does no harm twice.
        if child.is_cancel_wanted and is_there and (not child.is_cancel_sent or report.about is About.ASK):
            self.send_cancel(child, now_ns)

    def filled(self, parent: ParentOrder, child: ChildOrder, event: FillReported) -> bool:
        """Book a fill, once; returns whether it was new. One that comes after the end is booked all the same."""
        fill, known = event.fill, child.fills.get(event.fill.fill_id)
        if known is not None:
            if (known.price, known.quantity) != (fill.price, fill.quantity):
                self._alarm("fill_changed", f"fill {fill.fill_id} was told twice, and differently", child)
            return False
        child.venue_order_id = child.venue_order_id or event.venue_order_id
        child.fills[fill.fill_id] = fill
        child.filled += fill.quantity
        child.executed = max(child.executed, child.filled)
        parent.filled += fill.quantity
        _add_to_parent(parent, child, fill)
        self._accounts.booked(fill)
        self._check_fill(parent, child, fill)
        self._after_fill(child, event.received_ns)
        return True

    def want_cancel(self, child: ChildOrder, now_ns: int) -> None:
        """Cancel it as soon as the venue is known to have it. Immediate children end by themselves."""
        if child.has_ended or is_immediate(child):
            return
        child.is_cancel_wanted = True
        if child.state in (ChildState.WORKING, ChildState.ACCEPTED) and not child.is_cancel_sent:
            self.send_cancel(child, now_ns)

    def send_cancel(self, child: ChildOrder, now_ns: int) -> None:
        child.is_cancel_sent = True
        child.ask_at_ns = now_ns + CANCEL_PATIENCE_NS
        self._tell(CancelChild(child.terms, child.venue_order_id))

    def doubt(self, child: ChildOrder, reason: str, now_ns: int) -> None:
        """From now on only the venue's own word moves it; it is asked at once."""
        if child.state is not ChildState.SETTLING:
            self._enter(child, ChildState.UNKNOWN, now_ns)
            child.reason = reason
        self.ask(child, now_ns)

    def ask(self, child: ChildOrder, now_ns: int) -> None:
        child.ask_at_ns = now_ns + ask_wait_ns(child.asks)
        child.asks += 1
        if child.state is ChildState.SETTLING and child.executed > child.filled:
            self._tell(AskFills(child.terms, child.venue_order_id, child.sent_ns))
        else:
            self._tell(AskChild(child.terms, child.venue_order_id, child.sent_ns))

    def due(self, child: ChildOrder, now_ns: int) -> None:
        """Its time has come without a word."""
        if child.state is ChildState.SUBMITTED:
            self.doubt(child, f"no answer within {ANSWER_PATIENCE_NS // SECOND} s", now_ns)
        else:
            self.ask(child, now_ns)

    def _note(self, child: ChildOrder, report: ExecutionReport) -> None:
        child.venue_order_id = child.venue_order_id or report.venue_order_id
        if report.raw and report.about is not About.CANCEL:
            child.venue_word = report.raw
        if report.executed is not None:
            child.executed = max(child.executed, report.executed)

    def _move(self, child: ChildOrder, report: ExecutionReport) -> None:
        now_ns, word = report.received_ns, report.word
        if word is Word.REJECTED and child.executed:
            word = Word.ENDED  # refused after it had traded: over, with what it has
        after = moved(child.state, word)
        if after is None:
            self._alarm("contradiction", f"{child.state}, and now {word} ({report.raw}): {report.reason}", child)
            return
        if after is ChildState.UNKNOWN:
            self.doubt(child, report.reason or report.raw, now_ns)
            return
        if after is not child.state:
            self._enter(child, after, now_ns)
            child.asks = 0
            child.reason = report.reason
        child.ask_at_ns = now_ns + self._quiet_ns(child)
        if after is ChildState.SETTLING:
            if word in (Word.ENDED, Word.REJECTED):  # anything else is an older word that came later
                self._settle(child, now_ns, is_told=report.executed is not None)
        elif after in (ChildState.REJECTED, ChildState.NOT_SENT):
            is_reject = after is ChildState.REJECTED
            self._accounts.turned_away(child, report.reason or report.raw, now_ns, is_reject=is_reject)

    def _settle(self, child: ChildOrder, now_ns: int, *, is_told: bool) -> None:
        """End it when our fills come to what the venue executed; until then ask for what is missing."""
        if not is_told or child.filled < child.executed:
            self.ask(child, now_ns)
            return
        self._end(child, ending(child.filled, child.terms.quantity), now_ns)

    def _end(self, child: ChildOrder, state: ChildState, now_ns: int) -> None:
        self._enter(child, state, now_ns)
        child.ask_at_ns = 0
        if is_immediate(child) and child.terms.time_in_force is not TimeInForce.FOK:
            self._accounts.ended(child)

    def _after_fill(self, child: ChildOrder, now_ns: int) -> None:
        if child.filled >= child.terms.quantity:
            if child.state is not ChildState.FILLED:
                self._end(child, ChildState.FILLED, now_ns)
        elif child.state in REFUSED or child.state is ChildState.UNFILLED:
            # There it was after all: whatever else it does, it is to be stopped and asked after.
            self._revive(child, "a fill came after it had ended", now_ns)
        elif child.state is ChildState.SETTLING and child.filled >= child.executed:
            self._settle(child, now_ns, is_told=True)

    def _told_after_end(self, child: ChildOrder, report: ExecutionReport) -> None:
        """Words that are merely old change nothing; a sign of life of what was given up does."""
        if report.word is Word.ENDED and child.executed > child.filled:
            self._enter(child, ChildState.SETTLING, report.received_ns)
            self.ask(child, report.received_ns)
        elif child.state in REFUSED and (report.word in ALIVE[:2]):
            self._revive(child, f"the venue says {report.raw or report.word} of what had ended", report.received_ns)

    def _revive(self, child: ChildOrder, reason: str, now_ns: int) -> None:
        self._alarm("revived", f"{child.state}, but {reason}", child)
        child.is_cancel_wanted = not is_immediate(child)
        child.asks = 0
        self.doubt(child, reason, now_ns)

    def _missed(self, child: ChildOrder, now_ns: int) -> None:
        """The venue, asked, knows no such order. Acknowledged is not working, and one answer is not proof."""
        child.misses += 1
        agrees = child.misses >= AGREEING_ANSWERS and now_ns - child.sent_ns >= GRACE_NS
        if not agrees or child.executed > child.filled:
            if child.state not in (ChildState.UNKNOWN, ChildState.SETTLING):
                self._enter(child, ChildState.UNKNOWN, now_ns)
                child.reason = "the venue does not know it, as yet"
                child.ask_at_ns = now_ns + ask_wait_ns(child.asks)
        elif child.filled or child.venue_order_id:
            # It was there once: venues forget what has ended.
            self._alarm("forgotten", "the venue knows it no more; it ends with the fills that are known", child)
            self._end(child, ending(child.filled, child.terms.quantity), now_ns)
        else:
            self._end(child, ChildState.MISSING, now_ns)
            child.reason = f"{child.misses} answers agree that the venue has no such order"
            self._accounts.turned_away(child, child.reason, now_ns, is_reject=False)

    def _cancel_answered(self, child: ChildOrder, report: ExecutionReport) -> None:
        if child.has_ended:
            return
        now_ns = report.received_ns
        if report.word in (Word.NOT_SENT, Word.IN_DOUBT, Word.REJECTED, Word.MISSING):
            # It may have ended already, or the cancel was lost: the order's own state decides what is next.
            child.is_cancel_sent = False
            self.ask(child, now_ns)
        else:
            child.ask_at_ns = now_ns + CANCEL_PATIENCE_NS

    def _quiet_ns(self, child: ChildOrder) -> int:
        if child.state is ChildState.WORKING and not is_immediate(child) and not child.is_cancel_wanted:
            return QUIET_RESTING_NS
        return QUIET_IMMEDIATE_NS

    def _enter(self, child: ChildOrder, state: ChildState, now_ns: int) -> None:
        if child.state is not state:
            child.state, child.since_ns = state, now_ns

    def _check_fill(self, parent: ParentOrder, child: ChildOrder, fill: Fill) -> None:
        terms = child.terms
        if child.filled > terms.quantity:
            show = terms.instrument.show_quantity
            self._alarm("overfilled", f"{show(child.filled)} of {show(terms.quantity)} filled", child)
        sign = 1 if terms.side is Side.BUY else -1
        if (fill.price - terms.limit_price) * sign > 0:
            price, limit = terms.instrument.show_price(fill.price), terms.instrument.show_price(terms.limit_price)
            self._alarm("past_limit", f"filled at {price}, and its limit is {limit}", child)

    def _alarm(self, code: str, text: str, child: ChildOrder) -> None:
        self._tell(Alarm(code, f"{child.terms.child_id}: {text}", child.terms.venue, child.terms.order_id))


def _add_to_parent(parent: ParentOrder, child: ChildOrder, fill: Fill) -> None:
    """What the fill comes to for the client, in whose quote it is passed on."""
    terms = child.terms
    sign = 1 if terms.side is Side.BUY else -1
    parent.notional += sign * terms.turned(sign * fill.notional)
    asset, fee = fill.fee_asset, fill.fee
    if asset == terms.instrument.quote:
        asset, fee = parent.terms.instrument.quote, terms.turned(fee)
    parent.fees[asset] = parent.fees.get(asset, 0) + fee
