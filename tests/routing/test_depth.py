"""The slice that a plan is made on is small, and as good as the whole books."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Levels
from aggregator.domain.events import BookLost, BookSnapshot
from aggregator.domain.instrument import Fees, Listing, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import RoutePlan, RouteRequest, RoutingPolicy, VenueDepth
from aggregator.routing.depth import FIRST_LEVELS, seen
from aggregator.routing.planner import plan
from tests.routing.cases import BTC
from tests.twins.examples import examples

DEEP = 300


def book(random: Random, venue: str) -> VenueBook:
    """A book of a hundred dollars, a cent a level."""
    listing = Listing(
        venue,
        "BTCUSDT",
        BTC,
        lot=random.choice((1, 5, 10)),
        minimum_quantity=random.choice((0, 30)),
        fees=Fees(taker=random.choice((0, 100_000))),
    )
    made = VenueBook(listing)
    quantities = [random.randint(1, 9) for _ in range(DEEP)]
    bids = Levels(list(range(9_999, 9_999 - DEEP, -1)), quantities)
    asks = Levels(list(range(10_001, 10_001 + DEEP)), quantities)
    made.apply(BookSnapshot(venue, BTC.name, 0, 1, bids, asks))
    return made


def whole(book: VenueBook, request: RouteRequest, pending: int, confidence: int) -> VenueDepth:
    ladder = book.asks if request.side is Side.BUY else book.bids
    return VenueDepth(book.listing, ladder.top(), pending=pending, confidence=confidence)


def decisions(found: RoutePlan) -> tuple[object, ...]:
    return found.children, found.filled, found.net, found.best_single, found.saving


@given(seed=st.integers(0, 10**6), side=st.sampled_from(Side), by_notional=st.booleans())
@examples(100)
def test_a_plan_on_the_slice_is_the_plan_on_the_whole_books(seed: int, side: Side, by_notional: bool) -> None:
    random = Random(seed)
    books = [book(random, venue) for venue in ("binance", "huobi", "gateio")]
    pending, confidence = random.choice((0, 50)), random.choice((RATE_ONE, RATE_ONE // 2))
    wanted = random.randint(1, 700)
    quantity, notional = (None, wanted * 10_000) if by_notional else (wanted, None)
    request = RouteRequest(BTC, side, quantity, notional)
    slices = [seen(book, request, pending=pending, confidence=confidence) for book in books]
    wholes = [whole(book, request, pending, confidence) for book in books]
    policy = RoutingPolicy(market_bound_bps=1_000)
    assert decisions(plan(request, slices, policy)) == decisions(plan(request, wholes, policy))


def test_the_slice_of_a_small_request_is_short() -> None:
    request = RouteRequest(BTC, Side.BUY, quantity=10)
    assert len(seen(book(Random(1), "binance"), request).levels.prices) == FIRST_LEVELS


def test_a_book_that_is_not_live_shows_only_why() -> None:
    lost = book(Random(1), "binance")
    lost.apply(BookLost("binance", BTC.name, 2, "the connection is gone"))
    depth = seen(lost, RouteRequest(BTC, Side.BUY, quantity=1))
    assert (depth.levels, depth.reason) == (Levels([], []), "syncing: the connection is gone")
