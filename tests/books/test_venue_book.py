"""A venue's book is believed exactly as far as what was heard of it allows."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aggregator.books.venue_book import Freshness, VenueBook
from aggregator.domain.book import NO_LEVELS, Health
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, BookUnchanged
from aggregator.domain.instrument import Instrument, Listing, Side
from tests.twins.examples import examples
from tests.twins.listings import levels, listing, rows
from tests.twins.venue_book import NaiveVenueBook

SECOND = 1_000_000_000
LIMITS = Freshness(silent_ns=5 * SECOND, behind_ns=10 * SECOND, frozen_ns=60 * SECOND)


def snapshot(
    bids: dict[int, int], asks: dict[int, int], *, at: int = 0, venue_time: int = 0, resync: bool = False
) -> BookSnapshot:
    """Times in seconds."""
    venue_time_ns, at_ns = venue_time * SECOND, at * SECOND
    return BookSnapshot("binance", "BTC/USDT", venue_time_ns, at_ns, levels(bids), levels(asks), resync)


def delta(bids: dict[int, int], asks: dict[int, int], *, at: int = 0, venue_time: int = 0, depth: int = 0) -> BookDelta:
    venue_time_ns, at_ns = venue_time * SECOND, at * SECOND
    return BookDelta("binance", "BTC/USDT", venue_time_ns, at_ns, levels(bids), levels(asks), depth)


def lost(reason: str = "a gap", *, at: int = 0, gap: bool = False) -> BookLost:
    return BookLost("binance", "BTC/USDT", at * SECOND, reason, gap)


def unchanged(*, at: int = 0, venue_time: int = 0) -> BookUnchanged:
    return BookUnchanged("binance", "BTC/USDT", venue_time * SECOND, at * SECOND)


def live_book(at: int = 0, venue_time: int = 0) -> VenueBook:
    book = VenueBook(listing())
    book.apply(snapshot({99: 1, 98: 2}, {101: 1, 102: 2}, at=at, venue_time=venue_time))
    return book


class TestHealth:
    def test_of_a_book_not_heard_of_is_empty(self) -> None:
        book = VenueBook(listing())
        book.check()
        assert (book.health, book.is_live, book.reason) == (Health.EMPTY, False, "nothing received yet")

    def test_is_live_with_the_first_snapshot(self) -> None:
        book = live_book(at=7)
        assert (book.health, book.reason, book.since_ns) == (Health.LIVE, None, 7 * SECOND)

    def test_of_an_empty_snapshot_is_live_too(self) -> None:
        book = VenueBook(listing())
        book.apply(snapshot({}, {}))
        book.check()
        assert book.is_live

    def test_is_syncing_from_the_loss_on_and_says_why_and_since_when(self) -> None:
        book = live_book()
        book.apply(lost("gap: an update follows 7", at=3, gap=True))
        assert (book.health, book.reason, book.since_ns) == (Health.SYNCING, "gap: an update follows 7", 3 * SECOND)

    def test_of_a_lost_book_does_not_come_back_with_deltas(self) -> None:
        book = live_book()
        book.apply(lost())
        book.apply(delta({100: 5}, {}))
        assert book.health is Health.SYNCING
        assert book.bids.quantity_at(100) == 0

    def test_of_a_book_without_a_snapshot_does_not_begin_with_deltas(self) -> None:
        book = VenueBook(listing())
        book.apply(delta({100: 5}, {}))
        assert (book.health, len(book.bids), book.counters.updates) == (Health.EMPTY, 0, 0)

    def test_is_live_again_with_the_next_snapshot_of_which_nothing_old_is_left(self) -> None:
        book = live_book()
        book.apply(lost())
        book.apply(snapshot({97: 3}, {103: 3}, at=9, resync=True))
        assert book.is_live
        assert (rows(book.bids.top()), rows(book.asks.top())) == ({97: 3}, {103: 3})
        assert (book.counters.resyncs, book.since_ns) == (1, 9 * SECOND)

    @pytest.mark.parametrize(("bid", "ask"), [(101, 101), (105, 101)], ids=["locked", "crossed"])
    def test_is_crossed_as_soon_as_the_best_bid_is_not_below_the_best_ask(self, bid: int, ask: int) -> None:
        for event in (snapshot({bid: 1}, {ask: 1}, at=4), delta({bid: 1}, {}, at=4)):
            book = live_book()
            book.apply(event)
            book.check()
            assert (book.health, book.since_ns, book.counters.crossed) == (Health.CROSSED, 4 * SECOND, 1)
            assert book.reason is not None
            assert "is not below best ask 1.01" in book.reason

    def test_of_a_crossed_book_that_uncrosses_by_itself_is_not_believed(self) -> None:
        book = live_book()
        book.apply(delta({101: 1}, {}))
        book.apply(delta({101: 0}, {}))
        assert book.health is Health.CROSSED
        book.apply(snapshot({99: 1}, {101: 1}))
        assert book.is_live

    def test_of_a_book_that_stays_crossed_counts_once(self) -> None:
        book = live_book()
        for at in range(1, 5):
            book.apply(delta({101: at}, {}, at=at))
        assert (book.counters.crossed, book.since_ns) == (1, SECOND)
        book.apply(snapshot({99: 1}, {101: 1}))
        book.apply(snapshot({101: 1}, {101: 1}))
        assert book.counters.crossed == 2

    @pytest.mark.parametrize("health", [Health.STALE, Health.CROSSED, Health.SYNCING, Health.LIVE])
    def test_changes_since_when_only_when_it_changes(self, health: Health) -> None:
        book = live_book()
        book.turn(health, None if health is Health.LIVE else "once", 1)
        since = book.since_ns
        book.turn(health, None if health is Health.LIVE else "again", 2)
        assert book.since_ns == since


class TestQuarantine:
    @pytest.mark.parametrize(
        "event", [snapshot({1: 1}, {2: 1}), delta({1: 1}, {}), delta({101: 1}, {}), lost(), unchanged()]
    )
    def test_ends_only_by_release(self, event: BookSnapshot | BookDelta | BookLost | BookUnchanged) -> None:
        book = live_book()
        book.quarantine("far from its peers", SECOND)
        book.apply(event)
        book.judge(LIMITS, 1000 * SECOND)
        book.check()
        assert (book.health, book.reason, book.since_ns) == (Health.QUARANTINED, "far from its peers", SECOND)

    def test_once_over_needs_a_snapshot_before_the_book_is_live(self) -> None:
        book = live_book()
        book.quarantine("far from its peers", SECOND)
        book.release(2 * SECOND)
        assert (book.health, book.since_ns) == (Health.SYNCING, 2 * SECOND)
        book.apply(delta({100: 1}, {}))
        assert book.health is Health.SYNCING
        book.apply(snapshot({99: 1}, {101: 1}))
        assert book.is_live

    def test_that_is_not_cannot_be_released_from(self) -> None:
        book = live_book()
        book.release(5 * SECOND)
        assert book.is_live

    def test_of_a_crossed_book_does_not_count_the_cross_with_every_update(self) -> None:
        book = live_book()
        book.apply(delta({101: 1}, {}))
        book.quarantine("a person looks into it", SECOND)
        for quantity in range(2, 9):
            book.apply(delta({101: quantity}, {}))
        assert book.counters.crossed == 1


class TestFreshness:
    def test_of_a_silent_venue_ends(self) -> None:
        book = live_book(at=100)
        book.judge(LIMITS, 105 * SECOND)
        assert book.is_live
        book.judge(LIMITS, 105 * SECOND + 1)
        assert (book.health, book.reason) == (Health.STALE, "no frame for 5.0 s")
        book.check()

    def test_of_a_venue_whose_own_time_falls_behind_ends(self) -> None:
        book = live_book(at=100, venue_time=90)
        book.apply(delta({99: 7}, {}, at=101, venue_time=90))
        book.judge(LIMITS, 101 * SECOND)
        assert (book.health, book.reason) == (Health.STALE, "the venue's own time is 11.0 s behind")

    def test_of_a_venue_that_repeats_one_picture_ends(self) -> None:
        book = live_book(at=100, venue_time=100)
        for at in range(101, 162):
            book.apply(snapshot({99: 1, 98: 2}, {101: 1, 102: 2}, at=at, venue_time=at))
        assert book.received_ns == book.venue_time_ns == 161 * SECOND
        assert book.changed_ns == 100 * SECOND
        book.judge(LIMITS, 161 * SECOND)
        assert (book.health, book.reason) == (Health.STALE, "no level changed for 61.0 s")

    def test_of_a_venue_that_repeats_deltas_which_change_nothing_ends(self) -> None:
        book = live_book(at=100)
        for at in range(101, 162):
            book.apply(delta({99: 1, 55: 0}, {}, at=at))
        book.judge(LIMITS, 161 * SECOND)
        assert book.health is Health.STALE

    def test_is_told_by_a_message_without_levels_too(self) -> None:
        book = live_book(at=100, venue_time=100)
        book.apply(unchanged(at=109, venue_time=109))
        book.judge(LIMITS, 110 * SECOND)
        assert book.is_live
        assert (book.received_ns, book.venue_time_ns, book.changed_ns) == (109 * SECOND, 109 * SECOND, 100 * SECOND)

    def test_comes_back_when_no_clock_stands_any_more(self) -> None:
        book = live_book(at=100)
        book.judge(LIMITS, 106 * SECOND)
        book.apply(delta({99: 9}, {}, at=107))
        assert book.health is Health.STALE, "until it is judged again"
        book.judge(LIMITS, 107 * SECOND)
        book.check()
        assert (book.health, book.since_ns, book.reason) == (Health.LIVE, 107 * SECOND, None)

    def test_counts_since_the_first_complaint_and_keeps_its_reason_new(self) -> None:
        book = live_book(at=100)
        book.judge(LIMITS, 106 * SECOND)
        book.judge(LIMITS, 108 * SECOND + SECOND // 2)
        assert (book.since_ns, book.reason) == (106 * SECOND, "no frame for 8.5 s")

    def test_is_not_asked_of_the_venues_time_where_it_states_none(self) -> None:
        book = live_book(at=100, venue_time=0)
        book.judge(Freshness(behind_ns=1), 500 * SECOND)
        assert book.is_live

    def test_without_limits_never_ends(self) -> None:
        book = live_book(at=1)
        book.judge(Freshness(), 10**20)
        assert book.is_live

    def test_moves_only_forward_with_the_venues_time(self) -> None:
        book = live_book(at=100, venue_time=100)
        book.apply(delta({99: 2}, {}, at=101, venue_time=90))
        assert book.venue_time_ns == 100 * SECOND

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda book: book.apply(lost()),
            lambda book: book.apply(delta({101: 1}, {})),
            lambda book: book.quarantine("", 0),
        ],
    )
    def test_is_not_judged_of_a_book_that_is_out_for_another_reason(self, spoil: Callable[[VenueBook], None]) -> None:
        book = live_book(at=100)
        spoil(book)
        before = book.health
        book.judge(LIMITS, 1000 * SECOND)
        book.judge(Freshness(), 1000 * SECOND)
        assert book.health is before

    def test_of_a_stale_book_does_not_hide_a_cross_or_a_loss(self) -> None:
        for event, health in ((delta({101: 1}, {}), Health.CROSSED), (lost(), Health.SYNCING)):
            book = live_book(at=100)
            book.judge(LIMITS, 200 * SECOND)
            book.apply(event)
            assert book.health is health


class TestLevels:
    def test_finer_than_the_listings_tick_and_lot_stay(self) -> None:
        instrument = Instrument.of("BTC", "USDT")
        ruled = Listing(
            "binance", "BTCUSDT", instrument, tick=instrument.price("0.01"), lot=instrument.quantity("0.001")
        )
        book = VenueBook(ruled)
        price, quantity = instrument.price("61837.6301"), instrument.quantity("0.00000001")
        book.apply(snapshot({price: quantity}, {}))
        book.apply(delta({price + 1: quantity + 1}, {}))
        book.check()
        assert rows(book.bids.top()) == {price + 1: quantity + 1, price: quantity}

    def test_below_the_depth_that_a_stream_covers_are_dropped(self) -> None:
        book = live_book()
        book.apply(delta({97: 1, 100: 1}, {103: 1}, depth=2))
        assert rows(book.bids.top()) == {100: 1, 99: 1}
        assert rows(book.asks.top()) == {101: 1, 102: 2}

    def test_are_counted_by_message(self) -> None:
        book = live_book()
        book.apply(delta({}, {}))
        book.apply(unchanged())
        assert book.counters.updates == 2

    def test_of_each_side_are_found_by_side(self) -> None:
        book = live_book()
        assert book.side(Side.BUY) is book.bids
        assert book.side(Side.SELL) is book.asks
        assert book.venue == "binance"


class TestCheckNotices:
    def test_a_live_book_that_is_crossed(self) -> None:
        book = live_book()
        book.bids.apply(levels({101: 1}))
        with pytest.raises(BrokenInvariant):
            book.check()

    def test_health_without_its_reason(self) -> None:
        book = live_book()
        book.reason = "but it is live"
        with pytest.raises(BrokenInvariant):
            book.check()


SIDE = st.dictionaries(st.integers(1, 12), st.integers(0, 2), max_size=3)
SOME_NS = st.integers(0, 4)


class TwinsWalkTogether(RuleBasedStateMachine):
    """Any stream that the connectors may send, with the clock, people and the judge in between."""

    @initialize()
    def begin(self) -> None:
        self.book, self.twin = VenueBook(listing()), NaiveVenueBook()
        self.now_ns = 100
        self.is_whole = False

    @rule(bids=SIDE, asks=SIDE, waited=SOME_NS, venue_time=st.integers(0, 120), resync=st.booleans())
    def snapshot(self, bids: dict[int, int], asks: dict[int, int], waited: int, venue_time: int, resync: bool) -> None:
        self.now_ns += waited
        self.is_whole = True
        asks = {price + 6: quantity for price, quantity in asks.items()}
        self._apply(BookSnapshot("binance", "BTC/USDT", venue_time, self.now_ns, levels(bids), levels(asks), resync))

    @precondition(lambda self: self.is_whole)
    @rule(bids=SIDE, asks=SIDE, waited=SOME_NS, venue_time=st.integers(0, 120), depth=st.integers(0, 3))
    def delta(self, bids: dict[int, int], asks: dict[int, int], waited: int, venue_time: int, depth: int) -> None:
        self.now_ns += waited
        asks = {price + 6: quantity for price, quantity in asks.items()}
        self._apply(BookDelta("binance", "BTC/USDT", venue_time, self.now_ns, levels(bids), levels(asks), depth))

    @rule(waited=SOME_NS, venue_time=st.integers(0, 120))
    def unchanged(self, waited: int, venue_time: int) -> None:
        self.now_ns += waited
        self._apply(BookUnchanged("binance", "BTC/USDT", venue_time, self.now_ns))

    @rule(gap=st.booleans())
    def lost(self, gap: bool) -> None:
        self.is_whole = False
        self._apply(BookLost("binance", "BTC/USDT", self.now_ns, "lost", gap))

    @rule()
    def quarantine(self) -> None:
        self.book.quarantine("a person said so", self.now_ns)
        self.twin.quarantine(self.now_ns)

    @rule()
    def release(self) -> None:
        self.book.release(self.now_ns)
        self.twin.release(self.now_ns)

    @rule(silent=st.integers(0, 6), behind=st.integers(0, 20), frozen=st.integers(0, 12), waited=SOME_NS)
    def judge(self, silent: int, behind: int, frozen: int, waited: int) -> None:
        self.now_ns += waited
        limits = Freshness(silent, behind, frozen)
        self.book.judge(limits, self.now_ns)
        self.twin.judge(limits, self.now_ns)

    def _apply(self, event: BookSnapshot | BookDelta | BookUnchanged | BookLost) -> None:
        self.book.apply(event)
        self.twin.apply(event)

    @invariant()
    def they_are_equal(self) -> None:
        book, twin = self.book, self.twin
        book.check()
        assert (book.bids.top(), book.asks.top()) == twin.sides()
        assert (book.health, book.since_ns) == (twin.health, twin.since_ns)
        assert (book.received_ns, book.venue_time_ns, book.changed_ns) == (
            twin.heard_ns,
            twin.venue_time_ns,
            twin.changed_ns,
        )
        assert {name: getattr(book.counters, name) for name in twin.counted} == twin.counted


TwinsWalkTogether.TestCase.settings = examples(60)
TestTwinsWalkTogether = TwinsWalkTogether.TestCase


@given(bids=SIDE, asks=SIDE, later=st.tuples(SIDE, SIDE))
@examples(60)
def test_a_snapshot_replaces_all_that_was_there(
    bids: dict[int, int], asks: dict[int, int], later: tuple[dict[int, int], dict[int, int]]
) -> None:
    fresh, used = VenueBook(listing()), VenueBook(listing())
    used.apply(snapshot(bids, asks))
    used.apply(delta(asks, bids))
    for book in (fresh, used):
        book.apply(snapshot(*later))
    assert (fresh.bids.top(), fresh.asks.top()) == (used.bids.top(), used.asks.top())
    assert fresh.health is used.health


def test_no_levels_is_no_change() -> None:
    book = live_book(at=1)
    book.apply(BookDelta("binance", "BTC/USDT", 0, 2 * SECOND, NO_LEVELS, NO_LEVELS))
    assert (book.changed_ns, book.received_ns) == (SECOND, 2 * SECOND)
