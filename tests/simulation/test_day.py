"""A stretch of a venue's day in simulated time: ten instruments, and every fault of feeds, coming and going by a seed.

No live book is ever wrong: `OneVenue` compares each with the venue's true book at its own id after every batch of
events. Nor is one right but old: its id was the venue's newest no longer ago than its clocks of freshness permit. After
the last fault every book is live again within RECOVERED_WITHIN_NS, and the same seed gives the same changes of health.

An ordinary run has three minutes of each venue. The long run is the same test with SIMULATED_HOURS set:

    SIMULATED_HOURS=24 .venv/bin/python -m pytest tests/simulation/test_day.py
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple

import pytest

from aggregator.domain.effects import HealthChanged
from connectors.binance.simulator import BinanceSimulator
from connectors.cryptocom.simulator_channels import update_id_of as cryptocom_update_id
from connectors.huobi.simulator_topics import update_id_of as huobi_update_id
from connectors.simulation.book import digest_of
from connectors.simulation.faults import FAULTS
from connectors.simulation.order_faults import ORDER_FAULTS
from tests.simulation import broken_feeds, test_cryptocom_simulator, test_gateio_simulator, test_huobi_simulator
from tests.simulation.one_venue import MINUTE, MS, SECOND, START_NS, OneVenue

VENUES = ("binance", "huobi", "cryptocom", "gateio")
TEN = tuple(f"{base}/USDT" for base in ("BTC", "ETH", "XRP", "SOL", "ADA", "DOGE", "TRX", "LTC", "LINK", "AVAX"))

LENGTH_NS = int(os.environ.get("SIMULATED_HOURS", "0")) * 60 * MINUTE or 3 * MINUTE
AGAIN_NS = MINUTE
"""How much of it is run again."""

LONGEST_PAUSE_NS = 7 * SECOND
LONGEST_FAULT_NS = 15 * SECOND
SKEW_NS = 20 * SECOND
"""How far the venue's clock is wrong at times."""

RECOVERED_WITHIN_NS = 75 * SECOND
"""The longest back-off of a connection is a minute, and so is the time between two looks at the venue's clock, without
which a book may seem too old; the longest wait for the next question about a book is half a minute."""

BUSY_NS = 20 * SECOND
"""Nearly 14 seconds may pass with no change of a book; so many at the end are busy, that none seems silent for that."""

CARDS = [*broken_feeds.ANYTHING, ("change_tick", {})]


class Switched(NamedTuple):
    after_ns: int
    for_ns: int
    fault: str
    options: dict[str, Any]


def followed(name: str, seed: int = 1, **options: Any) -> OneVenue:
    """The venue with ten instruments, each of which changes nearly twice a second; nothing has happened yet."""
    chosen: dict[str, Any] = {"listings": TEN, "seed": seed, "depth": 60, "mean_wait_ns": 600 * MS} | options
    if name == "huobi":
        return test_huobi_simulator.Followed(**chosen)
    if name == "cryptocom":
        return test_cryptocom_simulator.Followed(**chosen)
    if name == "gateio":
        return test_gateio_simulator.joined(**chosen)
    return OneVenue("binance", BinanceSimulator, **chosen)


def schedule(venue: OneVenue, seed: int) -> Iterator[Switched]:
    """Without end. Every kind of fault comes once before any comes again, for a random time, at one book or at all."""
    random = Random(f"a day of {venue.name}, seed {seed}")
    listings = [venue.exchange.listing(symbol) for symbol in venue.symbols]
    while True:
        for fault, usual in sorted(CARDS, key=lambda card: random.random()):
            options = dict(usual)
            listing, aims_at_one = random.choice(listings), random.random() < 0.9
            if aims_at_one or fault in broken_feeds.NEED_A_SYMBOL or fault == "change_tick":
                options["symbol"] = listing.symbol
            if fault == "change_tick":
                options["tick"] = listing.instrument.show_price(listing.tick * random.choice([2, 5]))
            pause_ns, for_ns = random.randrange(SECOND, LONGEST_PAUSE_NS), random.randrange(SECOND, LONGEST_FAULT_NS)
            yield Switched(pause_ns, for_ns, fault, options)


