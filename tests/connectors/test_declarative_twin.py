"""Binance described in a file says, event by event, what its connector in Python says of the same recorded traffic."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aggregator.config.venues import load_venue
from aggregator.domain.events import BestQuote, BookDelta, BookSnapshot, MarketEvent, Trade
from aggregator.domain.instrument import Instruments
from aggregator.service.captures import Kind, Record, read_captures
from connectors.binance import MarketData as HandWritten
from connectors.declarative import MarketData as Declared
from connectors.session import Session, recorded_session
from tests.paths import REPOSITORY, needs_shared, shared

BINANCE = REPOSITORY / "config" / "venues" / "binance.yaml"
DECLARED = Path(__file__).with_name("declared") / "binance.yaml"
RECORDINGS = [
    "binance-btcusdt-20240808",
    "binance-btcusdt-20240809",
    "binance-spot-20210404",
    "binance-spot-20210405",
    "binance-spot-20210417",
]


def hand_written() -> Session:
    return recorded_session(HandWritten(), load_venue(BINANCE), Instruments())


def declared() -> Session:
    declaration = load_venue(DECLARED).declared
    assert declaration is not None
    return recorded_session(Declared(declaration), load_venue(BINANCE), Instruments())


def told(session: Session, record: Record) -> list[MarketEvent]:
    if record.kind is Kind.OPENED:
        return session.opened(record.at_ns)
    if record.kind is Kind.RECEIVED:
        return [*session.received(record.payload, record.at_ns)]
    if record.kind is Kind.FETCHED and "exchangeInfo" not in record.url:  # filters by kind are past the grammar
        address = record.url.replace("/api/v1/", "/api/v3/")  # where the same was in 2021
        return session.answered(address, str(record.payload).encode(), record.at_ns)
    return []


@needs_shared
@pytest.mark.parametrize("name", RECORDINGS)
def test_both_tell_the_same_events(name: str) -> None:
    ours, theirs = declared(), hand_written()
    seen: Counter[type[Any]] = Counter()
    for record in read_captures([shared("captures", f"{name}.jsonl.gz")]):
        assert isinstance(record, Record)
        events = told(ours, record)
        assert events == told(theirs, record), record.payload
        seen.update(map(type, events))
    assert seen[BookDelta] + seen[BookSnapshot] + seen[BestQuote] + seen[Trade] > 100
