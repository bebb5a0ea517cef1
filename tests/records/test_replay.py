"""A damaged recording is reported to the line, and harms nothing but what it hits."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from aggregator.assembly import recorded_conversations
from aggregator.records.replay import FAULTS_LISTED, Replay
from aggregator.service.captures import read_captures

CONFIG = Path(__file__).parents[2] / "config"
STREAM = "wss://stream.binance.com:9443/stream"


def diff(symbol: str, first: int, last: int, bids: list[list[str]], asks: list[list[str]]) -> str:
    data = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    return json.dumps({"stream": f"{symbol.lower()}@depth@100ms", "data": data})


def snapshot(last: int) -> str:
    return json.dumps({"lastUpdateId": last, "bids": [["100.0", "1"]], "asks": [["101.0", "2"]]})


def recording(tmp_path: Path, *records: dict[str, Any] | str, name: str = "a.jsonl.gz", venue: str = "binance") -> Path:
    lines = [json.dumps({"capture": 1, "venue": venue, "origin": "a test"})]
    for at, record in enumerate(records, start=1):
        lines.append(record if isinstance(record, str) else json.dumps({"at": at * 10**9, **record}))
    path = tmp_path / name
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def received(text: str) -> dict[str, Any]:
    return {"kind": "received", "text": text}


def fetched(symbol: str, last: int) -> dict[str, Any]:
    url = f"https://api.binance.com/api/v3/depth?symbol={symbol}&limit=1000"
    return {"kind": "fetched", "url": url, "text": snapshot(last)}


def started(symbol: str) -> list[dict[str, Any]]:
    return [received(diff(symbol, 5, 10, [], [])), fetched(symbol, 10)]


def played(*paths: Path) -> Replay:
    replay = Replay(recorded_conversations(CONFIG))
    replay.play(read_captures(list(paths)))
    return replay


def test_a_whole_recording_is_faultless_and_its_report_is_as_documented(tmp_path: Path) -> None:
    later = received(diff("BTCUSDT", 11, 12, [["100.5", "3.25000000"]], []))
    replay = played(recording(tmp_path, {"kind": "opened", "url": STREAM}, *started("BTCUSDT"), later))
    assert replay.is_faultless
    report = json.loads(json.dumps(replay.report(depth=1)))
    assert (report["frames"], report["fetched"], report["errors"]) == (2, 1, [])
    book = report["books"]["binance"]["BTC/USDT"]
    sha256 = book.pop("sha256")
    assert len(sha256) == 64
    assert book == {
        "symbol": "BTCUSDT",
        "health": "live",
        "reason": None,
        "updates": 2,
        "gaps": 0,
        "resyncs": 0,
        "crossed": 0,
        "rejected_frames": 0,
        "bid_levels": 2,
        "ask_levels": 1,
        "bids": [["100.5", "3.25"]],
        "asks": [["101", "2"]],
    }
    assert report["consolidated"]["BTC/USDT"] == {
        "bids": [["100.5", "3.25", {"binance": "3.25"}]],
        "asks": [["101", "2", {"binance": "2"}]],
        "venues": ["binance"],
        "excluded": {},
    }


def test_a_damaged_line_or_frame_is_reported_and_the_rest_is_played(tmp_path: Path) -> None:
    path = recording(
        tmp_path,
        *started("BTCUSDT"),
        "this is no record",
        received("this is no frame"),
        received(diff("BTCUSDT", 11, 12, [["100.5", "3"]], [])),
    )
    replay = played(path)
    assert [(fault.line, fault.venue) for fault in replay.faults] == [(4, "binance"), (5, "binance")]
    assert not replay.is_faultless
    assert replay.report(1)["books"]["binance"]["BTC/USDT"]["bids"] == [["100.5", "3"]]


def test_a_gap_is_a_fault_even_if_the_book_came_back(tmp_path: Path) -> None:
    lost = received(diff("BTCUSDT", 20, 21, [], []))
    replay = played(recording(tmp_path, *started("BTCUSDT"), lost, fetched("BTCUSDT", 25)))
    (book,) = replay.market
    assert (book.is_live, book.counters.gaps, book.counters.resyncs) == (True, 1, 1)
    assert not replay.is_faultless


def test_a_bad_frame_of_one_symbol_leaves_the_other_alone(tmp_path: Path) -> None:
    bad = received(diff("ETHUSDT", 11, 12, [["-1", "3"]], []))
    replay = played(recording(tmp_path, *started("BTCUSDT"), *started("ETHUSDT"), bad))
    books = {book.listing.symbol: book for book in replay.market}
    assert books["BTCUSDT"].is_live
    assert books["ETHUSDT"].counters.rejected_frames == 1
    assert "a frame was rejected" in str(books["ETHUSDT"].reason)


def test_markets_that_nothing_describes_still_replay(tmp_path: Path) -> None:
    replay = played(recording(tmp_path, *started("NEWCOIN")))
    assert replay.is_faultless
    assert list(replay.report(1)["books"]["binance"]) == ["NEWCOIN"]


def test_a_venue_without_a_file_is_one_fault_and_the_others_are_played(tmp_path: Path) -> None:
    unknown = recording(tmp_path, received("a"), received("b"), name="b.jsonl.gz", venue="nowhere")
    replay = played(recording(tmp_path, *started("BTCUSDT")), unknown)
    (fault,) = replay.faults
    assert (fault.venue, fault.file) == ("nowhere", "b.jsonl.gz")
    assert "nowhere.yaml" in fault.error
    assert [book.is_live for book in replay.market] == [True]


def test_two_venues_become_one_consolidated_book(tmp_path: Path) -> None:
    there = recording(tmp_path, *started("BTCUSDT"), name="us.jsonl.gz", venue="binance_us")
    replay = played(recording(tmp_path, *started("BTCUSDT")), there)
    merged = replay.report(5)["consolidated"]["BTC/USDT"]
    assert merged["bids"] == [("100", "2", {"binance": "1", "binance_us": "1"})]
    assert merged["venues"] == ["binance", "binance_us"]


def test_a_connection_that_was_closed_leaves_its_books_not_live(tmp_path: Path) -> None:
    replay = played(recording(tmp_path, *started("BTCUSDT"), {"kind": "closed", "url": STREAM}))
    (book,) = replay.market
    assert (book.health.value, book.reason) == ("syncing", "the recorded connection was closed")


@pytest.mark.parametrize("count", [FAULTS_LISTED + 5])
def test_faults_past_the_bound_are_counted_but_not_listed(tmp_path: Path, count: int) -> None:
    replay = played(recording(tmp_path, *["no record"] * count))
    assert len(replay.faults) == FAULTS_LISTED
    assert replay.report(1)["error_count"] == count
