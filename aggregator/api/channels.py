"""What the stream tells of the market.

A channel is told as a whole, its snapshot, and from then on as what has changed, numbered without a gap. Each message
is encoded once, for all who read the channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from aggregator.api.market import VenueEntry, show_book, show_health, show_use
from aggregator.api.problems import JSON
from aggregator.books.consolidated import ConsolidatedDepth, MergedSide, View
from aggregator.domain.events import Trade
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import format_decimal
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views

AGES_EVERY_NS = 1_000_000_000
"""How often it is told that something was heard, when nothing else has changed."""

TRADES_KEPT = 50
"""Trades in a snapshot."""

TRADES_AT_ONCE = 500
"""In one message; of more, the newest are told, and how many were skipped."""

Clock = Callable[[], int]


class Name(StrEnum):
    BOOK = "book"
    VENUES = "venues"
    TRADES = "trades"
    ORDERS = "orders"
    FILLS = "fills"


class Topic(NamedTuple):
    """What a channel is about. All who ask for the same read the same channel."""

    channel: Name
    symbol: str = ""
    view: str = ""
    depth: int = 0
    account: str = ""

    def about(self) -> dict[str, Any]:
        """The members by which its messages are known; those that it does not have are left out."""
        return {name: value for name, value in self._asdict().items() if value}


class Source(Protocol):
    """A state that moves. `change` returns the members that differ from what was told last, None when nothing does;
    `snapshot` returns all, so that the changes told later continue it."""

    def snapshot(self) -> dict[str, Any]: ...

    def change(self) -> dict[str, Any] | None: ...


class Channel:
    """A source under its topic, numbered. `is_skippable` says that a snapshot makes up for changes that a reader has
    missed."""

    def __init__(self, topic: Topic, source: Source, *, is_skippable: bool = True) -> None:
        self.topic = topic
        self.source = source
        self.is_skippable = is_skippable
        self.sequence = 0
        self._about = topic.about()
        self._snapshot: bytes | None = None

    def snapshot(self) -> bytes:
        """The state as of `sequence`."""
        if self._snapshot is None:
            self._snapshot = self._encoded("snapshot", self.source.snapshot())
        return self._snapshot

    def advance(self) -> bytes | None:
        """What has changed, under the next number; None when nothing has."""
        change = self.source.change()
        if change is None:
            return None
        self.sequence += 1
        self._snapshot = None
        return self._encoded("change", change)

    def _encoded(self, kind: str, members: Mapping[str, Any]) -> bytes:
        return JSON.encode({**self._about, "type": kind, "sequence": self.sequence, **members})


Shares = dict[int, dict[str, int]]
"""By price, what each venue has there."""


class BookSource:
    """A merged book as the views have it: levels that differ, whole; a level that is gone has quantity 0."""

    def __init__(self, views: Views, instrument: Instrument, depth: int, view: View, clock_ns: Clock) -> None:
        self._read: Callable[[], ConsolidatedDepth] = lambda: views.book(instrument.name, depth, view)
        self._clock_ns = clock_ns
        self._told = self._seen = self._read()
        self._as_of_ns = self._ages_at_ns = 0
        self._take(self._told)

    def snapshot(self) -> dict[str, Any]:
        return show_book(self._told, self._as_of_ns)

    def change(self) -> dict[str, Any] | None:
        merged = self._read()
        now_ns = self._clock_ns()
        if merged is self._seen and now_ns < self._ages_at_ns:
            return None
        self._seen = merged
        changed = self._differences(merged)
        if not changed and (merged.oldest_ns == self._told.oldest_ns or now_ns < self._ages_at_ns):
            return None
        self._take(merged)
        return {"as_of_ns": self._as_of_ns, "oldest_ns": merged.oldest_ns, **changed}

    def _take(self, merged: ConsolidatedDepth) -> None:
        self._told = self._seen = merged
        self._as_of_ns = self._clock_ns()
        self._ages_at_ns = self._as_of_ns + AGES_EVERY_NS
        self._bids, self._asks = _shares(merged.bids), _shares(merged.asks)

    def _differences(self, merged: ConsolidatedDepth) -> dict[str, Any]:
        told = self._told
        members = {
            "bids": _shown(merged, _moved(self._bids, merged.bids)),
            "asks": _shown(merged, _moved(self._asks, merged.asks)),
        }
        changed: dict[str, Any] = {side: levels for side, levels in members.items() if levels}
        if merged.is_crossed != told.is_crossed:
            changed["crossed"] = merged.is_crossed
        if merged.venues != told.venues:
            changed["venues"] = merged.venues
        if merged.excluded != told.excluded:
            changed["excluded"] = merged.excluded
        return changed


def _shares(side: MergedSide) -> Shares:
    return {price: side.venues_at(index) for index, price in enumerate(side.prices)}


def _moved(before: Shares, side: MergedSide) -> Iterator[tuple[int, dict[str, int]]]:
    """The levels that are not as they were; without venues those that are gone."""
    after = _shares(side)
    for price, shares in after.items():
        if before.get(price) != shares:
            yield price, shares
    for price in before:
        if price not in after:
            yield price, {}


def _shown(merged: ConsolidatedDepth, levels: Iterable[tuple[int, dict[str, int]]]) -> list[Any]:
    """As levels are shown everywhere: price, quantity, and each venue's share of it, as decimal texts."""
    show = merged.instrument.show_quantity
    return [
        (
            format_decimal(price, merged.price_decimals),
            show(sum(shares.values())),
            {venue: show(share) for venue, share in shares.items()},
        )
        for price, shares in levels
    ]


