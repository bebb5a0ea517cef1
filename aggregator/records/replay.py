"""Recorded traffic through the connectors' own protocols into books, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

from aggregator.books.consolidated import ConsolidatedDepth
from aggregator.books.ladder import Ladder
from aggregator.books.venue_book import VenueBook
from aggregator.domain.effects import Effect, ResyncWanted
from aggregator.domain.errors import AggregatorError
from aggregator.domain.events import FrameRejected, MarketEvent, Tick
from aggregator.domain.instrument import Instrument
from aggregator.engine.digest import book_sha256
from aggregator.engine.engine import Engine
from aggregator.engine.market import Market
from aggregator.service.captures import BadLine, Kind, Record

TICK_NS = 100_000_000
"""How often the engine is told the time, as in the service."""

FAULTS_LISTED = 1000
"""Faults past this many are counted but not listed."""


class Conversation(Protocol):
    """One connection of one venue, as a replay needs it. `answered` is told a REST reply."""

    def opened(self, now_ns: int) -> list[MarketEvent]: ...
    def received(self, frame: str | bytes, now_ns: int) -> Sequence[MarketEvent]: ...
    def answered(self, url: str, body: bytes, now_ns: int) -> list[MarketEvent]: ...
    def closed(self, reason: str, now_ns: int) -> list[MarketEvent]: ...
    def resync(self, symbol: str, reason: str, now_ns: int) -> Sequence[MarketEvent]: ...


class Fault(NamedTuple):
    """A line or a frame that was skipped, and why."""

    file: str
    line: int
    venue: str
    error: str


@dataclass
class Replay:
    """Plays records into a market of its own.

    `converse` makes the conversation for a venue; it raises an AggregatorError for a venue that is not
    configured, whose records are then skipped. `repairs`: a crossed book is given up as the service does it, which
    then had asked for it anew; a recording of anyone else has no answer to that.
    """

    converse: Callable[[str], Conversation]
    market: Market = field(default_factory=Market)
    repairs: bool = False
    frames: int = 0
    fetched: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0

    def __post_init__(self) -> None:
        self._conversations: dict[str, Conversation | None] = {}
        self._engine = Engine(market=self.market)

    def play(self, records: Iterable[Record | BadLine]) -> None:
        for record in records:
            self.step(record)

    def step(self, record: Record | BadLine) -> None:
        if isinstance(record, BadLine):
            self._fault(record, record.reason)
            return
        if self.repairs and record.at_ns - self._engine.now_ns >= TICK_NS:
            self._repair(record, self._engine.apply(Tick(record.at_ns)))
        for event in self._events(record):
            effects = self._engine.apply(event)
            if isinstance(event, FrameRejected):
                self._fault(record, event.reason)
            if effects and self.repairs:
                self._repair(record, effects)

    def _repair(self, record: Record, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if not isinstance(effect, ResyncWanted):
                continue
            conversation = self._conversations[effect.venue]
            if conversation is not None:
                for event in conversation.resync(effect.symbol, effect.reason, record.at_ns):
                    self._engine.apply(event)

    @property
    def is_faultless(self) -> bool:
        """Nothing was skipped, no book was ever lost or crossed, and all of them are live at the end."""
        return not self.fault_count and all(
            book.is_live and not (book.counters.gaps or book.counters.crossed) for book in self.market
        )

    def _events(self, record: Record) -> Sequence[MarketEvent]:
        conversation = self._conversation(record)
        payload, at_ns = record.payload, record.at_ns
        if record.kind is Kind.RECEIVED:
            self.frames += 1
            return conversation.received(payload, at_ns) if conversation else []
        if record.kind is Kind.FETCHED:
            self.fetched += 1
            body = payload.encode() if isinstance(payload, str) else payload
            return conversation.answered(record.url, body, at_ns) if conversation else []
        if record.kind is Kind.OPENED:
            return conversation.opened(at_ns) if conversation else []
        if record.kind is Kind.CLOSED:
            return conversation.closed("the recorded connection was closed", at_ns) if conversation else []
        return []

    def _conversation(self, record: Record) -> Conversation | None:
        venue = record.venue
        if venue not in self._conversations:
            try:
                self._conversations[venue] = self.converse(venue)
            except AggregatorError as error:
                self._conversations[venue] = None
                self._fault(record, f"its records are skipped: {error}")
        return self._conversations[venue]

    def _fault(self, at: Record | BadLine, error: str) -> None:
        self.fault_count += 1
        if len(self.faults) < FAULTS_LISTED:
            self.faults.append(Fault(at.file, at.line, at.venue, error))

    def report(self, depth: int) -> dict[str, Any]:
        """The document that `replay --json` prints; decimals are strings."""
        return {
            "frames": self.frames,
            "fetched": self.fetched,
            "books": self._books(depth),
            "consolidated": {
                name: show_consolidated(self.market.consolidated(name, depth)) for name in self.market.instruments
            },
            "errors": [fault._asdict() for fault in self.faults],
            "error_count": self.fault_count,
        }

    def _books(self, depth: int) -> dict[str, dict[str, Any]]:
        venues: dict[str, dict[str, Any]] = {}
        for book in self.market:
            venues.setdefault(book.venue, {})[book.listing.instrument.name] = show_book(book, depth)
        return venues


def show_book(book: VenueBook, depth: int) -> dict[str, Any]:
    return {
        "symbol": book.listing.symbol,
        "health": book.health.value,
        "reason": book.reason,
        **asdict(book.counters),
        "bid_levels": len(book.bids),
        "ask_levels": len(book.asks),
        "bids": _show_ladder(book.bids, book.listing.instrument, depth),
        "asks": _show_ladder(book.asks, book.listing.instrument, depth),
        "sha256": book_sha256(book),
    }


def _show_ladder(ladder: Ladder, instrument: Instrument, depth: int) -> list[list[str]]:
    prices, quantities = ladder.top(depth)
    return [
        [instrument.show_price(price), instrument.show_quantity(quantity)]
        for price, quantity in zip(prices, quantities, strict=True)
    ]


def show_consolidated(merged: ConsolidatedDepth) -> dict[str, Any]:
    return {
        "bids": merged.shown(merged.bids),
        "asks": merged.shown(merged.asks),
        "venues": list(merged.venues),
        "excluded": merged.excluded,
    }
