"""A venue in miniature: a true book that changes under ids, the updates that tell of it, and one who listens."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import NamedTuple

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Levels
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, BookUnchanged, MarketEvent
from aggregator.domain.instrument import Listing
from connectors.books import Book, Numbering, SnapshotTooOld
from tests.twins.listings import levels, listing, rows

MARK = 1
"""A bid far below all others whose quantity is the id of the state, so that any copy of the book tells which it is."""


class State(NamedTuple):
    bids: dict[int, int]
    asks: dict[int, int]

    def changed(self, bids: dict[int, int], asks: dict[int, int]) -> "State":
        return State(_changed(self.bids, bids), _changed(self.asks, asks))


class Update(NamedTuple):
    """What the book became at id `last` wherever it had changed since id `previous`; quantity 0 for a level gone."""

    previous: int
    last: int
    bids: dict[int, int]
    asks: dict[int, int]


class Feed:
    """States by id, in order, and the updates from the first to the last of them."""

    def __init__(self, states: dict[int, State], updates: list[Update]) -> None:
        self.states = states
        self.updates = updates

    @property
    def ids(self) -> list[int]:
        return list(self.states)


def make_feed(chance: Random, count: int, *, jumps: bool = False, overlaps: bool = False) -> Feed:
    """A feed of `count` updates with up to three changes each. Ids jump, or follow one another; updates that overlap
    begin before the end of the one before them."""
    at = chance.randint(100, 200)
    state = State({MARK: at, 95: 5, 96: 6, 97: 7}, {103: 3, 104: 4, 105: 5})
    states, updates, told = {at: state}, list[Update](), at
    for _ in range(count):
        for _ in range(chance.randint(1, 3)):
            at += chance.randint(1, 9) if jumps else 1
            bid, ask = chance.randint(90, 99), chance.randint(101, 110)
            quantity = chance.choice([0, 0, 1, 2, 3])
            changes = chance.choice([({bid: quantity}, {}), ({}, {ask: quantity}), ({bid: quantity}, {ask: 2})])
            state = state.changed({MARK: at, **changes[0]}, dict(changes[1]))
            states[at] = state
        earlier = [known for known in states if known <= told]
        previous = chance.choice(earlier[-4:]) if overlaps else told
        updates.append(_difference(states, previous, at))
        told = at
    return Feed(states, updates)


class Follower:
    """Hears what it is given, in whatever order, and shows what came of it. It holds the one rule: a book that is
    live is the true book at its id, and nothing later was heard."""

    def __init__(self, feed: Feed, numbering: Numbering) -> None:
        self.feed = feed
        self.listing = listing()
        self.book = Book(self.listing, numbering)
        self.shown = VenueBook(self.listing)
        self.heard = -1

    def hear(self, update: Update) -> list[MarketEvent]:
        delta = delta_of(update, self.listing)
        self.heard = max(self.heard, update.last)
        return self._apply(self.book.updated(update.previous, update.last, delta))

    def hear_all(self, updates: Iterable[Update]) -> None:
        for update in updates:
            self.hear(update)

    def find(self, snapshot_id: int) -> bool:
        """Receive the snapshot taken at this id; says whether it was of use."""
        try:
            self._apply(self.book.spliced(snapshot_id, snapshot_of(self.feed.states[snapshot_id], self.listing)))
        except SnapshotTooOld:
            self.check()
            return False
        return True

    def restart(self, snapshot_id: int) -> None:
        """Receive, within the stream, the snapshot taken at this id."""
        self._apply(self.book.restarted(snapshot_id, snapshot_of(self.feed.states[snapshot_id], self.listing)))

    @property
    def is_live(self) -> bool:
        return self.shown.is_live

    @property
    def at(self) -> int:
        """The id of the state that is shown."""
        return self.shown.bids.quantity_at(MARK)

    def check(self) -> None:
        self.shown.check()
        assert self.is_live == self.book.is_whole
        if not self.is_live:
            assert self.shown.reason
            return
        assert self.book.at == self.at
        assert shown_state(self.shown) == self.feed.states[self.at], f"not the true book at {self.at}"
        assert self.at >= self.heard, f"live at {self.at} although {self.heard} was heard"

    def _apply(self, events: list[MarketEvent]) -> list[MarketEvent]:
        apply_all(self.shown, events)
        self.check()
        return events


def delta_of(update: Update, of: Listing) -> BookDelta:
    return BookDelta(of.venue, of.instrument.name, 0, 0, levels(update.bids), levels(update.asks))


def snapshot_of(state: State, of: Listing) -> BookSnapshot:
    return BookSnapshot(of.venue, of.instrument.name, 0, 0, levels(state.bids), levels(state.asks))


def shown_state(book: VenueBook) -> State:
    return State(sorted_rows(book.bids.top()), sorted_rows(book.asks.top()))


def sorted_rows(side: Levels) -> dict[int, int]:
    return dict(sorted(rows(side).items()))


def apply_all(book: VenueBook, events: Iterable[MarketEvent]) -> None:
    for event in events:
        assert isinstance(event, BookSnapshot | BookDelta | BookLost | BookUnchanged), "no event of a book"
        book.apply(event)


def _changed(side: dict[int, int], changes: dict[int, int]) -> dict[int, int]:
    return {price: quantity for price, quantity in sorted((side | changes).items()) if quantity}


def _difference(states: dict[int, State], previous: int, last: int) -> Update:
    """What changed in between, as it stands at the end; also what changed and changed back."""
    touched: tuple[set[int], set[int]] = (set(), set())
    ids = [at for at in states if previous <= at <= last]
    for earlier, later in pairwise(ids):
        for side in (0, 1):
            before, after = states[earlier][side], states[later][side]
            touched[side].update(price for price in before | after if before.get(price) != after.get(price))
    bids, asks = ({price: states[last][side].get(price, 0) for price in sorted(touched[side])} for side in (0, 1))
    return Update(previous, last, bids, asks)
