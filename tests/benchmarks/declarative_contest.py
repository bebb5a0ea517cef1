"""A venue that its file describes, against its connector in Python: frames to events, on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from aggregator.config.venues import load_venue
from aggregator.domain.events import MarketEvent
from aggregator.domain.instrument import Instrument, Listing
from connectors.binance import MarketData as HandWritten
from connectors.contract import MarketData, Reply
from connectors.declarative import MarketData as Declared
from connectors.markets import Markets
from connectors.session import Session
from tests.benchmarks.contest import Figure, Run, duel
from tests.benchmarks.frames import RECORDING, SYMBOL, Feed, recorded, recording, synthetic

AT_MOST = 2
"""How many times what the connector in Python costs."""

DECLARATION = Path(__file__).parents[1] / "connectors" / "declared" / "binance.yaml"
NOW = 1_780_000_000_000_000_000


def run() -> Iterator[Figure]:
    if recording().is_file():
        yield _figure("recorded BTCUSDT", recorded())
    else:
        yield Figure("recorded BTCUSDT", skipped=f"../shared/captures/{RECORDING} is absent")
    yield _figure("40 changes", synthetic(changes=40, messages=1500, seed=40))
    yield _figure("4 changes", synthetic(changes=4, messages=5000, seed=4))


def _figure(name: str, feed: Feed) -> Figure:
    return duel(
        f"{name}: declared against in Python",
        "µs/frame",
        1e6 / len(feed.frames),
        partial(_prepared, _declared, feed),
        partial(_prepared, HandWritten, feed),
        times_at_least=1 / AT_MOST,
    )


def _declared() -> MarketData:
    declared = load_venue(DECLARATION).declared
    assert declared is not None
    return Declared(declared)


def _prepared(make: Callable[[], MarketData], feed: Feed) -> Run:
    """A session whose book is live, and the events that the frames then come to."""
    listing = Listing("binance", SYMBOL, Instrument.of("BTC", "USDT"))
    session = Session(make(), Markets("binance", [listing]), follow=[SYMBOL])
    session.opened(NOW)
    for frame in feed.early:
        session.received(frame, NOW)
    session.fetched(Reply(f"/api/v3/depth?symbol={SYMBOL}&limit=1000", 200, feed.snapshot.encode()), NOW)
    events: list[MarketEvent] = []

    def play() -> None:
        for frame in feed.frames:
            events.extend(session.received(frame, NOW))

    return Run(play, lambda: events)
