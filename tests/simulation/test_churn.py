"""Memory is flat over churn: connections that break, books that are lost, markets that end, return and are new.

Two stretches of `STRETCH_NS` in simulated time are alike but for new markets, which come in the first only. After the
second nothing of ours holds more than it held after the first: no container has grown, and what the code outside the
simulator has allocated is the same to within GROWTH_AT_MOST.
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
from aggregator.engine.views import KEPT_AT_MOST, Views
from connectors.binance.simulator import BinanceSimulator
from connectors.cryptocom.simulator import CryptocomSimulator
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.exchange import Market as SimulatedMarket
from tests.simulation import test_cryptocom_simulator, test_gateio_simulator, test_huobi_simulator
from tests.simulation.one_venue import MINUTE, SECOND, START_NS, OneVenue

STRETCH_NS = 10 * MINUTE
GROWTH_AT_MOST = 32 * 1024
"""Bytes in a stretch. Books of some hundred levels that happen to be a little longer than before make up a few kB; an
entry for each of the thousands of frames, or a session for each connection, would be more than this."""

PAUSE_NS = 8 * SECOND
CALM_NS = 32 * SECOND
"""A connection that lasts for half a minute is a good one, and its end is not waited out for long."""

FIRST = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
LATER = ("SOL", "ADA", "DOGE", "TRX", "LTC", "LINK", "AVAX")
OPTIONS: dict[str, Any] = {"listings": FIRST, "depth": 60, "mean_wait_ns": SECOND}


class Growing(CryptocomSimulator):
    """Crypto.com with markets that its list does not have yet."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        known = exchange.listing(exchange.symbols[0])
        for base in LATER:
            instrument = replace(known.instrument, name=f"{base}/USDT", base=base)
            listing = Listing(exchange.name, f"{base}_USDT", instrument, tick=known.tick // 1000, lot=known.lot)
            exchange._markets[listing.symbol] = SimulatedMarket(listing, 1, START_NS, 60, SECOND, 1 << 12)
        self.hidden = [f"{base}_USDT" for base in LATER]
        super().__init__(exchange)

    def _instruments(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        rows = cast(list[dict[str, object]], super()._instruments(query, now_ns)["data"])
        return {"data": [row for row in rows if row["symbol"] not in self.hidden]}


def cryptocom() -> OneVenue:
    class Followed(test_cryptocom_simulator.Followed):
        pass

    venue = OneVenue(
        "cryptocom",
        Growing,
        lambda symbol, at: cast(Growing, venue.simulator).published_digest(symbol, 50, at),
        book_channel="book.50",
        **OPTIONS,
    )
    return venue


VENUES: dict[str, Callable[[], OneVenue]] = {
    "binance": lambda: OneVenue("binance", BinanceSimulator, **OPTIONS),
    "huobi": lambda: test_huobi_simulator.Followed(**OPTIONS),
    "cryptocom": cryptocom,
    "gateio": lambda: test_gateio_simulator.joined(**OPTIONS),
}


def churn(venue: OneVenue, views: Views, random: Random) -> None:
    """A stretch of it, and a calm at its end."""
    end_ns = venue.now_ns + STRETCH_NS
    while venue.now_ns < end_ns:
        venue.run(CALM_NS)
        venue.lane.switch_on(random.choice(["disconnect", "cut"]))
        for fault in random.sample(["gap", "garbage", "corrupt", "delist", "crossed"], 3):
            symbol = random.choice(venue.symbols)
            venue.lane.switch_on(fault, symbol=symbol, until_ns=venue.now_ns + PAUSE_NS // 2)
            venue.lane.resync(random.choice(venue.symbols), "for the sake of churn")
            venue.run(PAUSE_NS)
            read(venue, views)
        if isinstance(venue.simulator, Growing) and venue.simulator.hidden:
            venue.simulator.hidden.pop()
    venue.run(CALM_NS)
    venue.until_live(2 * MINUTE)


def read(venue: OneVenue, views: Views) -> None:
    """As readers do; and what only the test remembers is forgotten."""
    views.refresh()
    for instrument in venue.engine.market.instruments:
        for depth in range(1, 30):
            views.book(instrument, depth)
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


@pytest.fixture
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("_traced")
@pytest.mark.parametrize("name", VENUES)
def test_memory_is_flat_over_reconnects_resyncs_and_new_listings(name: str) -> None:
    venue, random = VENUES[name](), Random(f"churn of {name}")
    views = Views(venue.engine)
    venue.start()
    measured = []
    for _ in range(2):
        churn(venue, views, random)
        measured.append((sizes(venue.machine, venue.engine, views), allocated()))
        views.refresh()
    (middle, before), (end, after) = measured
    used = [sum(trace.size for trace in snapshot.traces) for snapshot in (before, after)]
    print(name, used, len(middle), venue.status.connects, sum(b.counters.resyncs for b in venue.engine.market), max(middle.values()))
    print({k: (middle[k], v) for k, v in end.items() if v > middle[k]})
    for line in after.compare_to(before, "lineno")[:5]: print(line)
    assert used[1] - used[0] < GROWTH_AT_MOST
