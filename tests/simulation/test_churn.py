"""Memory is flat over churn: connections that break, books that are lost, markets that end, return and are new.

Two stretches of STRETCH_NS in simulated time are alike but for new markets, which come in the first only. After the
second nothing of ours holds more than it held after the first: no container has grown by more than A_FEW, and what the
code outside the simulator has allocated is the same to within GROWTH_AT_MOST.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any, cast

import pytest

from aggregator.books.ladder import Ladder
from aggregator.domain.instrument import Listing
from aggregator.engine.views import Views
from connectors.binance.simulator import BinanceSimulator
from connectors.cryptocom.simulator import CryptocomSimulator
from connectors.simulation.exchange import Market as SimulatedMarket
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation import test_gateio_simulator, test_huobi_simulator
from tests.simulation.one_venue import MINUTE, SECOND, START_NS, OneVenue

STRETCH_NS = 4 * MINUTE
GROWTH_AT_MOST = 16 * 1024
"""Bytes in a stretch. Books that happen to be a little longer than before make up a few kB; an entry for each of the
thousands of frames, or what belongs to a connection kept beyond it, would be more."""

A_FEW = 3
"""As many books as there are may have been crossed at some time, or asked for lately."""

PAUSE_NS = 8 * SECOND
CALM_NS = 32 * SECOND
"""A connection that lasts for half a minute is a good one, and its end is not waited out for long."""

FIRST = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
LATER = ("SOL", "ADA", "DOGE")
OPTIONS: dict[str, Any] = {"listings": FIRST, "depth": 40, "mean_wait_ns": 2 * SECOND}


class Growing(CryptocomSimulator):
    """Crypto.com with markets that its list does not have yet."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        known = exchange.listing(exchange.symbols[0])
        for base in LATER:
            instrument = replace(known.instrument, name=f"{base}/USDT", base=base)
            listing = Listing(exchange.name, f"{base}_USDT", instrument, tick=known.tick // 1000, lot=known.lot)
            exchange._markets[listing.symbol] = SimulatedMarket(listing, 1, START_NS, 40, 2 * SECOND, 1 << 12)
        self.hidden = [f"{base}_USDT" for base in LATER]
        super().__init__(exchange)

    def _instruments(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        rows = cast(list[dict[str, object]], super()._instruments(query, now_ns)["data"])
        return {"data": [row for row in rows if row["symbol"] not in self.hidden]}


def cryptocom() -> OneVenue:
    def truth(symbol: str, at: int) -> int:
        return cast(Growing, venue.simulator).published_digest(symbol, 50, at)

    venue = OneVenue("cryptocom", Growing, truth, book_channel="book.50", **OPTIONS)
    return venue


VENUES: dict[str, Callable[[], OneVenue]] = {
    "binance": lambda: OneVenue("binance", BinanceSimulator, **OPTIONS),
    "huobi": lambda: test_huobi_simulator.Followed(**OPTIONS),
    "cryptocom": cryptocom,
    "gateio": lambda: test_gateio_simulator.joined(**OPTIONS),
}


class Churn:
    """The first stretch is over when it is made."""

    def __init__(self, name: str) -> None:
        self.venue, self.random = VENUES[name](), Random(f"churn of {name}")
        self.engine = self.venue.engine
        self.views = Views(self.engine)
        self.venue.start()
        self.stretch()

    def stretch(self) -> None:
        """With a calm at its end, in which all recovers."""
        venue, random = self.venue, self.random
        end_ns = venue.now_ns + STRETCH_NS
        while venue.now_ns < end_ns:
            venue.run(CALM_NS)
            venue.lane.switch_on(random.choice(["disconnect", "cut"]))
            for fault in random.sample(["gap", "garbage", "corrupt", "delist", "crossed"], 3):
                symbol = random.choice(venue.symbols)
                venue.lane.switch_on(fault, symbol=symbol, until_ns=venue.now_ns + PAUSE_NS // 2)
                venue.lane.resync(random.choice(venue.symbols), "for the sake of churn")
                venue.run(PAUSE_NS)
                self._read()
            if isinstance(venue.simulator, Growing) and venue.simulator.hidden:
                venue.simulator.hidden.pop()
        venue.run(CALM_NS)
        venue.until_live(2 * MINUTE)
        self._read()
        self.views._merged.clear()

    def _read(self) -> None:
        """As readers do; and what only the test remembers is forgotten."""
        self.views.refresh()
        for instrument in self.engine.market.instruments:
            for depth in range(1, 10):
                self.views.book(instrument, depth)
        venue = self.venue
        for remembered in (venue.events, venue.effects, venue.venue.asked, venue.venue.sent, venue.venue.connects_ns):
            remembered.clear()


def sizes(*roots: object) -> Counter[str]:
    """How much there is in the containers that these objects lead to, by the way that leads there."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    left = [(type(root).__name__, root) for root in roots]
    while left:
        path, thing = left.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, dict | list | set | frozenset | deque):
            found[path] += len(thing)
            inside = [*thing, *thing.values()] if isinstance(thing, dict) else list(thing)
            left += [(f"{path}[]", one) for one in inside]
        elif isinstance(thing, tuple):
            left += [(f"{path}[]", one) for one in thing]
        elif type(thing).__module__.startswith(("aggregator.", "connectors.")) and not isinstance(thing, Ladder):
            left += [(f"{path}.{name}", value) for name, value in attributes(thing)]
    return found


def attributes(thing: object) -> Iterator[tuple[str, object]]:
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                yield name, getattr(thing, name)


def allocated() -> tracemalloc.Snapshot:
    gc.collect()
    ours = [tracemalloc.Filter(True, f"*/{folder}/*") for folder in ("aggregator", "connectors")]
    others = [tracemalloc.Filter(False, pattern) for pattern in ("*/simulation/*", "*/simulator*", "*/tests/*")]
    return tracemalloc.take_snapshot().filter_traces([*ours, *others])


@pytest.mark.parametrize("name", VENUES)
def test_nothing_grows_over_reconnects_resyncs_and_new_listings(name: str) -> None:
    """No container of the machine with its connections and sessions, of the engine or of the views."""
    churned = Churn(name)
    middle = sizes(churned.venue.machine, churned.engine, churned.views)
    churned.stretch()
    end = sizes(churned.venue.machine, churned.engine, churned.views)
    assert len(end) > 30
    assert {path: (middle[path], count) for path, count in end.items() if count > middle[path] + A_FEW} == {}
    assert max(end.values()) < 100
    venue = churned.venue
    assert venue.status.connects > 10
    assert sum(book.counters.resyncs for book in churned.engine.market) > 10
    assert len(churned.engine.market.instruments) == len(FIRST) + (len(LATER) if name == "cryptocom" else 0)


def test_memory_is_flat_over_reconnects_and_resyncs() -> None:
    tracemalloc.start()
    try:
        churned = Churn("binance")
        before = allocated()
        churned.stretch()
        after = allocated()
    finally:
        tracemalloc.stop()
    used = [sum(trace.size for trace in snapshot.traces) for snapshot in (before, after)]
    assert used[0] > GROWTH_AT_MOST, "that was no measurement"
    assert used[1] - used[0] < GROWTH_AT_MOST, [str(line) for line in after.compare_to(before, "lineno")[:10]]
