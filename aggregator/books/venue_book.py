"""One venue's book for one instrument: its levels, and how far they may be believed."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.books.ladder import Ladder
from aggregator.domain.book import Health
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.events import BookDelta, BookEvent, BookLost, BookSnapshot, BookUnchanged
from aggregator.domain.instrument import Listing, Side

NOT_TRADED = "by its market list the venue does not trade it, or lists it no more"


@dataclass(slots=True)
class BookCounters:
    """What has befallen a book since it was made."""

    updates: int = 0
    """Snapshots and deltas applied."""
    gaps: int = 0
    resyncs: int = 0
    crossed: int = 0
    rejected_frames: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long each clock of a live book may stand, in ns; 0 switches that test off.

    A venue that is silent, one whose own time falls behind, and one that repeats a frozen picture are
    three different failures, and only the first shows on the connection.
    """

    silent_ns: int = 0
    behind_ns: int = 0
    frozen_ns: int = 0

    def complaint(self, book: VenueBook, now_ns: int, clock_offset_ns: int = 0) -> str | None:
        silent, frozen = now_ns - book.received_ns, now_ns - book.changed_ns
        behind = now_ns + clock_offset_ns - book.venue_time_ns
        if self.silent_ns and silent > self.silent_ns:
            return f"no frame for {_seconds(silent)}"
        if self.behind_ns and book.venue_time_ns and behind > self.behind_ns:
            return f"the venue's own time is {_seconds(behind)} behind"
        if self.frozen_ns and frozen > self.frozen_ns:
            return f"no level changed for {_seconds(frozen)}"
        return None


def _seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns // 100_000_000 % 10} s"


