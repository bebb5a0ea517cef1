"""The consolidated book is exactly what the live venues show, and says whose every quantity is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.consolidated import ConsolidatedDepth, MergedSide, View, consolidate, net_factor
from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.events import BookLost, BookSnapshot
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import RATE_DECIMALS, RATE_ONE, parse_rate
from tests.twins.consolidated import NaiveConsolidated, NaiveVenue, Row
from tests.twins.examples import examples
from tests.twins.listings import BTC, levels, listing

SIDE = st.dictionaries(st.integers(9_900, 10_100), st.integers(1, 50), max_size=12)
"""Sides of venues overlap, and cross."""
FEE_TEXTS = ["0", "0.001", "0.00075", "0.0026", "0.05", "0.00000001", "0.99999999"]


@st.composite
def venue_books(draw: st.DrawFn) -> list[VenueBook]:
    books = []
    for number in range(draw(st.integers(0, 5))):
        book = venue_book(
            f"venue{number}",
            draw(SIDE),
            draw(SIDE),
            fee=draw(st.sampled_from(FEE_TEXTS)),
            received_ns=draw(st.integers(1, 100)),
        )
        if draw(st.integers(0, 4)) == 0:
            book.apply(BookLost(book.venue, "BTC/USDT", 200, "its connection is gone"))
        books.append(book)
    return books


def venue_book(
    name: str, bids: dict[int, int], asks: dict[int, int], *, fee: str = "0", received_ns: int = 1
) -> VenueBook:
    book = VenueBook(listing(name, taker=parse_rate(fee)))
    book.apply(BookSnapshot(name, "BTC/USDT", 0, received_ns, levels(bids), levels(asks)))
    book.check()
    return book


def twin(books: list[VenueBook]) -> NaiveConsolidated:
    """The same books, as fractions of whole coins."""
    venues = []
    for book in books:
        venue = NaiveVenue(book.venue, Fraction(book.listing.fees.taker, RATE_ONE), is_live=book.health is Health.LIVE)
        for side in Side:
            shown = zip(*book.side(side).top(), strict=True)
            venue.levels[side] = {price_of(price): quantity_of(quantity) for price, quantity in shown}
        venues.append(venue)
    return NaiveConsolidated(venues)


def price_of(price: int, decimals: int = BTC.price_decimals) -> Fraction:
    return Fraction(price, 10**decimals)


def quantity_of(quantity: int) -> Fraction:
    return Fraction(quantity, 10**BTC.quantity_decimals)


def merged_rows(side: MergedSide, decimals: int) -> list[Row]:
    return [
        (
            price_of(price, decimals),
            quantity_of(quantity),
            {venue: quantity_of(share) for venue, share in side.venues_at(index).items()},
        )
        for index, (price, quantity) in enumerate(zip(side.prices, side.quantities, strict=True))
    ]


@given(books=venue_books(), depth=st.one_of(st.none(), st.integers(0, 15)), view=st.sampled_from(View))
@examples(80)
def test_every_level_price_quantity_and_share_is_the_twins(
    books: list[VenueBook], depth: int | None, view: View
) -> None:
    depth_of_all = consolidate(BTC, books, depth, view)
    depth_of_all.check()
    naive = twin(books)
    for side, merged in ((Side.BUY, depth_of_all.bids), (Side.SELL, depth_of_all.asks)):
        rows = merged_rows(merged, depth_of_all.price_decimals)
        assert rows == naive.rows(side, depth, net=view is View.NET)
        assert all(sum(shares.values()) == quantity for _, quantity, shares in rows)


@given(books=venue_books())
@examples(100)
def test_a_venue_is_either_in_it_or_excluded_with_its_reason(books: list[VenueBook]) -> None:
    depth = consolidate(BTC, books)
    assert set(depth.venues) | set(depth.excluded) == {book.venue for book in books}
    for book in books:
        assert (book.venue in depth.venues) == book.is_live
        if not book.is_live:
            assert depth.excluded[book.venue] == f"{book.health}: {book.reason}"
            assert book.venue not in depth.bids.shares
            assert book.venue not in depth.asks.shares


@given(books=venue_books())
@examples(100)
def test_its_age_is_that_of_its_oldest_contributor(books: list[VenueBook]) -> None:
    heard = [book.received_ns for book in books if book.is_live]
    assert consolidate(BTC, books).oldest_ns == (min(heard) if heard else 0)


class TestNetPrices:
    def test_order_venues_by_what_is_paid_in_the_end(self) -> None:
        dear = venue_book("dear", {}, {10_000: 1}, fee="0.0026")
        cheap = venue_book("cheap", {}, {10_010: 1}, fee="0.0005")
        gross, net = consolidate(BTC, [dear, cheap]), consolidate(BTC, [dear, cheap], view=View.NET)
        assert [gross.asks.venues_at(index) for index in range(2)] == [{"dear": 1}, {"cheap": 1}]
        assert [net.asks.venues_at(index) for index in range(2)] == [{"cheap": 1}, {"dear": 1}]

    def test_are_worse_than_gross_on_both_sides(self) -> None:
        book = venue_book("one", {10_000: 1}, {10_001: 1}, fee="0.001")
        net = consolidate(BTC, [book], view=View.NET)
        assert net.price_decimals == BTC.price_decimals + RATE_DECIMALS
        assert net.bids.prices == [9_990 * RATE_ONE]
        assert net.asks.prices == [10_011_001 * RATE_ONE // 1000]

    def test_of_a_rebate_are_better(self) -> None:
        assert net_factor(Side.BUY, -10) > RATE_ONE > net_factor(Side.SELL, -10)

    def test_that_agree_exactly_are_one_level(self) -> None:
        first = venue_book("first", {}, {10_000: 1}, fee="0.01")
        second = venue_book("second", {}, {10_100: 2}, fee="0")
        net = consolidate(BTC, [first, second], view=View.NET)
        assert net.asks.quantities == [3]
        assert net.asks.venues_at(0) == {"first": 1, "second": 2}


class TestAcrossVenues:
    def test_a_cross_is_real_and_said_so(self) -> None:
        low, high = venue_book("low", {9_000: 1}, {9_500: 1}), venue_book("high", {9_900: 1}, {10_000: 1})
        crossed = consolidate(BTC, [low, high])
        assert crossed.is_crossed
        assert (crossed.bids.prices[0], crossed.asks.prices[0]) == (9_900, 9_500)
        assert not consolidate(BTC, [low]).is_crossed
        assert not consolidate(BTC, []).is_crossed

    def test_a_venue_whose_own_book_is_crossed_is_out(self) -> None:
        sound, crossed = venue_book("sound", {9_000: 1}, {9_500: 1}), venue_book("crossed", {9_900: 1}, {9_800: 1})
        depth = consolidate(BTC, [sound, crossed])
        assert depth.venues == ("sound",)
        assert depth.excluded["crossed"].startswith("crossed: best bid 99 is not below best ask 98")

    def test_every_level_keeps_its_venues(self) -> None:
        books = [venue_book(name, {9_000: quantity}, {}) for name, quantity in (("a", 1), ("b", 2), ("c", 4))]
        depth = consolidate(BTC, books)
        assert depth.bids.quantities == [7]
        assert depth.bids.venues_at(0) == {"a": 1, "b": 2, "c": 4}

    def test_reading_changes_no_book(self) -> None:
        book = venue_book("one", {9_000: 1}, {9_500: 1})
        depth = consolidate(BTC, [book])
        depth.bids.prices.append(1)
        depth.bids.shares["one"].append(1)
        assert book.bids.top() == levels({9_000: 1})


class TestCheckNotices:
    @pytest.mark.parametrize(
        "side",
        [
            MergedSide(Side.BUY, [1, 2], [1, 1], {"a": [1, 1]}),
            MergedSide(Side.SELL, [1, 1], [1, 1], {"a": [1, 1]}),
            MergedSide(Side.SELL, [1], [3], {"a": [1], "b": [1]}),
            MergedSide(Side.SELL, [1], [0], {"a": [0]}),
        ],
        ids=["order", "twice", "sum", "empty"],
    )
    def test_a_side_that_contradicts_itself(self, side: MergedSide) -> None:
        with pytest.raises(BrokenInvariant):
            side.check()

    def test_a_venue_both_in_and_out(self) -> None:
        none = MergedSide(Side.BUY, [], [], {})
        depth = ConsolidatedDepth(BTC, View.GROSS, 2, none, none, ("a",), {"a": "stale"}, 0)
        with pytest.raises(BrokenInvariant):
            depth.check()
