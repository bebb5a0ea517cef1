"""The market holds every venue's book of every instrument, and each event touches its own book only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.consolidated import View
from aggregator.domain.book import Health
from aggregator.domain.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    BookUnchanged,
    FrameRejected,
    ListingsRead,
    MarketEvent,
    Refused,
    Subscribed,
    Trade,
)
from aggregator.domain.instrument import Instrument, Side
from aggregator.engine.market import Market
from tests.twins.examples import examples
from tests.twins.listings import BTC, levels, listing, rows

ETH = Instrument("ETH/USDT", "ETH", "USDT", price_decimals=2, quantity_decimals=3)
VENUES = ("binance", "huobi")
NAMES = ("BTC/USDT", "ETH/USDT")


def market() -> Market:
    """Two venues with two instruments each."""
    market = Market()
    for venue in VENUES:
        market.apply(ListingsRead(venue, 1, [listing(venue), listing(venue, "ETHUSDT", ETH)]))
    return market


def snapshot(venue: str, instrument: str, bid: int, ask: int, at_ns: int = 1) -> BookSnapshot:
    return BookSnapshot(venue, instrument, 0, at_ns, levels({bid: 1}), levels({ask: 1}))


def state(market: Market) -> dict[tuple[str, str], object]:
    return {
        (book.venue, book.listing.instrument.name): (book.bids.top(), book.asks.top(), book.health, repr(book.counters))
        for book in market
    }


@given(st.data())
@examples(60)
def test_an_event_changes_the_book_that_it_names_and_no_other(data: st.DataObject) -> None:
    told = market()
    for _ in range(12):
        venue, name = data.draw(st.sampled_from(VENUES)), data.draw(st.sampled_from(NAMES))
        quantity = data.draw(st.integers(0, 3))
        events: list[MarketEvent] = [
            snapshot(venue, name, 99, 101),
            snapshot(venue, name, 101, 99),
            BookDelta(venue, name, 0, 2, levels({98: quantity}), levels({})),
            BookUnchanged(venue, name, 5, 5),
            BookLost(venue, name, 3, "a gap", gap=True),
            FrameRejected(venue, 4, "not JSON", name),
        ]
        event = data.draw(st.sampled_from(events))
        before = state(told)
        health = told.books(name)[venue].health
        assert told.apply(event) == (told.books(name)[venue], health)
        told.check()
        after = state(told)
        assert {key for key in after if after[key] != before[key]} <= {(venue, name)}


class TestListings:
    def test_make_a_book_that_has_heard_nothing_yet(self) -> None:
        told = market()
        assert told.instruments == sorted(NAMES)
        assert {book.health for book in told} == {Health.EMPTY}

    def test_that_are_known_keep_their_book_and_bring_the_new_rules(self) -> None:
        told = market()
        told.apply(snapshot("binance", "BTC/USDT", 99, 101))
        told.apply(ListingsRead("binance", 5, [listing(taker=100_000)]))
        book = told.books("BTC/USDT")["binance"]
        assert (book.is_live, book.listing.fees.taker) == (True, 100_000)

    def test_of_an_instrument_that_is_listed_nowhere_are_not_made_up(self) -> None:
        with pytest.raises(KeyError):
            market().books("XRP/USDT")
        with pytest.raises(KeyError):
            market().consolidated("XRP/USDT")


class TestConsolidated:
    def test_is_of_all_venues_or_of_those_named(self) -> None:
        told = market()
        told.apply(snapshot("binance", "BTC/USDT", 99, 101))
        told.apply(snapshot("huobi", "BTC/USDT", 98, 102))
        assert told.consolidated("BTC/USDT").bids.prices == [99, 98]
        assert told.consolidated("BTC/USDT", venues=["huobi"]).bids.prices == [98]
        assert told.consolidated("BTC/USDT", venues=["nowhere"]).venues == ()
        assert told.consolidated("BTC/USDT", depth=1, view=View.NET).asks.venues_at(0) == {"binance": 1}

    def test_leaves_a_lost_book_out_from_that_very_event_on(self) -> None:
        told = market()
        told.apply(snapshot("binance", "BTC/USDT", 99, 101))
        told.apply(BookLost("binance", "BTC/USDT", 2, "the connection is gone"))
        depth = told.consolidated("BTC/USDT")
        assert depth.venues == ()
        assert depth.excluded["binance"] == "syncing: the connection is gone"


class TestOtherEvents:
    @pytest.mark.parametrize(
        "event",
        [
            Trade("binance", "BTC/USDT", 1, 1, "7", 100, 1, Side.BUY),
            Subscribed("binance", 1, "request 1"),
            Refused("binance", 1, "no"),
            FrameRejected("binance", 1, "not JSON"),
        ],
    )
    def test_touch_no_book(self, event: MarketEvent) -> None:
        told = market()
        before = state(told)
        assert told.apply(event) is None
        assert state(told) == before

    def test_a_rejected_frame_is_counted_where_it_belongs(self) -> None:
        told = market()
        told.apply(FrameRejected("huobi", 1, "not JSON", "ETH/USDT"))
        assert [book.counters.rejected_frames for book in told] == [0, 0, 0, 1]


def test_numbers_of_one_instrument_mean_the_same_on_every_venue() -> None:
    told = market()
    told.apply(snapshot("binance", "BTC/USDT", BTC.price("99.5"), BTC.price("100")))
    told.apply(snapshot("huobi", "BTC/USDT", BTC.price("99.50"), BTC.price("1e2")))
    depth = told.consolidated("BTC/USDT")
    assert rows(depth.bids.levels) == {BTC.price("99.5"): 2}
    assert rows(depth.asks.levels) == {BTC.price("100"): 2}
