"""A recorded stretch, run again: the journal's requests through the engine, on the books that the recorded traffic
leads to.

Recovery believes what the journal says was seen. Here nothing of the books is believed: each time that the order side
looks at the market, every venue's traffic is played up to the update after which it looked then, and the order is
planned on what that gives. So it is shown that the plans followed from what the venues had sent. What no traffic tells
(balances, rates, policy, the clocks of freshness) is taken from the journal.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from aggregator.books.venue_book import VenueBook
from aggregator.domain.effects import Effect
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Instruments
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.order_events import OrderEvent, Started
from aggregator.domain.plan import RouteRequest, VenueDepth
from aggregator.engine.digest import book_sha256, orders_sha256
from aggregator.engine.engine import Engine
from aggregator.engine.market import Market
from aggregator.engine.sight import FactsOf
from aggregator.records.replay import Replay
from aggregator.routing.depth import seen as taken
from aggregator.routing.record import Seen
from aggregator.service.captures import BadLine, Record
from aggregator.service.journal_entries import effects_sha256
from aggregator.service.journal_file import JournalReader

DIFFERENCES_LISTED = 100
"""Differences past this many are counted but not listed."""

FOREVER_NS = 2**63 - 1


class Difference(NamedTuple):
    """Where the stretch, run again, is not what it was: after which journal entry, and at which venue if at one."""

    seq: int
    venue: str
    what: str


class Traffic:
    """Recorded traffic, played for each venue as far as it is wanted. One process's connections end with it, so each
    start begins with no book at all."""

    def __init__(self, records: Iterable[Record | BadLine], new_replay: Callable[[], Replay]) -> None:
        self._records = iter(records)
        self._new_replay = new_replay
        self._waiting: defaultdict[str, deque[Record | BadLine]] = defaultdict(deque)
        """What was read while other venues' records were looked for."""
        self._next: Record | BadLine | None = next(self._records, None)
        self._end_ns = FOREVER_NS
        self.replay = new_replay()
        self.begins_ns = FOREVER_NS
        self.frames = 0

    def begin(self, start_ns: int, end_ns: int) -> None:
        """The process that started at `start_ns` has what was recorded from then on, until the next one starts."""
        self.play_until(start_ns)
        self.frames += self.replay.frames
        self.replay, self._end_ns = self._new_replay(), end_ns
        self.begins_ns = self._next.at_ns if self._next is not None else FOREVER_NS

    def until(self, venue: str, instrument: str, updates: int) -> VenueBook | None:
        """The book after so many updates, or after the last that was recorded; None when it never was."""
        book = self.replay.market.find(instrument, venue)
        while book is None or book.counters.updates < updates:
            record = self._of(venue)
            if record is None:
                return book
            self.replay.step(record)
            book = self.replay.market.find(instrument, venue)
        return book

    def play_until(self, end_ns: int) -> None:
        """Play all that was recorded before that time and has not been played."""
        for venue, records in self._waiting.items():
            while records and records[0].at_ns < end_ns:
                self.replay.step(self._waiting[venue].popleft())
        while self._next is not None and self._next.at_ns < end_ns:
            self.replay.step(self._taken())

    def _of(self, venue: str) -> Record | BadLine | None:
        """The venue's next record of this process."""
        if self._waiting[venue]:
            return self._waiting[venue].popleft()
        while self._next is not None and self._next.at_ns < self._end_ns:
            record = self._taken()
            if record.venue == venue:
                return record
            self._waiting[record.venue].append(record)
        return None

    def _taken(self) -> Record | BadLine:
        record = self._next
        assert record is not None
        self._next = next(self._records, None)
        return record