class Day:
    """`changes` are those of health, `faults` the kinds of fault that there were."""

    def __init__(self, name: str, seed: int, length_ns: int) -> None:
        self.venue = venue = followed(name, seed)
        limits = venue.freshness
        self._newest: deque[dict[str, int]] = deque(
            maxlen=(max(limits.silent_ns, limits.behind_ns) + 2 * SKEW_NS) // SECOND + 2
        )
        self.faults: set[str] = set()
        self.live = self.seen = 0
        venue.start()
        end_ns, ends_ns = venue.now_ns + length_ns, venue.now_ns
        for switched in schedule(venue, seed):
            if venue.now_ns + switched.after_ns > end_ns:
                break
            self._pass(switched.after_ns)
            until_ns = venue.now_ns + switched.for_ns
            venue.lane.switch_on(switched.fault, **switched.options, until_ns=until_ns)
            self.faults.add(switched.fault)
            ends_ns = max(ends_ns, until_ns)
        self._pass(max(end_ns, ends_ns + MS) - venue.now_ns)

    @property
    def changes(self) -> list[HealthChanged]:
        return self.venue.effects

    @property
    def books(self) -> list[int]:
        books = map(self.venue.book, self.venue.instruments)
        return [digest_of(book.bids.top(), book.asks.top()) for book in books]

    def _pass(self, duration_ns: int) -> None:
        """A second at a time."""
        end_ns = self.venue.now_ns + duration_ns
        while self.venue.now_ns < end_ns:
            self.venue.run(min(SECOND - self.venue.now_ns % SECOND, end_ns - self.venue.now_ns))
            if self.venue.now_ns % SECOND == 0:
                self._look()

    def _look(self) -> None:
        """A live book is as new as its limits promise, even at a venue whose clock has been wrong both ways."""
        venue = self.venue
        self._newest.append({symbol: venue.exchange.last_id(symbol) for symbol in venue.symbols})
        for instrument, symbol in zip(venue.instruments, venue.symbols, strict=True):
            self.seen += 1
            if venue.book(instrument).is_live:
                self.live += 1
                if len(self._newest) == self._newest.maxlen:
                    assert update_id(venue, instrument) >= self._newest[0][symbol], f"{instrument} is old, and live"
        venue.engine.market.check()
        for growing in (venue.events, venue.venue.asked, venue.venue.sent, venue.venue.connects_ns):
            growing.clear()


def update_id(venue: OneVenue, instrument: str) -> int:
    """The update of the simulated exchange at which our book is."""
    at = venue._ids[instrument]
    if venue.name == "huobi":
        return huobi_update_id(at)
    return cryptocom_update_id(at) if venue.name == "cryptocom" else at


def test_a_venue_that_is_dead_cannot_hang_up_before_it_is_back() -> None:
    """Nor does it try to, over and over in the same moment, so that the simulated time stands still."""
    venue = followed("binance", listings=TEN[:2])
    venue.start()
    connects = venue.status.connects
    venue.lane.switch_on("half_open")
    venue.lane.switch_on("disconnect")
    venue.run(5 * SECOND)
    assert venue.status.connects == connects
    venue.lane.switch_off("half_open")
    venue.until(lambda: venue.status.connects > connects, 2 * SECOND)
    venue.until_live(10 * SECOND)


@cache
def day(name: str) -> Day:
    return Day(name, 1, LENGTH_NS)


@pytest.mark.parametrize("name", VENUES)
def test_whatever_breaks_no_live_book_is_wrong_and_all_recover(name: str) -> None:
    broken = day(name)
    venue, compared = broken.venue, broken.venue.compared
    assert broken.faults == set(FAULTS) - set(ORDER_FAULTS)
    assert venue.venue.active() == []
    venue.run(RECOVERED_WITHIN_NS - BUSY_NS)
    venue.exchange.quicken(6)
    venue.run(BUSY_NS)
    assert venue.not_live == [], venue.described()
    venue.settle()
    assert broken.live > broken.seen // 2, "that was no test of live books"
    assert compared > 5 * LENGTH_NS // SECOND


@pytest.mark.parametrize("name", VENUES)
def test_the_same_seed_gives_the_same_day(name: str) -> None:
    """To the last change of health, with its reason and its nanosecond."""
    end_ns = START_NS + AGAIN_NS
    again, other = Day(name, 1, AGAIN_NS), Day(name, 2, AGAIN_NS // 2)
    changes = [change for change in day(name).changes if change.at_ns <= end_ns]
    assert len(changes) > 20
    assert changes == [change for change in again.changes if change.at_ns <= end_ns]
    assert changes[20:] != other.changes[20 : len(changes)]
