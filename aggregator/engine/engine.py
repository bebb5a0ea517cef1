"""The engine: one function from an event to its effects. Whoever calls it between two events sees a whole state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import cast, get_args

from aggregator.books.rates import Rates, Top, top_of
from aggregator.books.venue_book import Freshness, VenueBook
from aggregator.domain.book import Health
from aggregator.domain.effects import Effect, HealthChanged, ResyncWanted, RulesChanged, VenueRefused, VenueTurned
from aggregator.domain.events import (
    BookSnapshot,
    ClockMeasured,
    Event,
    FrameRejected,
    ListingsRead,
    Refused,
    Tick,
)
from aggregator.domain.instrument import Instrument, Listing
from aggregator.domain.order_events import OrderEvent
from aggregator.domain.plan import RoutingPolicy
from aggregator.domain.rates import RateSource
from aggregator.engine.market import Market
from aggregator.engine.orders import Orders
from aggregator.engine.sight import MarketSight, PolicyOf, RecordedSight, RoutesOf
from aggregator.routing.record import Seen

NO_EFFECTS: Sequence[Effect] = ()
RESYNC_EVERY_NS = 5_000_000_000
"""A book that is crossed again right after its snapshot is not asked for more often than this."""

ALWAYS_FRESH = Freshness()

SHOWN_RULES: Mapping[str, Callable[[Instrument, int], str]] = {
    "tick": Instrument.show_price,
    "lot": Instrument.show_quantity,
    "minimum_quantity": Instrument.show_quantity,
    "minimum_notional": Instrument.show_notional,
}

ORDER_EVENTS: frozenset[type] = frozenset(get_args(OrderEvent))


def plain_policy(instrument: Instrument) -> RoutingPolicy:
    """Every venue may be routed to, within what the venue itself allows."""
    return RoutingPolicy()


def everywhere(instrument: str) -> Collection[str] | None:
    """Nothing is a listing of Busan's."""
    return None


