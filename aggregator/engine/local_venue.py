"""Busan's own books as a venue: what the order side asks of it is answered on the spot, in the same turn.

Its books are part of what is journaled and replayed. What they show is told to the market like any venue's, so
that consolidated books and plans need no special case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aggregator.books.matching import LocalBook
from aggregator.books.matching_rules import Acceptance
from aggregator.books.settlement import trade_fees
from aggregator.domain.book import Levels
from aggregator.domain.effects import AskChild, AskFills, CancelChild, PlaceChild
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Instruments, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.local import LOCAL_VENUE, BookState, LocalEvent, LocalOrder, LocalRules, Traded
from aggregator.domain.order import ChildOrder, ChildTerms, Fill, Liquidity, OrderTerms
from aggregator.domain.order_events import About, BookTurned, ExecutionReport, ListingSet
from aggregator.routing.risk import Refusal

SHOWN_LEVELS = 200
"""Levels of each side that the market is told of."""


class ReduceChild(NamedTuple):
    """So much of a resting child is to be left; it keeps its place."""

    terms: ChildTerms
    left: int


LocalRequest = PlaceChild | CancelChild | ReduceChild | AskChild | AskFills

Show = Callable[[BookSnapshot | ListingsRead], None]


class LocalVenue:
    """`show` tells the market. Times are ns."""

    def __init__(self, show: Show) -> None:
        self.books: dict[str, LocalBook] = {}
        self._show = show

    def list(self, event: ListingSet) -> Sequence[LocalEvent]:
        """Take an instrument on, or change its rules."""
        name = event.rules.instrument.name
        book = self.books.get(name)
        if book is None:
            book = self.books[name] = LocalBook(event.rules)
            events: Sequence[LocalEvent] = book.turn(event.state, event.received_ns, "listed")
        else:
            events = book.set_rules(event.rules, event.received_ns)
        self._show(ListingsRead(LOCAL_VENUE, event.received_ns, [listing_of(event.rules)]))
        self._show_book(book, event.received_ns)
        return events

    def turn(self, event: BookTurned) -> Sequence[LocalEvent]:
        book = self.books[event.instrument.name]
        events = book.turn(event.state, event.received_ns, event.reason)
        self._show_book(book, event.received_ns)
        return events

    def place(self, request: PlaceChild, account: str, now_ns: int) -> Sequence[LocalEvent]:
        terms = request.terms
        book = self.books[terms.instrument.name]
        events = book.place(
            LocalOrder(
                terms.child_id,
                account,
                terms.instrument,
                terms.side,
                terms.quantity,
                terms.limit_price,
                terms.time_in_force,
                now_ns,
                terms.post_only,
            )
        )
        self._show_book(book, now_ns)
        return events

    def cancel(self, request: CancelChild, now_ns: int) -> Sequence[LocalEvent]:
        book = self.books[request.terms.instrument.name]
        events = book.cancel(request.terms.child_id, now_ns, "canceled")
        self._show_book(book, now_ns)
        return events

    def reduce(self, request: ReduceChild, now_ns: int) -> Sequence[LocalEvent]:
        book = self.books[request.terms.instrument.name]
        events = book.amend(request.terms.child_id, request.left, None, now_ns)
        self._show_book(book, now_ns)
        return events

    def rests(self, instrument: str, child_id: str) -> bool:
        return instrument in self.books and self.books[instrument].order(child_id) is not None

    def refusal(self, terms: OrderTerms) -> Refusal | None:
        """Why Busan, which lists the instrument, would not take this from a participant at any venue."""
        book = self.books.get(terms.instrument.name)
        if book is None:
            return None
        acceptance = Acceptance(book.rules)
        price = terms.limit_price
        refused = acceptance.quantity(terms.quantity) if price is None else acceptance.limit(price, terms.quantity)
        return Refusal(*refused) if refused is not None else None

    def last_price(self, instrument: str) -> int | None:
        """Of the last trade, before the first one the reference price; None for what is not listed."""
        book = self.books.get(instrument)
        return None if book is None else book.last_price or book.rules.reference_price

    def reason(self, instrument: str) -> str | None:
        """Why nothing can be sent to this book now."""
        book = self.books.get(instrument)
        if book is None:
            return "Busan does not list it"
        return None if book.state is BookState.OPEN else f"the local book is {book.state}"

    def document(self) -> dict[str, Any]:
        return {name: book.document() for name, book in sorted(self.books.items())}

    def restore(self, document: Mapping[str, Any], instruments: Instruments, now_ns: int) -> None:
        self.books = {name: LocalBook.restore(book, instruments) for name, book in document.items()}
        for book in self.books.values():
            self._show(ListingsRead(LOCAL_VENUE, now_ns, [listing_of(book.rules)]))
            self._show_book(book, now_ns)

    def _show_book(self, book: LocalBook, now_ns: int) -> None:
        bids, asks = book.levels(Side.BUY, SHOWN_LEVELS), book.levels(Side.SELL, SHOWN_LEVELS)
        if book.state is not BookState.OPEN:
            bids = asks = Levels([], [])  # orders of a closed book are no depth to trade on
        self._show(BookSnapshot(LOCAL_VENUE, book.rules.instrument.name, now_ns, now_ns, bids, asks))


def listing_of(rules: LocalRules) -> Listing:
    """As the planner reads it. A tick that depends on the price is the finest one here: the levels that a child takes
    are on theirs already."""
    return Listing(
        LOCAL_VENUE,
        rules.instrument.name.replace("/", "-"),
        rules.instrument,
        tick=min(band.tick for band in rules.ticks),
        lot=rules.lot,
        minimum_quantity=rules.minimum_quantity,
        minimum_notional=rules.minimum_notional,
        fees=rules.fees,
    )


def local_fill(trade: Traded, child: ChildOrder, rules: LocalRules, liquidity: Liquidity) -> Fill:
    """One side of a trade, with the fee that the ledger takes for it, in quote."""
    maker_fee, taker_fee = trade_fees(trade, rules.fees)
    return Fill(
        LOCAL_VENUE,
        child.terms.child_id,
        trade.instrument,
        trade.trade_id,
        child.terms.side,
        trade.price,
        trade.quantity,
        maker_fee if liquidity is Liquidity.MAKER else taker_fee,
        trade.instrument.quote,
        liquidity,
        trade.at_ns,
        trade.at_ns,
    )


def local_report(child: ChildOrder, word: Word, about: About, raw: str, now_ns: int) -> ExecutionReport:
    """What the local book says of a child. What it executed is what was filled: its trades come first."""
    terms = child.terms
    return ExecutionReport(
        LOCAL_VENUE, terms.child_id, terms.instrument, now_ns, word, about, raw, child.filled, terms.child_id
    )
