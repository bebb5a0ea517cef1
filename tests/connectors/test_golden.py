"""Every recording of a venue that has a connector replays to the book that an independent replay found."""

import json
from pathlib import Path
from typing import Any

import pytest

from aggregator.assembly import recorded_conversations
from aggregator.books.venue_book import VenueBook
from aggregator.domain.events import BestQuote, BookDelta, MarketEvent
from aggregator.engine.digest import book_sha256
from aggregator.engine.market import Market
from aggregator.records.replay import Replay
from aggregator.service.captures import Kind, Record, read_captures
from tests.paths import needs_shared, shared

CONFIG = Path(__file__).parents[2] / "config"
VENUES = ("binance-", "cryptocom-", "ftx-", "gate-spot-", "htx-", "probit-", "upbit-")


def recordings() -> list[str]:
    golden = shared("captures", "golden.json")
    return [name for name in json.loads(golden.read_text()) if name.startswith(VENUES)] if golden.is_file() else []


def captures(name: str) -> list[Path]:
    """`binance-btcusdt-20240808+20240809` is two files, of which the second continues the first."""
    first, *others = name.split("+")
    stem = first.rpartition("-")[0]
    return [shared("captures", f"{file}.jsonl.gz") for file in (first, *(f"{stem}-{other}" for other in others))]


def golden_symbols(name: str) -> dict[str, Any]:
    symbols: dict[str, Any] = json.loads(shared("captures", "golden.json").read_text())[name]["symbols"]
    return symbols


def replayed(name: str) -> Replay:
    replay = Replay(recorded_conversations(CONFIG))
    replay.play(read_captures(captures(name)))
    return replay


@needs_shared
@pytest.mark.parametrize("name", recordings())
def test_recording_ends_in_the_golden_books(name: str) -> None:
    replay = replayed(name)

    replay.market.check()
    books = {book.listing.symbol: book for book in replay.market}
    assert {symbol: outcome(book) for symbol, book in books.items()} == {
        symbol: ("live", None, 0, 0, 0, golden["book_sha256"]) for symbol, golden in golden_symbols(name).items()
    }
    assert replay.faults == []
    assert replay.is_faultless


def outcome(book: VenueBook) -> tuple[Any, ...]:
    counters = book.counters
    return (
        book.health.value,
        book.reason,
        counters.gaps,
        counters.crossed,
        counters.rejected_frames,
        book_sha256(book),
    )


@needs_shared
def test_a_book_that_has_no_beginning_is_never_live_and_says_why() -> None:
    """Bithumb's recording holds changes without ids, and no whole book that they could be applied to."""
    name = "bithumb-20210601"
    replay = replayed(name)
    why = "never live: the socket sends changes without ids and never the whole book"
    outcomes = {book.listing.symbol: (book.health.value, book.reason) for book in replay.market}
    assert outcomes == dict.fromkeys(golden_symbols(name), ("syncing", why))
    assert (replay.faults, replay.is_faultless) == ([], False)


@needs_shared
def test_binances_own_best_quotes_agree_with_our_best() -> None:
    """The venue numbers its best quotes as it numbers its diffs. It states one whenever its best changes, so the newest
    one up to the id that our book is at is the best of our book."""
    conversation: Any = recorded_conversations(CONFIG)("binance")
    market = Market()
    stated: list[BestQuote] = []
    agreed = 0
    for record in read_captures(captures("binance-btcusdt-20240808")):
        assert isinstance(record, Record)
        for event in told(conversation, record):
            market.apply(event)
            if isinstance(event, BestQuote):
                stated.append(event)
            if isinstance(event, BookDelta):
                at = conversation.books["BTCUSDT"].at
                witness = next(quote for quote in reversed(stated) if quote.sequence <= at)
                assert best(market) == (
                    (witness.bid_price, witness.bid_quantity),
                    (witness.ask_price, witness.ask_quantity),
                )
                agreed += 1
    assert agreed == golden_symbols("binance-btcusdt-20240808")["BTCUSDT"]["bbo_oracle_ok"]


def told(conversation: Any, record: Record) -> list[MarketEvent]:
    events: list[MarketEvent]
    if record.kind is Kind.OPENED:
        events = conversation.opened(record.at_ns)
    elif record.kind is Kind.FETCHED:
        events = conversation.answered(record.url, str(record.payload).encode(), record.at_ns)
    else:
        events = conversation.received(record.payload, record.at_ns)
    return events


def best(market: Market) -> tuple[tuple[int, int], ...]:
    book = market.books("BTC/USDT")["binance"]
    return tuple((ladder.top(1).prices[0], ladder.top(1).quantities[0]) for ladder in (book.bids, book.asks))
