"""What the order side sees of the market. Live it looks at the books; in a replay it sees what was seen then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from aggregator.books.rates import Rates
from aggregator.books.venue_book import VenueBook
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.plan import Holdings, Rate, RouteRequest, RoutingPolicy, VenueDepth
from aggregator.engine.market import Market
from aggregator.routing.depth import seen
from aggregator.routing.record import Seen


class VenueFacts(NamedTuple):
    """What the order side itself knows of a venue. `reason` says why it takes no new child now, None when it does;
    `fees` is the account's own tier, None while unknown; `is_closed` that the reason is somebody's word, which says
    more than what its book is like."""

    reason: str | None
    holdings: Holdings | None
    pending: int
    confidence: int
    fees: Fees | None = None
    is_closed: bool = False


FactsOf = Callable[[str, Instrument], VenueFacts]
PolicyOf = Callable[[Instrument], RoutingPolicy]
RoutesOf = Callable[[str], Collection[str] | None]
"""By the instrument's name."""


class Sight(Protocol):
    def look(self, request: RouteRequest, facts_of: FactsOf) -> Seen:
        """The depth that a request is to be planned on, with the policy and the mid price of now."""
        ...


class MarketSight:
    """Looks at the live books. `policy_of` tells an instrument's routing policy.

    `routes_of` tells to which venues orders in a listing of Busan's may go, and None for what Busan does not list: that
    goes everywhere, in its own quote only. Orders in a listing may be filled in other quotes of the same base as well,
    as far as there are `rates`.
    """

    def __init__(self, market: Market, policy_of: PolicyOf, rates: Rates, routes_of: RoutesOf) -> None:
        self._market = market
        self._policy_of = policy_of
        self._rates = rates
        self._routes_of = routes_of

    def look(self, request: RouteRequest, facts_of: FactsOf) -> Seen:
        instrument = request.instrument
        routes = self._routes_of(instrument.name)
        depth = list(self._own(request, routes, facts_of))
        policy = self._policy_of(instrument)
        if routes is not None:
            crossed = list(self._crossed(request, routes, facts_of))
            policy = self._with_terms(policy, depth, crossed)
            depth += crossed
        return Seen(request, tuple(depth), policy, self._market.middle(instrument.name))

    def _own(self, request: RouteRequest, routes: Collection[str] | None, facts_of: FactsOf) -> Iterator[VenueDepth]:
        """Of two venues at one net price the planner takes the one that comes first: the local book's own liquidity."""
        name = request.instrument.name
        for venue, book in sorted(self._books(name).items(), key=lambda item: item[0] != LOCAL_VENUE):
            seen_there = _depth(book, request, None, facts_of)
            if routes is not None and venue != LOCAL_VENUE and venue not in routes:
                seen_there = replace(seen_there, reason=f"Busan's listing of {name} does not route there")
            yield seen_there

    def _crossed(self, request: RouteRequest, routes: Collection[str], facts_of: FactsOf) -> Iterator[VenueDepth]:
        """The same base in other quotes. A buyer pays what the other quote costs, a seller gets what it brings."""
        wanted = request.instrument
        for quote in self._rates.into(wanted.quote):
            rate = self._rates.rate(quote, wanted.quote, request.as_of_ns, request.side)
            for venue, book in self._books(f"{wanted.base}/{quote}").items():
                if venue in routes:
                    yield _depth(book, request, rate, facts_of)

    def _with_terms(
        self, policy: RoutingPolicy, own: Sequence[VenueDepth], crossed: Sequence[VenueDepth]
    ) -> RoutingPolicy:
        """What the operator allows a venue in the other quote holds in this one, at the rate."""
        terms = dict(policy.terms)
        first = {depth.venue: depth for depth in reversed(crossed) if depth.rate is not None}
        for depth in own:
            first.pop(depth.venue, None)
        for venue, depth in first.items():
            if depth.rate is not None:
                terms[venue] = self._policy_of(depth.listing.instrument).of(venue).turned(depth.rate)
        return replace(policy, terms=terms)

    def _books(self, instrument: str) -> Mapping[str, VenueBook]:
        return self._market.books(instrument) if instrument in self._market.instruments else {}


class RecordedSight:
    """Sees again, in order, what was seen when the same event was first applied."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self._left = list(seen)

    def look(self, request: RouteRequest, facts_of: FactsOf) -> Seen:
        if not self._left:
            raise BrokenInvariant(f"{request.instrument.name}: the replay looks at the market where nothing was seen")
        seen = self._left.pop(0)
        if seen.request != request:
            raise BrokenInvariant(f"{request.instrument.name}: the replay asks {request}, and {seen.request} was asked")
        return seen


def _depth(book: VenueBook, request: RouteRequest, rate: Rate | str | None, facts_of: FactsOf) -> VenueDepth:
    """`rate` may say why there is none, which puts the venue out."""
    facts = facts_of(book.venue, book.listing.instrument)
    usable = rate if isinstance(rate, Rate) else None
    taken = seen(book, request, usable, facts.holdings, facts.pending, facts.confidence)
    reason = facts.reason if facts.is_closed else taken.reason or facts.reason
    missing = rate if isinstance(rate, str) else None
    return replace(taken, reason=reason or missing, listing=_with_fees(taken.listing, facts.fees))


def _with_fees(listing: Listing, fees: Fees | None) -> Listing:
    return listing if fees is None else replace(listing, fees=fees)
