"""A recording reads back as it was written, several merge by time, and damage costs only what it hits."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.errors import CaptureRefused
from aggregator.service.captures import BadLine, CaptureWriter, Kind, Record, read_captures
from aggregator.service.recorder import Recorder

URL = "wss://example.org/stream"


def write(path: Path, *lines: str, header: str = '{"capture":1,"venue":"binance"}') -> Path:
    path.write_bytes(gzip.compress("\n".join([header, *lines]).encode() + b"\n"))
    return path


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with CaptureWriter(path, "a test") as writer:
        writer.write(1, "binance", Kind.OPENED, URL)
        writer.write(2, "binance", Kind.SENT, URL, "hello")
        writer.write(3, "huobi", Kind.RECEIVED, URL, b"\x1f\x8b\x00")
        writer.write(4, "huobi", Kind.FETCHED, "https://example.org/depth", "{}")
        writer.write(5, "binance", Kind.CLOSED, URL)
    assert list(read_captures([path])) == [
        Record(1, "binance", Kind.OPENED, URL, "", "a.jsonl.gz", 2),
        Record(2, "binance", Kind.SENT, URL, "hello", "a.jsonl.gz", 3),
        Record(3, "huobi", Kind.RECEIVED, URL, b"\x1f\x8b\x00", "a.jsonl.gz", 4),
        Record(4, "huobi", Kind.FETCHED, "https://example.org/depth", "{}", "a.jsonl.gz", 5),
        Record(5, "binance", Kind.CLOSED, URL, "", "a.jsonl.gz", 6),
    ]


def test_files_are_merged_by_time_and_each_keeps_its_own_order(tmp_path: Path) -> None:
    line = '{{"at":{},"kind":"received","text":"{}"}}'.format
    first = write(tmp_path / "a.gz", line(1, "a1"), line(5, "a5"), line(5, "a5 again"))
    second = write(tmp_path / "b.gz", line(2, "b2"), line(5, "b5"))
    read = [record.payload for record in read_captures([first, second]) if isinstance(record, Record)]
    assert read == ["a1", "b2", "a5", "a5 again", "b5"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "not a record"),
        ('{"at":1.5,"kind":"received","text":""}', "not a record"),
        ('{"at":1,"kind":"heard","text":""}', "not a record"),
        ('{"at":1,"kind":"received"}', "without text or base64"),
        ('{"at":1,"kind":"received","base64":"%%%"}', "not a record"),
    ],
)
def test_a_bad_line_is_told_and_passed_over(tmp_path: Path, line: str, reason: str) -> None:
    good = '{"at":2,"kind":"received","text":"x"}'
    bad, after = read_captures([write(tmp_path / "a.gz", line, good)])
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.venue) == (2, "binance")
    assert reason in bad.reason
    assert isinstance(after, Record)


def test_a_file_cut_short_gives_what_was_whole_and_says_where_it_ends(tmp_path: Path) -> None:
    lines = [json.dumps({"at": at, "kind": "received", "text": f"{at * 7919} " * 40}) for at in range(400)]
    path = write(tmp_path / "a.gz", *lines)
    path.write_bytes(path.read_bytes()[:-2000])
    *whole, last = read_captures([path])
    assert len(whole) > 10
    assert all(isinstance(record, Record) for record in whole)
    assert isinstance(last, BadLine)
    assert "damaged from here on" in last.reason


@pytest.mark.parametrize("content", [b"", b"plain text", gzip.compress(b"[]\n"), gzip.compress(b'{"capture":2}\n')])
def test_what_is_no_capture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(CaptureRefused, match="capture"):
        list(read_captures([path]))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CaptureRefused, match=r"none\.gz: cannot be read"):
        list(read_captures([tmp_path / "none.gz"]))


@given(content=st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("captures") / "a.gz"
    path.write_bytes(gzip.compress(b'{"capture":1,"venue":"binance"}\n' + content))
    for record in read_captures([path]):
        assert isinstance(record, Record | BadLine)


def test_the_recorder_writes_off_the_loop_all_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with Recorder(path, "a test") as recorder:
        for at_ns in range(5000):
            recorder(at_ns, "binance", "received", URL, f"frame {at_ns}")
    assert (recorder.recorded, recorder.dropped, recorder.failure) == (5000, 0, None)
    assert [record.at_ns for record in read_captures([path])] == list(range(5000))


def test_a_disk_that_fails_stops_the_recording_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Recorder(tmp_path / "a.jsonl.gz", "a test") as recorder:
        monkeypatch.setattr(CaptureWriter, "write", full)
        for at_ns in range(10):
            recorder(at_ns, "binance", "received", URL, "frame")
    assert recorder.failure is not None
    assert "No space left" in recorder.failure
