"""What must come of each fault, whichever venue has it. The venue given has been started."""

from itertools import pairwise
from random import Random

from aggregator.books.consolidated import View
from aggregator.domain.book import Health
from aggregator.domain.events import BookLost, FrameRejected
from tests.simulation.one_venue import MINUTE, MS, SECOND, OneVenue

ON_ITS_WAY_NS = 6 * MS
"""What the venue sent before now has arrived by then."""

QUIET_NS = SECOND
"""What was still to come of a book that has stopped has come by then."""

RESYNC_NS = 5 * SECOND
"""A book that is lost is live again within this, when all else is well."""

NOTICED_NS = SECOND // 5
"""After this, what has become stale is seen to be."""


def lost_by_a_gap_and_found_again(venue: OneVenue, fault: str = "gap") -> None:
    """With the very event that shows it, and no other book with it."""
    venue.run(ON_ITS_WAY_NS)
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.lane.switch_on(fault, symbol=venue.symbols[0], count=1)
    venue.until(lambda: not venue.book(first).is_live, MINUTE)
    told = [event for event in venue.book_events(first) if event.received_ns > since_ns + ON_ITS_WAY_NS]
    assert isinstance(told[0], BookLost), told[0]
    assert told[0].gap
    assert venue.health(first) is Health.SYNCING
    assert venue.reason(first).startswith("gap: "), venue.reason(first)
    venue.until_live(RESYNC_NS)
    assert venue.ever_turned(since_ns) == {first}
    assert venue.book(first).counters.gaps == 1
    assert venue.book(first).counters.resyncs == 1
    venue.settle()


def unharmed_by(venue: OneVenue, fault: str, duration_ns: int = 20 * SECOND, **options: object) -> None:
    since_ns, compared = venue.now_ns, venue.compared
    venue.lane.switch_on(fault, **options)  # type: ignore[arg-type]
    venue.run(duration_ns)
    assert not venue.ever_turned(since_ns), venue.described()
    assert venue.compared > compared + 50
    venue.lane.switch_off(fault)
    venue.settle()


def never_wrong_and_live_again(
    venue: OneVenue, fault: str, within_ns: int, duration_ns: int = MINUTE, **options: object
) -> None:
    """Every live book is compared with the truth after each of its events, so whatever happens here was right."""
    since_ns, compared = venue.now_ns, venue.compared
    venue.lane.switch_on(fault, **options)  # type: ignore[arg-type]
    venue.run(duration_ns)
    assert venue.ever_turned(since_ns), f"{fault} did nothing"
    assert venue.compared > compared
    venue.lane.switch_off(fault)
    venue.until_live(within_ns)
    venue.settle()


def one_silent_book_goes_stale(venue: OneVenue) -> None:
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.lane.switch_on("silent", symbol=venue.symbols[0])
    limit_ns = venue.freshness.silent_ns
    venue.until(lambda: venue.health(first) is Health.STALE, QUIET_NS + limit_ns + NOTICED_NS)
    assert venue.reason(first).startswith(f"no frame for {limit_ns // SECOND}."), venue.reason(first)
    venue.run(10 * SECOND)
    assert venue.ever_turned(since_ns) == {first}
    venue.lane.switch_off("silent")
    venue.until_live(RESYNC_NS)
    venue.settle()


def a_dead_connection_is_replaced(venue: OneVenue, fault: str, silence_ns: int) -> None:
    """Nothing comes although nothing is closed: first the books are stale, then the connection is given up."""
    connects, symbols = venue.status.connects, venue.instruments
    venue.lane.switch_on(fault)
    limit_ns = venue.freshness.silent_ns
    venue.until(lambda: all(venue.health(name) is Health.STALE for name in symbols), limit_ns + NOTICED_NS)
    venue.until(lambda: all(venue.health(name) is Health.SYNCING for name in symbols), silence_ns)
    assert {venue.reason(name) for name in symbols} == {f"nothing was heard for {silence_ns // SECOND} s"}
    assert venue.status.last_failure == f"nothing was heard for {silence_ns // SECOND} s"
    venue.lane.switch_off(fault)
    venue.until_live(silence_ns + RESYNC_NS)  # a second connection may have been dead from the start, too
    assert venue.status.connects > connects
    venue.settle()


def lost_with_the_connection(venue: OneVenue, fault: str = "disconnect", **options: object) -> None:
    since_ns, connects = venue.now_ns, venue.status.connects
    venue.lane.switch_on(fault, **options)  # type: ignore[arg-type]
    venue.until(lambda: len(venue.not_live) == len(venue.instruments), 5 * SECOND)
    reason = venue.reason(venue.instruments[0])
    assert reason == venue.status.last_failure != ""
    closed_ns = venue.now_ns
    took_ns = venue.until(lambda: venue.status.connects > connects, 2 * SECOND)
    assert took_ns >= SECOND // 2 - 10 * MS, "it must back off"
    venue.until_live(RESYNC_NS)
    assert all(
        venue.turned(name, since_ns) == [(Health.SYNCING, reason), (Health.LIVE, "")] for name in venue.instruments
    ), venue.effects
    assert closed_ns - since_ns < SECOND
    venue.settle()