class VenueBook:
    """Both sides, the health with its reason and since when, and the three clocks of freshness.

    `received_ns` is when bytes for this book last came, `venue_time_ns` the venue's own newest time and
    `changed_ns` when a level last differed: a feed that repeats one frozen picture moves only the first.
    `rules_version` counts the listing's rules from 1; `rules_since_ns` is 0 for those of the venue's file.
    """

    __slots__ = (
        "asks", "bids", "changed_ns", "counters", "health", "listing",
        "reason", "received_ns", "rules_since_ns", "rules_version", "since_ns", "venue_time_ns",
    )  # fmt: skip

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.rules_version = 1
        self.rules_since_ns = 0
        self.bids = Ladder(Side.BUY)
        self.asks = Ladder(Side.SELL)
        self.health = Health.EMPTY
        self.reason: str | None = "nothing received yet"
        self.since_ns = 0
        self.received_ns = 0
        self.venue_time_ns = 0
        self.changed_ns = 0
        self.counters = BookCounters()

    @property
    def venue(self) -> str:
        return self.listing.venue

    @property
    def is_live(self) -> bool:
        return self.health is Health.LIVE

    def side(self, side: Side) -> Ladder:
        """The ladder that rests on this side: bids are buys."""
        return self.bids if side is Side.BUY else self.asks

    def apply(self, event: BookEvent) -> None:
        if isinstance(event, BookDelta):
            self._delta(event)
        elif isinstance(event, BookSnapshot):
            self._snapshot(event)
        elif isinstance(event, BookLost):
            self.counters.gaps += event.gap
            self.turn(Health.SYNCING, event.reason, event.received_ns)
        else:
            self._heard(event)

    def revise(self, listing: Listing, at_ns: int) -> bool:
        """Take on the venue's rules of now; whether they are others than before."""
        if listing == self.listing:
            return False
        self.listing = listing
        self.rules_version += 1
        self.rules_since_ns = at_ns
        if not listing.tradable and self.is_live:
            self.turn(Health.STALE, NOT_TRADED, at_ns)
        return True

    def turn(self, health: Health, reason: str | None, at_ns: int) -> None:
        """Change health. A quarantined book stays so, whatever its feed says, until `release`d."""
        if self.health is Health.QUARANTINED:
            return
        if health is not self.health:
            self.since_ns = at_ns
        self.health, self.reason = health, reason

    def refused(self, reason: str, at_ns: int) -> None:
        """The venue will not give this book: while there is none, that is the reason."""
        if self.health in (Health.EMPTY, Health.SYNCING):
            self.turn(Health.SYNCING, reason, at_ns)

    def quarantine(self, reason: str, at_ns: int) -> None:
        self.turn(Health.QUARANTINED, reason, at_ns)

    def release(self, at_ns: int) -> None:
        """Let a quarantined book back in. It is live again with its next snapshot."""
        if self.health is Health.QUARANTINED:
            self.health = Health.EMPTY
            self.turn(Health.SYNCING, "released from quarantine, a snapshot is awaited", at_ns)

    def judge(self, limits: Freshness, now_ns: int, clock_offset_ns: int = 0) -> None:
        """Turn a live book stale when one of its clocks stands too long, and back when none does any more."""
        if self.health not in (Health.LIVE, Health.STALE):
            return
        complaint = limits.complaint(self, now_ns, clock_offset_ns) if self.listing.tradable else NOT_TRADED
        if complaint:
            self.turn(Health.STALE, complaint, now_ns)
        elif self.health is Health.STALE:
            self.turn(Health.LIVE, None, now_ns)

    def _heard(self, event: BookDelta | BookUnchanged) -> None:
        self.received_ns = event.received_ns
        self.venue_time_ns = max(self.venue_time_ns, event.venue_time_ns)

    def _snapshot(self, event: BookSnapshot) -> None:
        bids_changed = self.bids.replace(event.bids)
        asks_changed = self.asks.replace(event.asks)
        self.received_ns = event.received_ns
        # It may be older than what it replaces, or state no time: then the venue's time is not known.
        self.venue_time_ns = event.venue_time_ns
        if bids_changed or asks_changed:
            self.changed_ns = event.received_ns
        self.counters.updates += 1
        self.counters.resyncs += event.resync
        # A stale book is not made fresh by one more picture of itself; `judge` sees whether its clocks move again.
        if self._is_crossed(event.received_ns) or self.health is Health.STALE:
            return
        if self.listing.tradable:
            self.turn(Health.LIVE, None, event.received_ns)
        else:
            self.turn(Health.STALE, NOT_TRADED, event.received_ns)

    def _delta(self, event: BookDelta) -> None:
        if self.health not in _CONTINUABLE:
            return
        bids_changed = self.bids.apply(event.bids)
        asks_changed = self.asks.apply(event.asks)
        if event.depth:
            self.bids.trim(event.depth)
            self.asks.trim(event.depth)
        self._heard(event)
        self.counters.updates += 1
        if bids_changed or asks_changed:
            self.changed_ns = event.received_ns
            self._is_crossed(event.received_ns)

    def _is_crossed(self, at_ns: int) -> bool:
        """A venue's own book cannot be crossed or locked at rest, so ours must have missed something."""
        bid, ask = self.bids.best, self.asks.best
        if bid is None or ask is None or bid < ask:
            return False
        if self.health not in (Health.CROSSED, Health.QUARANTINED):
            self.counters.crossed += 1
        show = self.listing.instrument.show_price
        self.turn(Health.CROSSED, f"best bid {show(bid)} is not below best ask {show(ask)}", at_ns)
        return True

    def check(self) -> None:
        self.bids.check()
        self.asks.check()
        bid, ask = self.bids.best, self.asks.best
        if self.is_live and bid is not None and ask is not None and bid >= ask:
            raise BrokenInvariant(f"{self.venue} {self.listing.symbol}: live although crossed")
        if (self.reason is None) != self.is_live:
            raise BrokenInvariant(f"{self.venue} {self.listing.symbol}: {self.health} with reason {self.reason!r}")


_CONTINUABLE = frozenset({Health.LIVE, Health.STALE, Health.CROSSED, Health.QUARANTINED})
"""A delta continues only a book that had a snapshot and has not been lost since."""