AT_ONCE = ("health", "reason", "since_ns")
"""The members of a venue's book that are told as soon as its health changes. All others wait for their turn."""


class VenuesSource:
    """Venues with the health of their books. A change has the members that differ, as deep as they are; null stands for
    one that is gone."""

    def __init__(self, engine: Engine, venues: Mapping[str, VenueEntry], clock_ns: Clock) -> None:
        self._engine = engine
        self._venues = venues
        self._clock_ns = clock_ns
        self._health_changed: dict[tuple[str, str], None] = {}
        self._told: dict[str, Any] = {}
        self._take_all()

    def note_health(self, venue: str, instrument: str) -> None:
        self._health_changed[venue, instrument] = None

    def snapshot(self) -> dict[str, Any]:
        return {"as_of_ns": self._as_of_ns, "venues": self._told}

    def change(self) -> dict[str, Any] | None:
        if self._clock_ns() >= self._all_at_ns:
            before = self._told
            self._take_all()
            changed = difference(before, self._told)
        elif self._health_changed:
            changed = self._take_health()
        else:
            return None
        return {"as_of_ns": self._as_of_ns, "venues": changed} if changed else None

    def _take_all(self) -> None:
        self._health_changed.clear()
        self._as_of_ns = self._clock_ns()
        self._all_at_ns = self._as_of_ns + AGES_EVERY_NS
        self._told = {venue: self._document(entry) for venue, entry in self._venues.items()}

    def _take_health(self) -> dict[str, Any]:
        self._as_of_ns = self._clock_ns()
        changed: dict[str, Any] = {}
        for venue, instrument in self._health_changed:
            book = self._engine.market.find(instrument, venue)
            if book is None or venue not in self._told:
                continue
            books, shown = self._told[venue]["books"], show_health(book)
            told = books.setdefault(instrument, {})
            moved = difference(told, {**told, **{name: shown[name] for name in AT_ONCE}}) if told else shown
            if moved:
                told.update(moved)
                changed.setdefault(venue, {"books": {}})["books"][instrument] = moved
        self._health_changed.clear()
        return changed

    def _document(self, entry: VenueEntry) -> dict[str, Any]:
        books = [book for book in self._engine.market if book.venue == entry.venue]
        return {
            **show_use(entry, self._engine),
            "rejected_frames": self._engine.rejected_frames.get(entry.venue, 0),
            "connection": dict(entry.connection()),
            "books": {book.listing.instrument.name: show_health(book) for book in books},
        }


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `after` that differ, as deep as both are made of members; None for those that are gone."""
    changed: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = difference(old, value)
            if inner:
                changed[name] = inner
        elif name not in before or old != value:
            changed[name] = value
    return changed


class TradesSource:
    """Public trades of an instrument at every venue, in the order in which they came."""

    def __init__(self, instrument: Instrument, recent: Iterable[Trade]) -> None:
        self._instrument = instrument
        self._told = deque(map(self._document, recent), TRADES_KEPT)
        self._new: deque[Trade] = deque(maxlen=TRADES_AT_ONCE)
        self._skipped = 0

    def note(self, trade: Trade) -> None:
        self._skipped += len(self._new) == TRADES_AT_ONCE
        self._new.append(trade)

    def snapshot(self) -> dict[str, Any]:
        return {"trades": list(self._told)}

    def change(self) -> dict[str, Any] | None:
        if not self._new:
            return None
        trades, skipped = [self._document(trade) for trade in self._new], self._skipped
        self._new.clear()
        self._skipped = 0
        self._told += trades
        return {"trades": trades, "skipped": skipped} if skipped else {"trades": trades}

    def _document(self, trade: Trade) -> dict[str, Any]:
        return {
            "venue": trade.venue,
            "trade_id": trade.trade_id,
            "price": self._instrument.show_price(trade.price),
            "quantity": self._instrument.show_quantity(trade.quantity),
            "taker": trade.taker.value,
            "venue_time_ns": trade.venue_time_ns,
            "received_ns": trade.received_ns,
        }