class Engine:
    """`freshness` tells for each venue how long the clocks of its books may stand, `policy_of` how an instrument is
    routed. `rate_sources` and `routes_of` say at which rates and to which venues orders in a listing of Busan's may go
    in other quotes."""

    def __init__(
        self,
        freshness: Mapping[str, Freshness] | None = None,
        market: Market | None = None,
        policy_of: PolicyOf = plain_policy,
        rate_sources: Sequence[RateSource] = (),
        routes_of: RoutesOf = everywhere,
    ) -> None:
        self.market = market or Market()
        self.rates = Rates(rate_sources, self._top)
        self.orders = Orders(MarketSight(self.market, policy_of, self.rates, routes_of), self._show)
        self.now_ns = 0
        self.rejected_frames: dict[str, int] = {}
        self.clock_offset_ns: dict[str, int] = {}
        self._freshness = dict(freshness or {})
        self._dirty: set[str] = set()
        self._resync_asked_ns: dict[tuple[str, str], int] = {}

    def apply(self, event: Event | OrderEvent) -> Sequence[Effect]:
        if type(event) not in ORDER_EVENTS:
            return self._apply_to_market(cast(Event, event))
        effects = self.orders.apply(cast(OrderEvent, event))
        for effect in effects:
            if isinstance(effect, VenueTurned):
                self.show_as_switched(effect.venue)
        return effects

    def show_as_switched(self, venue: str) -> None:
        """Show a venue's books, or hide them, as it is switched; also after a state was restored."""
        switched = self.orders.state.switches.get(venue)
        reason = switched.hidden_reason if switched is not None else None
        if reason is None:
            self.market.hidden.pop(venue, None)
        else:
            self.market.hidden[venue] = reason
        self._dirty.update(book.listing.instrument.name for book in self.market if book.venue == venue)

    def forget(self, venue: str) -> None:
        """The venue is no more: nobody follows it, and it has no books."""
        self._dirty.update(self.market.remove(venue))
        self.market.hidden.pop(venue, None)
        self._freshness.pop(venue, None)

    def keep_only(self, venue: str, instruments: Collection[str]) -> None:
        """The venue lists nothing else any more."""
        self._dirty.update(self.market.remove(venue, but=instruments))

    def set_freshness(self, venue: str, freshness: Freshness) -> None:
        self._freshness[venue] = freshness

    def _top(self, venue: str, instrument: str) -> Top | str:
        book = self.market.find(instrument, venue)
        return f"it does not list {instrument}" if book is None else top_of(book)

    def _show(self, event: BookSnapshot | ListingsRead) -> None:
        """Busan's own books come to the market from within."""
        touched = self.market.apply(event)
        if touched is not None:
            self._dirty.add(touched[0].listing.instrument.name)

    def take_seen(self) -> list[Seen]:
        """What the order side looked at since the last call: it is journaled with the event that made it look."""
        return self.orders.take_seen()

    def replay(self, event: OrderEvent, seen: Sequence[Seen]) -> Sequence[Effect]:
        """Apply an event of the past, seeing what was seen then; what it caused has left long ago."""
        live, self.orders.sight = self.orders.sight, RecordedSight(seen)
        try:
            return self.orders.apply(event)
        finally:
            self.orders.sight = live
            self.orders.take_seen()

    def _apply_to_market(self, event: Event) -> Sequence[Effect]:
        if isinstance(event, Tick):
            return self._tick(event.now_ns)
        if isinstance(event, ClockMeasured):
            self.clock_offset_ns[event.venue] = event.offset_ns
        elif isinstance(event, FrameRejected):
            self.rejected_frames[event.venue] = self.rejected_frames.get(event.venue, 0) + 1
        elif isinstance(event, Refused):
            return self._refused(event)
        elif isinstance(event, ListingsRead):
            return [effect for listing in event.listings for effect in self._listed(listing, event.received_ns)]
        touched = self.market.apply(event)
        if touched is None:
            return NO_EFFECTS
        book, before = touched
        self._dirty.add(book.listing.instrument.name)
        if book.health is before and before is not Health.CROSSED:
            return NO_EFFECTS
        return self._health_effects(book, before, event.received_ns)

    def _listed(self, listing: Listing, at_ns: int) -> Iterator[Effect]:
        venue, name = listing.venue, listing.instrument.name
        book = self.market.find(name, venue)
        before, health = (book.listing, book.health) if book is not None else (listing, Health.EMPTY)
        self._dirty.add(name)
        if not self.market.add(listing, at_ns) or book is None:
            return
        if not _states_rules(before) and before.tradable == listing.tradable:
            return  # its file leaves them to the market list, which was read for the first time
        what = told_changes(before, listing)
        yield RulesChanged(venue, name, book.rules_version, what, listing.tradable, at_ns)
        yield from self._health_effects(book, health, at_ns)

    def _refused(self, event: Refused) -> Sequence[Effect]:
        book = self.market.find(event.instrument, event.venue) if event.instrument else None
        if book is not None:
            book.refused(event.reason, event.received_ns)
            self._dirty.add(book.listing.instrument.name)
        return [VenueRefused(event.venue, event.instrument, event.reason, event.received_ns)]

    def take_dirty(self) -> set[str]:
        """The instruments of which any book has changed since the last call."""
        dirty, self._dirty = self._dirty, set()
        return dirty

    def _tick(self, now_ns: int) -> Sequence[Effect]:
        self.now_ns = now_ns
        effects: list[Effect] = []
        for book in self.market:
            before = book.health
            limits = self._freshness.get(book.venue, ALWAYS_FRESH)
            book.judge(limits, now_ns, self.clock_offset_ns.get(book.venue, 0))
            if book.health is not before or before is Health.CROSSED:
                self._dirty.add(book.listing.instrument.name)
                effects += self._health_effects(book, before, now_ns)
        return effects

    def _health_effects(self, book: VenueBook, before: Health, at_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        venue, instrument = book.venue, book.listing.instrument.name
        if book.health is not before:
            effects.append(HealthChanged(venue, instrument, before, book.health, book.reason, at_ns))
        if book.health is Health.CROSSED and self._may_ask(venue, instrument, at_ns):
            effects.append(ResyncWanted(venue, book.listing.symbol, book.reason or ""))
        return effects

    def _may_ask(self, venue: str, instrument: str, at_ns: int) -> bool:
        asked_ns = self._resync_asked_ns.get((venue, instrument))
        if asked_ns is not None and at_ns - asked_ns < RESYNC_EVERY_NS:
            return False
        self._resync_asked_ns[venue, instrument] = at_ns
        return True


def _states_rules(listing: Listing) -> bool:
    return any(getattr(listing, rule) for rule in SHOWN_RULES)


def told_changes(before: Listing, now: Listing) -> str:
    """What is different, for people: `tick 0.01 -> 0.05, not tradable`."""
    instrument = now.instrument
    told = [
        f"{rule.replace('_', ' ')} {show(instrument, getattr(before, rule))} -> {show(instrument, getattr(now, rule))}"
        for rule, show in SHOWN_RULES.items()
        if getattr(before, rule) != getattr(now, rule)
    ]
    if before.tradable != now.tradable:
        told.append("tradable again" if now.tradable else "not tradable any more")
    return ", ".join(told) or "fees"
