"""What an hour of churn leaves behind: one venue in simulated time, whose books never stand still and whose feed breaks
every few minutes."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Iterator, Sequence
from statistics import mean

from aggregator.domain.events import Event, Tick
from aggregator.domain.instrument import Instruments
from aggregator.engine.engine import Engine
from connectors.binance import MarketData
from connectors.binance.simulator import simulator
from connectors.machine import venue_machine
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.faults import Faults
from connectors.simulation.loopback import Loopback
from tests.benchmarks.contest import Figure
from tests.benchmarks.processes import python
from tests.simulation.one_venue import MINUTE, MS, SECOND, START_NS, settings_of

INSTRUMENTS = ("BTC/USDT",)
MEAN_WAIT_NS = 400 * MS
"""Between two changes of a book. Following every allocation is slow."""

MINUTES = 60
BREAKS = ("gap", "disconnect", "cut")
BREAK_EVERY = 3
"""Minutes."""

MEGABYTES_AT_MOST = 1


def run() -> Iterator[Figure]:
    """In a process of its own: following every allocation is nothing for the benchmarks that are timed."""
    with python("tests.benchmarks.churn") as churning:
        grown = float(churning.line())
    yield Figure("an hour of churn: grown, first to last quarter", "MB", grown, ours_at_most=MEGABYTES_AT_MOST)


def churn() -> float:
    """By how many MB the last quarter of an hour has more than the first."""
    settings = settings_of("binance", INSTRUMENTS)
    listings = settings.fixed_listings(Instruments().listed)
    exchange = SimulatedExchange("binance", listings, 1, START_NS, mean_wait_ns=MEAN_WAIT_NS)
    machine = venue_machine(settings, MarketData, Instruments(), random.Random(1).random)
    engine = Engine()

    def told(venue: str, events: Sequence[Event], now_ns: int) -> None:
        for event in events:
            engine.apply(event)

    loopback = Loopback(START_NS, told)
    loopback.every(100 * MS, lambda: told("", [Tick(loopback.now_ns)], 0))
    lane = loopback.join(machine, Faults(simulator(exchange), exchange))
    used = []
    tracemalloc.start()
    for minute in range(MINUTES):
        if minute % BREAK_EVERY == 1:
            lane.switch_on(BREAKS[minute // BREAK_EVERY % len(BREAKS)])
        loopback.run_for(MINUTE - 10 * SECOND)
        for broken in BREAKS:
            lane.switch_off(broken)
        loopback.run_for(10 * SECOND)
        used.append(_megabytes())
    live = [book.is_live for book in engine.market]
    assert live == [True] * len(INSTRUMENTS), "the books did not come back"
    quarter = MINUTES // 4
    return mean(used[-quarter:]) - mean(used[:quarter])


def _megabytes() -> float:
    """What is held, but for what the simulator's own code holds: it keeps texts that it has printed."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot()
    ours = snapshot.filter_traces(
        [tracemalloc.Filter(False, "*/simulat*"), tracemalloc.Filter(False, "*/tracemalloc.py")]
    )
    return sum(statistic.size for statistic in ours.statistics("filename")) / 1e6


if __name__ == "__main__":
    print(churn(), flush=True)
