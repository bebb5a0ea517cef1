"""What the order side sees of the market. Live it looks at the books; in a replay it sees what was seen then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from aggregator.books.venue_book import VenueBook
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.plan import Holdings, RouteRequest, RoutingPolicy
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


class Sight(Protocol):
    def look(self, request: RouteRequest, facts_of: FactsOf) -> Seen:
        """The depth that a request is to be planned on, with the policy and the mid price of now."""
        ...


class MarketSight:
    """Looks at the live books. `policy_of` tells an instrument's routing policy."""

    def __init__(self, market: Market, policy_of: Callable[[Instrument], RoutingPolicy]) -> None:
        self._market = market
        self._policy_of = policy_of

    def look(self, request: RouteRequest, facts_of: FactsOf) -> Seen:
        instrument = request.instrument
        depth = []
        # Of two venues at one net price the planner takes the one that comes first: the local book's own liquidity.
        books = sorted(self._books(instrument.name).items(), key=lambda item: item[0] != LOCAL_VENUE)
        for venue, book in books:
            facts = facts_of(venue, instrument)
            taken = seen(book, request, None, facts.holdings, facts.pending, facts.confidence)
            reason = facts.reason if facts.is_closed else taken.reason or facts.reason
            depth.append(replace(taken, reason=reason, listing=_with_fees(taken.listing, facts.fees)))
        return Seen(request, tuple(depth), self._policy_of(instrument), self._market.middle(instrument.name))

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


def _with_fees(listing: Listing, fees: Fees | None) -> Listing:
    return listing if fees is None else replace(listing, fees=fees)