def backs_off_from_a_refusal(venue: OneVenue) -> None:
    """Each wait is about twice the one before, up to a minute, and shorter by up to a half."""
    connects = venue.status.connects
    venue.lane.switch_on("refuse")
    venue.lane.switch_on("disconnect")
    tries_ns = []
    for attempt in range(8):
        venue.until(lambda n=attempt: venue.status.connects > connects + n, 2 * MINUTE)  # type: ignore[misc]
        tries_ns.append(venue.now_ns)
    waits_ns = [later - earlier for earlier, later in pairwise(tries_ns)]
    for doublings, wait_ns in enumerate(waits_ns, 1):
        longest_ns = min(SECOND << doublings, MINUTE)
        assert longest_ns // 2 - SECOND // 10 <= wait_ns <= longest_ns + SECOND // 10, waits_ns
    assert len(venue.not_live) == len(venue.instruments)
    venue.lane.switch_off("refuse")
    venue.until_live(MINUTE + RESYNC_NS)
    venue.settle()


def stale_while_frozen(venue: OneVenue, limit_ns: int, *complaints: str, **options: object) -> None:
    """The venue is there, and even goes on speaking, but its books do not move."""
    since_ns = venue.now_ns
    venue.lane.switch_on("frozen", **options)  # type: ignore[arg-type]
    within_ns = QUIET_NS + limit_ns + NOTICED_NS
    venue.until(lambda: all(venue.health(name) is Health.STALE for name in venue.instruments), within_ns)
    assert all(venue.reason(name).startswith(complaints) for name in venue.instruments), venue.described()
    assert venue.status.open_connections == 1
    assert not venue.told(BookLost, since_ns)
    venue.lane.switch_off("frozen")
    venue.until_live(RESYNC_NS)
    venue.settle()


def taken_out_while_crossed(venue: OneVenue) -> None:
    since_ns, first = venue.now_ns, venue.instruments[0]
    whole = venue.engine.market.consolidated(first, view=View.GROSS)
    assert whole.venues == (venue.name,)
    venue.lane.switch_on("crossed", symbol=venue.symbols[0])
    venue.until(lambda: venue.health(first) is Health.CROSSED, 2 * SECOND)
    assert "is not below best ask" in venue.reason(first)
    merged = venue.engine.market.consolidated(first, view=View.GROSS)
    assert merged.excluded == {venue.name: f"crossed: {venue.reason(first)}"}
    venue.run(20 * SECOND)
    assert venue.health(first) is not Health.LIVE
    venue.lane.switch_off("crossed")
    venue.until_live(40 * SECOND)
    assert venue.ever_turned(since_ns) == {first}
    assert venue.book(first).counters.crossed >= 1
    assert venue.book(first).counters.resyncs >= 1
    venue.settle()


def rejects_what_means_nothing(venue: OneVenue, fault: str) -> None:
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.lane.switch_on(fault, symbol=venue.symbols[0], count=1)
    venue.until(lambda: bool(venue.told(FrameRejected, since_ns)), 10 * SECOND)
    venue.until(lambda: not venue.book(first).is_live, 10 * SECOND)
    venue.until_live(RESYNC_NS)
    assert venue.ever_turned(since_ns) == {first}
    venue.settle()


