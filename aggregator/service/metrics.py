"""Every metric, declared once with its unit and help.

Values are read from the state when someone scrapes, so that counting costs the hot path nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.switches import VenueState
from aggregator.engine.engine import Engine

BOOK = ("venue", "instrument")
NS = 1_000_000_000


class MarketCollector(Collector):
    """What the books, the connections and the inbox are like at the moment of the scrape."""

    def __init__(
        self,
        engine: Engine,
        connections: Mapping[str, Callable[[], Mapping[str, Any]]],
        inbox: Callable[[], int],
        clock_ns: Callable[[], int],
        faults: Callable[[], int] = int,
    ) -> None:
        self._faults = faults
        self._engine = engine
        self._connections = connections
        self._inbox = inbox
        self._clock_ns = clock_ns

    def collect(self) -> Iterator[Metric]:
        yield from self._books()
        yield from self._venues()
        text = "Faults of configuration files that were changed and are therefore not in use."
        yield gauge("aggregator_configuration_faults", text, self._faults())
        yield gauge("aggregator_inbox_batches", "Batches of events that wait for the engine.", self._inbox())

    def _books(self) -> Iterator[Metric]:
        books, now_ns = list(self._engine.market), self._clock_ns()
        health = GaugeMetricFamily(
            "aggregator_book_health", "1 for the state that the book is in, 0 for the others.", labels=(*BOOK, "health")
        )
        for book in books:
            for state in Health:
                health.add_metric((*_labels(book), state.value), float(book.health is state))
        yield health
        ages = {
            "received": "Time since a frame of the book came.",
            "venue_time": "Time since the venue's own newest time, by our clock.",
            "changed": "Time since a level last changed.",
        }
        for name, text in ages.items():
            age = GaugeMetricFamily(f"aggregator_book_{name}_age_seconds", text, labels=BOOK)
            for book in books:
                at_ns = getattr(book, f"{name}_ns")
                if at_ns:
                    age.add_metric(_labels(book), (now_ns - at_ns) / NS)
            yield age
        yield from self._counters(books)

    def _counters(self, books: list[VenueBook]) -> Iterator[Metric]:
        texts = {
            "updates": "Snapshots and deltas applied.",
            "gaps": "Losses proved by the venue's numbering.",
            "resyncs": "Snapshots that repaired a lost book.",
            "crossed": "Times that the book was found crossed.",
            "rejected_frames": "Frames of the book that could not be understood.",
        }
        for name, text in texts.items():
            counter = CounterMetricFamily(f"aggregator_book_{name}", text, labels=BOOK)
            for book in books:
                counter.add_metric(_labels(book), getattr(book.counters, name))
            yield counter

    def _venues(self) -> Iterator[Metric]:
        states = {venue: connection() for venue, connection in self._connections.items()}
        gauges = {
            "open_connections": ("aggregator_venue_open_connections", "Websockets that stand.", 1),
            "fetches_waiting": ("aggregator_venue_fetches_waiting", "Requests that wait for their budget.", 1),
            "weight_used": ("aggregator_venue_weight_used", "Request weight spent in the last minute.", 1),
            "breaker_remaining_ns": (
                "aggregator_venue_breaker_remaining_seconds",
                "Time until requests may be sent again after the venue refused them by rate; 0 when none is refused.",
                NS,
            ),
            "clock_offset_ns": ("aggregator_venue_clock_offset_seconds", "The venue's clock less ours.", NS),
            "rules_read_ns": (
                "aggregator_venue_rules_read_timestamp_seconds",
                "When the venue's market list was last read, since the Unix epoch; 0 for never.",
                NS,
            ),
        }
        for key, (name, text, unit) in gauges.items():
            gauge = GaugeMetricFamily(name, text, labels=("venue",))
            for venue, state in states.items():
                if state.get(key) is not None:
                    gauge.add_metric((venue,), state[key] / unit)
            yield gauge
        for key, text in (("connects", "Websockets opened."), ("frames", "Frames received.")):
            counter = CounterMetricFamily(f"aggregator_venue_{key}", text, labels=("venue",))
            for venue, state in states.items():
                counter.add_metric((venue,), state.get(key, 0))
            yield counter
        rejected = CounterMetricFamily(
            "aggregator_venue_rejected_frames", "Frames that could not be understood.", labels=("venue",)
        )
        for venue, count in self._engine.rejected_frames.items():
            rejected.add_metric((venue,), count)
        yield rejected
        use = GaugeMetricFamily(
            "aggregator_venue_state",
            "1 for how far the venue is used, 0 for the other ways.",
            labels=("venue", "state"),
        )
        switches = self._engine.orders.state.switches
        for venue in states:
            now = switches[venue].state if venue in switches else VenueState.ACTIVE
            for way in VenueState:
                use.add_metric((venue, way.value), float(now is way))
        yield use


def registry(*collectors: Collector) -> CollectorRegistry:
    """A registry of its own: what other libraries put into the global one is theirs."""
    made = CollectorRegistry()
    for collector in collectors:
        made.register(collector)
    return made


def _labels(book: VenueBook) -> tuple[str, str]:
    return book.venue, book.listing.instrument.name


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """One that has no labels."""
    return GaugeMetricFamily(name, text, value=value)
