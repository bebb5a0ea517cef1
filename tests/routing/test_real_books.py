"""Order books of four venues at one moment of 2019, crossed across venues: BTC/USD at one account's fee tiers."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any

import pytest

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Levels
from aggregator.domain.events import BookSnapshot
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.numbers import parse_rate
from aggregator.domain.plan import RoutePlan, RouteRequest, RoutingPolicy, VenueTerms
from aggregator.routing.depth import seen
from aggregator.routing.planner import plan
from tests.paths import needs_shared, shared
from tests.routing.venues import unfilled

BTC = Instrument("BTC/USD", "BTC", "USD", price_decimals=8, quantity_decimals=18)
TIERS = {"bitfinex": "0.0020", "bittrex": "0.0025", "bitstamp": "0.0025", "coinbase": "0.0020"}
"""Of an account that trades most at one venue, so that the cheapest book is not the cheapest after fees."""


@cache
def books() -> tuple[VenueBook, ...]:
    with gzip.open(shared("books", "run1-1.json.gz"), "rt") as lines:
        recorded = json.load(lines)
    return tuple(_book(book) for book in recorded if (book["base"], book["quote"]) == ("BTC", "USD"))


def _book(recorded: dict[str, Any]) -> VenueBook:
    venue = recorded["venue"]
    listing = Listing(
        venue,
        "BTCUSD",
        BTC,
        lot=BTC.quantity("0.00000001"),
        minimum_quantity=BTC.quantity("0.001"),
        minimum_notional=BTC.notional("10"),
        fees=Fees(taker=parse_rate(TIERS[venue])),
    )
    book = VenueBook(listing)
    book.apply(BookSnapshot(venue, BTC.name, 0, 1, _levels(recorded["bids"]), _levels(recorded["asks"])))
    book.check()
    return book


def _levels(rows: list[dict[str, Any]]) -> Levels:
    """Exact: every fraction in the file is a decimal."""

    def exact(fraction: dict[str, int], decimals: int) -> int:
        value = Fraction(fraction["numerator"], fraction["denominator"]) * 10**decimals
        assert value == floor(value)
        return int(value)

    return Levels(
        [exact(row["price"], BTC.price_decimals) for row in rows],
        [exact(row["qty"], BTC.quantity_decimals) for row in rows],
    )


def planned(side: Side, quantity: str, policy: RoutingPolicy, venues: tuple[str, ...] | None = None) -> RoutePlan:
    request = RouteRequest(BTC, side, quantity=BTC.quantity(quantity), venues=venues)
    return plan(request, [seen(book, request) for book in books()], policy)


@needs_shared
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("quantity", ["1", "10", "100"])
@pytest.mark.parametrize("fixed_cost", ["0", "0.05"])
def test_is_split_explained_and_beats_every_single_venue(side: Side, quantity: str, fixed_cost: str) -> None:
    policy = RoutingPolicy(other_terms=VenueTerms(fixed_cost=BTC.notional(fixed_cost)), market_bound_bps=500)
    found = planned(side, quantity, policy)
    assert (found.filled, unfilled(found), found.gap) == (BTC.quantity(quantity), {}, 0)
    assert {*(child.venue for child in found.children), *found.unused, *found.excluded} == set(TIERS)
    for venue in TIERS:
        alone = planned(side, quantity, policy, (venue,))
        assert set(alone.excluded) == set(TIERS) - {venue}
        if alone.filled == found.filled:
            assert alone.net >= found.net if side is Side.BUY else alone.net <= found.net
    if side is Side.BUY:
        assert len(found.children) > 1
        assert found.saving is None or found.saving > 0
        assert all(
            alone.filled < found.filled or alone.net > found.net
            for alone in (planned(side, quantity, policy, (venue,)) for venue in TIERS)
        )


@needs_shared
def test_the_figures_of_ten_bitcoin() -> None:
    document = planned(Side.BUY, "10", RoutingPolicy(market_bound_bps=500)).to_document()
    assert {child["venue"]: (child["quantity"], child["limit_price"]) for child in document["children"]} == {
        "bittrex": ("0.63208807", "5074.941"),
        "bitstamp": ("6.92841812", "5074.96"),
        "coinbase": ("2.43949381", "5077.92"),
    }
    assert document["net_total"] == "50871.987622706559275"
    assert (document["best_single_venue"], document["saving_bps"]) == ("bitstamp", "0.5727")
    assert document["unused"] == {
        "bitfinex": "its best price after fees, 5113.9074, is no better than 5088.07584, the last one taken"
    }


@needs_shared
def test_the_books_are_crossed_across_venues() -> None:
    """Which is why they are interesting: one venue bids above what another asks."""
    bids = [best for book in books() if (best := book.bids.best)]
    asks = [best for book in books() if (best := book.asks.best)]
    assert max(bids) > min(asks)


@needs_shared
def test_a_slice_is_no_deeper_than_the_request_could_use() -> None:
    request = RouteRequest(BTC, Side.BUY, quantity=BTC.quantity("1"))
    deepest = max(len(book.asks) for book in books())
    slices = [seen(book, request) for book in books()]
    assert max(len(depth.levels.prices) for depth in slices) < deepest // 10
    for depth, book in zip(slices, books(), strict=True):
        assert sum(depth.levels.quantities) >= BTC.quantity("1") or len(depth.levels.prices) == len(book.asks)
