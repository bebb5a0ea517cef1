"""One venue's book as dicts and a few rules, each of them written out."""

from aggregator.books.venue_book import Freshness
from aggregator.domain.book import Health, Levels
from aggregator.domain.events import BookDelta, BookEvent, BookLost, BookSnapshot
from aggregator.domain.instrument import Side
from tests.twins.ladder import NaiveLadder


class NaiveVenueBook:
    """See `aggregator.books.venue_book.VenueBook`. Whoever feeds it keeps the connectors' promise: between a loss
    and the next snapshot there are no deltas."""

    def __init__(self) -> None:
        self.bids, self.asks = NaiveLadder(Side.BUY), NaiveLadder(Side.SELL)
        self.health = Health.EMPTY
        self.since_ns = 0
        self.heard_ns = self.venue_time_ns = self.changed_ns = 0
        self.counted = {"updates": 0, "gaps": 0, "resyncs": 0, "crossed": 0}

    def apply(self, event: BookEvent) -> None:
        if isinstance(event, BookLost):
            self.counted["gaps"] += event.gap
            self.turn(Health.SYNCING, event.received_ns)
            return
        if isinstance(event, BookDelta) and self.health in (Health.EMPTY, Health.SYNCING):
            return
        self.heard_ns = event.received_ns
        if isinstance(event, BookSnapshot):
            self.venue_time_ns = 0
        self.venue_time_ns = max(self.venue_time_ns, event.venue_time_ns)
        if isinstance(event, BookSnapshot):
            self._take(event.received_ns, self.bids.replace(event.bids), self.asks.replace(event.asks))
            self.counted["resyncs"] += event.resync
            if self.is_crossed():
                self.turn(Health.CROSSED, event.received_ns)
            elif self.health is not Health.STALE:
                self.turn(Health.LIVE, event.received_ns)
        elif isinstance(event, BookDelta):
            self._take(event.received_ns, self.bids.apply(event.bids), self.asks.apply(event.asks))
            if event.depth:
                self.bids.trim(event.depth)
                self.asks.trim(event.depth)
            if self.is_crossed():
                self.turn(Health.CROSSED, event.received_ns)

    def quarantine(self, at_ns: int) -> None:
        self.turn(Health.QUARANTINED, at_ns)

    def release(self, at_ns: int) -> None:
        if self.health is Health.QUARANTINED:
            self.health, self.since_ns = Health.SYNCING, at_ns

    def judge(self, limits: Freshness, now_ns: int) -> None:
        clocks = (
            (limits.silent_ns, self.heard_ns),
            (limits.behind_ns, self.venue_time_ns or now_ns),
            (limits.frozen_ns, self.changed_ns),
        )
        is_stale = any(limit and now_ns - clock > limit for limit, clock in clocks)
        if self.health in (Health.LIVE, Health.STALE):
            self.turn(Health.STALE if is_stale else Health.LIVE, now_ns)

    def turn(self, health: Health, at_ns: int) -> None:
        if self.health in (Health.QUARANTINED, health):
            return
        self.counted["crossed"] += health is Health.CROSSED
        self.health, self.since_ns = health, at_ns

    def is_crossed(self) -> bool:
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid >= ask

    def sides(self) -> tuple[Levels, Levels]:
        return self.bids.top(), self.asks.top()

    def _take(self, at_ns: int, *changed: bool) -> None:
        self.counted["updates"] += 1
        if any(changed):
            self.changed_ns = at_ns
