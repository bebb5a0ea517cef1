"""The engine's effects: changes of health, books to be asked for anew, refusals, and who is told how often."""

from itertools import pairwise

from aggregator.books.venue_book import Freshness
from aggregator.domain.book import Health, Levels
from aggregator.domain.effects import HealthChanged, ResyncWanted, VenueRefused
from aggregator.domain.events import (
    BookLost,
    BookSnapshot,
    ClockMeasured,
    FrameRejected,
    ListingsRead,
    Refused,
    Tick,
)
from aggregator.domain.instrument import Instrument, Listing
from aggregator.engine.engine import RESYNC_EVERY_NS, Engine

SECOND = 1_000_000_000
BTC = Instrument.of("BTC", "USDT")


def snapshot(bid: int, ask: int, at_ns: int, venue_time_ns: int = 0) -> BookSnapshot:
    return BookSnapshot("binance", BTC.name, venue_time_ns or at_ns, at_ns, Levels([bid], [1]), Levels([ask], [1]))


def engine_with_a_book(freshness: Freshness | None = None) -> Engine:
    engine = Engine({"binance": freshness or Freshness()})
    engine.apply(ListingsRead("binance", 0, [Listing("binance", "BTCUSDT", BTC)]))
    return engine


def test_every_change_of_health_is_told_once_with_its_reason() -> None:
    engine = engine_with_a_book()
    assert engine.apply(snapshot(1, 2, 5)) == [HealthChanged("binance", BTC.name, Health.EMPTY, Health.LIVE, None, 5)]
    assert engine.apply(snapshot(1, 3, 6)) == ()
    lost = BookLost("binance", BTC.name, 7, "gap", gap=True)
    assert engine.apply(lost) == [HealthChanged("binance", BTC.name, Health.LIVE, Health.SYNCING, "gap", 7)]


def test_a_crossed_book_is_asked_for_at_once_and_then_at_a_bounded_rate() -> None:
    engine = engine_with_a_book()
    asked_ns = []
    for at_ns in range(SECOND, 20 * SECOND, SECOND // 2):
        effects = engine.apply(snapshot(2, 2, at_ns)) if at_ns % SECOND else engine.apply(Tick(at_ns))
        asked_ns += [at_ns for effect in effects if isinstance(effect, ResyncWanted)]
    assert asked_ns[0] == SECOND + SECOND // 2
    assert all(later - earlier >= RESYNC_EVERY_NS for earlier, later in pairwise(asked_ns))
    assert len(asked_ns) >= 3


def test_a_venues_clock_that_is_off_does_not_make_its_books_stale() -> None:
    engine = engine_with_a_book(Freshness(behind_ns=5 * SECOND))
    engine.apply(snapshot(1, 2, 100 * SECOND, venue_time_ns=40 * SECOND))
    (stale,) = engine.apply(Tick(100 * SECOND))
    assert isinstance(stale, HealthChanged)
    assert stale.reason == "the venue's own time is 60.0 s behind"
    engine.apply(ClockMeasured("binance", 100 * SECOND, -60 * SECOND, 1))
    (live,) = engine.apply(Tick(100 * SECOND + 1))
    assert isinstance(live, HealthChanged)
    assert live.after is Health.LIVE


def test_a_refusal_is_the_reason_of_a_book_that_is_not_there_and_no_other() -> None:
    engine = engine_with_a_book()
    no = Refused("binance", 5, "unknown symbol", BTC.name)
    assert engine.apply(no) == [VenueRefused("binance", BTC.name, "unknown symbol", 5)]
    book = engine.market.books(BTC.name)["binance"]
    assert (book.health, book.reason) == (Health.SYNCING, "unknown symbol")
    engine.apply(snapshot(1, 2, 6))
    engine.apply(no)
    assert book.is_live
    assert engine.apply(Refused("binance", 7, "too many requests")) == [
        VenueRefused("binance", None, "too many requests", 7)
    ]


def test_frames_without_a_symbol_are_counted_for_their_venue() -> None:
    engine = engine_with_a_book()
    engine.apply(FrameRejected("binance", 1, "not JSON"))
    engine.apply(FrameRejected("binance", 2, "a bad level", BTC.name))
    assert engine.rejected_frames == {"binance": 2}
    assert engine.market.books(BTC.name)["binance"].counters.rejected_frames == 1


def test_what_changed_is_told_once_to_those_who_merge() -> None:
    engine = engine_with_a_book()
    engine.take_dirty()
    engine.apply(snapshot(1, 2, 5))
    assert engine.take_dirty() == {BTC.name}
    assert engine.take_dirty() == set()