class TrafficSight:
    """Sees what the traffic leads to, when and where the journal says that it was looked; see the module."""

    def __init__(self, traffic: Traffic, local: Market, differs: Callable[[str, str], None]) -> None:
        self._traffic = traffic
        self._local = local
        self._differs = differs
        self._expected: deque[Seen] = deque()
        self.looks = 0
        self.uncovered = 0
        """Looks from before the traffic begins, or after all of it was deleted: the journal is believed."""

    def expect(self, seen: Sequence[Seen]) -> None:
        self._expected = deque(seen)

    def look(self, request: RouteRequest, facts_of: FactsOf) -> Seen:
        if not self._expected:
            raise BrokenInvariant(f"{request.instrument.name}: the market is looked at, and was not then")
        then = self._expected.popleft()
        if then.request != request:
            raise BrokenInvariant(f"{request.instrument.name}: {request} is asked for, and {then.request} was then")
        self.looks += 1
        is_covered = request.as_of_ns >= self._traffic.begins_ns
        self.uncovered += not is_covered
        return then._replace(venues=tuple(self._again(depth, request, is_covered) for depth in then.venues))

    def _again(self, then: VenueDepth, request: RouteRequest, is_covered: bool) -> VenueDepth:
        """The depth as the books have it now. A venue that was out is out again, for the reason that it had."""
        instrument = then.listing.instrument.name
        if then.venue == LOCAL_VENUE:
            book = self._local.find(instrument, LOCAL_VENUE)
        elif is_covered:
            book = self._traffic.until(then.venue, instrument, then.updates)
        else:
            return then
        if then.reason is not None and not then.levels.prices:
            return then
        if book is None:
            self._differs(then.venue, f"{instrument} was planned on, and the traffic has no book of it")
            return then
        now = taken(book, request, then.rate, then.holdings, then.pending, then.confidence)
        if now.levels != then.levels:
            self._differs(then.venue, _difference(book, now, then))
            return then
        return replace(then, levels=now.levels)


def _difference(book: VenueBook, now: VenueDepth, then: VenueDepth) -> str:
    name = then.listing.instrument.name
    if book.counters.updates < then.updates:
        return f"{name}: the traffic ends after {book.counters.updates} updates, and the plan saw {then.updates}"
    if now.reason is not None:
        return f"{name}: the traffic leads to a book that is not live ({now.reason}), and the plan saw a live one"
    return f"{name}: after {then.updates} updates the traffic leads to other levels than the plan saw"


@dataclass
class Stretch:
    """The engine over a recorded stretch. `until_ns` ends it before the first entry of that time."""

    traffic: Traffic
    instruments: Instruments
    engine: Engine = field(default_factory=Engine)
    entries: int = 0
    seq: int = 0
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    digest_then: str | None = None
    """What the journal says of the state after the last entry that was run, where it keeps a snapshot of it."""

    def __post_init__(self) -> None:
        self._sight = TrafficSight(self.traffic, self.engine.market, self._differs)
        self.engine.orders.sight = self._sight

    def run(
        self,
        journal: JournalReader,
        until_ns: int = FOREVER_NS,
        applied: Callable[[OrderEvent, Sequence[Seen]], None] = lambda event, seen: None,
    ) -> None:
        """Run the journal's entries; `applied` is told of each right after. Raises BrokenInvariant for a journal that
        cannot be gone on with, JournalRefused and DocumentRefused for one that cannot be read."""
        starts = deque([*journal.starts_ns(), FOREVER_NS])
        snapshot = journal.latest_snapshot()
        for entry in journal.read():
            if entry.at_ns >= until_ns:
                break
            event, seen = entry.restored(self.instruments)
            self.seq = entry.seq
            if isinstance(event, Started):
                self.traffic.begin(starts.popleft(), starts[0])
            self._sight.expect(seen)
            effects: Sequence[Effect] = self.engine.apply(event)
            self.engine.take_seen()
            if effects_sha256(effects) != entry.effects:
                self._differs("", f"{entry.kind} has other effects than it had then")
            self.entries += 1
            applied(event, seen)
        if snapshot is not None and snapshot.seq == self.seq:
            self.digest_then = snapshot.digest
            if self.digest != snapshot.digest:
                self._differs("", "the orders' state has another digest than it had then")
        self.traffic.play_until(until_ns)

    @property
    def digest(self) -> str:
        """Of orders, ledger and local books, as they are after the last entry."""
        return orders_sha256(self.engine.orders.document())

    def report(self) -> dict[str, Any]:
        """What `replay --journal --json` prints."""
        return {
            "is_equal": not self.difference_count,
            "entries": self.entries,
            "until_seq": self.seq,
            "looks": self._sight.looks,
            "looks_without_traffic": self._sight.uncovered,
            "orders": len(self.engine.orders.parents),
            "frames": self.traffic.frames + self.traffic.replay.frames,
            "digest": self.digest,
            "digest_then": self.digest_then,
            "books": dict(self._books()),
            "differences": [difference._asdict() for difference in self.differences],
            "difference_count": self.difference_count,
        }

    def _books(self) -> Iterator[tuple[str, dict[str, str]]]:
        books: dict[str, dict[str, str]] = {}
        for book in (*self.traffic.replay.market, *self.engine.market):
            books.setdefault(book.venue, {})[book.listing.instrument.name] = book_sha256(book)
        yield from sorted(books.items())

    def _differs(self, venue: str, what: str) -> None:
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_LISTED:
            self.differences.append(Difference(self.seq, venue, what))