def obeys_a_refusal_by_rate(venue: OneVenue, path: str, status: int, retry_after: int) -> None:
    """The breaker is seen to count down; nothing at all is asked before it closes, and then no more than is needed."""
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.lane.switch_on("http_status", status=status, retry_after=retry_after, path=path, count=1)
    for symbol in venue.symbols:
        venue.lane.resync(symbol, "for the sake of a request")
    venue.until(lambda: venue.status.breaker_remaining_ns > 0, 40 * SECOND)
    tripped = venue.status
    assert tripped.breaker_reason.endswith(f"{path} answered {status}"), tripped
    assert (retry_after - 1) * SECOND < tripped.breaker_remaining_ns <= retry_after * SECOND
    asked, told_ns = len(venue.venue.asked), venue.now_ns
    venue.run(retry_after * SECOND // 2)
    assert venue.status.breaker_remaining_ns == tripped.breaker_remaining_ns - retry_after * SECOND // 2
    assert venue.health(first) is Health.SYNCING
    venue.run(retry_after * SECOND // 2 - SECOND // 10)
    on_their_way = [asked for asked in venue.venue.asked[asked:] if asked.at_ns > told_ns + ON_ITS_WAY_NS]
    assert not on_their_way, on_their_way
    venue.until_live(RESYNC_NS)
    assert venue.status.breaker_reason == ""
    again = venue.asked(path, told_ns + ON_ITS_WAY_NS)
    assert len(again) <= len(venue.symbols) + 1, [asked.target for asked in again]
    assert since_ns < told_ns
    venue.settle()


def bears_with_failing_snapshots(venue: OneVenue, path: str) -> None:
    """A venue that answers 503 is asked again, ever more rarely; books that are whole go on."""
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.lane.switch_on("http_status", status=503, path=path)
    venue.lane.resync(venue.symbols[0], "for the sake of a request")
    venue.run(2 * MINUTE)
    asked = [request.at_ns for request in venue.asked(path, since_ns)]
    waits_ns = [later - earlier for earlier, later in pairwise(asked)]
    assert 3 <= len(asked) <= 10, asked
    assert waits_ns == sorted(waits_ns)
    assert max(waits_ns) <= 31 * SECOND
    assert venue.health(first) is Health.SYNCING
    assert venue.ever_turned(since_ns) == {first}
    venue.lane.switch_off("http_status")
    venue.until_live(31 * SECOND)
    venue.settle()


def waits_for_a_slow_snapshot(venue: OneVenue) -> None:
    """What comes meanwhile is held, and nothing is asked twice."""
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.run(40 * SECOND)
    venue.lane.switch_on("slow_snapshot", ns=5 * SECOND)
    asked_ns = venue.now_ns
    venue.lane.resync(venue.symbols[0], "for the sake of a request")
    took_ns = venue.until(lambda: venue.book(first).is_live, 40 * SECOND)
    assert took_ns >= 5 * SECOND
    assert len(venue.asked(venue.symbols[0], asked_ns)) == 1
    assert venue.ever_turned(since_ns) == {first}
    venue.lane.switch_off("slow_snapshot")
    venue.settle()


def a_delisted_market_harms_no_other(venue: OneVenue) -> None:
    since_ns, first = venue.now_ns, venue.instruments[0]
    venue.lane.switch_on("delist", symbol=venue.symbols[0])
    limit_ns = venue.freshness.silent_ns
    venue.until(lambda: venue.health(first) is Health.STALE, QUIET_NS + limit_ns + NOTICED_NS)
    venue.run(MINUTE)
    assert venue.ever_turned(since_ns) == {first}
    venue.lane.switch_on("disconnect")
    venue.run(RESYNC_NS)
    assert set(venue.not_live) <= {first}
    venue.run(limit_ns + NOTICED_NS)
    assert venue.not_live == [first]
    venue.lane.switch_off("delist")
    venue.until_live(RESYNC_NS)
    venue.settle()


def measures_a_skewed_clock(venue: OneVenue, offset_ns: int) -> None:
    """Within a minute, to the time that a request takes; from then on the venue's times are judged by it."""
    venue.lane.switch_on("clock_skew", offset_ns=offset_ns)
    venue.until(lambda: abs((venue.status.clock_offset_ns or 0) - offset_ns) <= 5 * MS, 61 * SECOND)
    error_ns = venue.status.clock_error_ns
    assert error_ns is not None
    assert error_ns <= 5 * MS
    assert venue.engine.clock_offset_ns[venue.name] == venue.status.clock_offset_ns
    venue.until_live(SECOND)
    venue.run(ON_ITS_WAY_NS)
    since_ns = venue.now_ns
    venue.run(MINUTE)
    assert not venue.ever_turned(since_ns), venue.described()
    venue.lane.switch_off("clock_skew")
    venue.until(lambda: abs(venue.status.clock_offset_ns or 0) <= 5 * MS, 61 * SECOND)
    venue.until_live(SECOND)
    venue.settle()


def survives_anything(venue: OneVenue, seed: int, duration_ns: int = 3 * MINUTE) -> None:
    """Faults of every kind, at random, often several at once. No book is ever wrong, and in the end all are back."""
    random = Random(f"faults, seed {seed}")
    end_ns, compared = venue.now_ns + duration_ns, venue.compared
    while venue.now_ns < end_ns:
        name, options = random.choice(ANYTHING)
        aim = random.choice(["", *venue.symbols])
        if aim or name in NEED_A_SYMBOL:
            options = options | {"symbol": aim or venue.symbols[0]}
        until_ns = venue.now_ns + random.randrange(SECOND, 15 * SECOND)
        venue.lane.switch_on(name, **options, until_ns=until_ns)  # type: ignore[arg-type]
        venue.run(random.randrange(SECOND, 10 * SECOND))
    venue.run(15 * SECOND)
    assert venue.venue.active() == []
    venue.until_live(3 * MINUTE)
    assert venue.compared > compared + 100
    venue.settle()


NEED_A_SYMBOL = {"delist", "change_tick"}

ANYTHING: list[tuple[str, dict[str, object]]] = [
    ("delay", {"ns": SECOND}),
    ("loss", {"probability": 0.1}),
    ("duplicate", {"probability": 0.5}),
    ("reorder", {"probability": 0.3}),
    ("gap", {}),
    ("frozen", {}),
    ("frozen", {"replay": True}),
    ("silent", {}),
    ("half_open", {}),
    ("cut", {}),
    ("disconnect", {}),
    ("refuse", {}),
    ("garbage", {"count": 3}),
    ("corrupt", {"count": 3}),
    ("crossed", {}),
    ("http_status", {"status": 503}),
    ("http_status", {"status": 429, "retry_after": 10}),
    ("http_status", {"status": 418, "retry_after": 20}),
    ("slow_snapshot", {"ns": 3 * SECOND}),
    ("delist", {}),
    ("clock_skew", {"offset_ns": 20 * SECOND}),
    ("clock_skew", {"offset_ns": -20 * SECOND}),
]
