"""Recorded traffic: format "capture 1", read and written.

Gzipped JSON lines. The first is a header, `{"capture": 1, "venue": ..., "origin": ...}`; each other line
is what one client saw, in the order in which it saw it: `at` (ns since the Unix epoch, its clock), `kind`,
`url` where there is one, and the payload as `text` or, for binary frames, as `base64`. A file of several
venues names the `venue` in every record.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import msgspec

from aggregator.domain.errors import CaptureRefused

VERSION = 1


class Kind(StrEnum):
    OPENED = "opened"
    """A connection was made to `url`."""
    SENT = "sent"
    """From the client to the venue."""
    RECEIVED = "received"
    """From the venue to the client."""
    FETCHED = "fetched"
    """A REST reply of `url`."""
    CLOSED = "closed"


class Record(NamedTuple):
    """One thing that a client saw. `payload` is text, or bytes for a binary frame."""

    at_ns: int
    venue: str
    kind: Kind
    url: str
    payload: str | bytes
    file: str
    line: int


class BadLine(NamedTuple):
    """A line that is no record. `at_ns` is that of the record before it."""

    at_ns: int
    venue: str
    reason: str
    file: str
    line: int


class _Header(msgspec.Struct):
    capture: int
    venue: str = ""
    origin: str = ""


class _Line(msgspec.Struct, omit_defaults=True):
    at: int
    kind: Kind
    url: str = ""
    text: str | None = None
    base64: bytes | None = None
    venue: str = ""


_header = msgspec.json.Decoder(_Header)
_line = msgspec.json.Decoder(_Line)


def read_captures(
    paths: Sequence[Path], on_bytes: Callable[[int], None] = lambda _: None
) -> Iterator[Record | BadLine]:
    """The records of all files as one stream, merged by time; each file's own order is kept.

    `on_bytes` is told how many bytes of a file were newly read. Raises CaptureRefused when a file cannot
    be read at all or is of another format.
    """
    return heapq.merge(*[_read(path, on_bytes) for path in paths], key=lambda record: record.at_ns)


def _read(path: Path, on_bytes: Callable[[int], None]) -> Iterator[Record | BadLine]:
    try:
        source = path.open("rb")
    except OSError as error:
        raise CaptureRefused(f"{path}: cannot be read: {error.strerror}") from None
    with source, gzip.open(source) as lines:
        venue = _read_header(path, lines)
        seen, at_ns, number = 0, 0, 1
        while True:
            number += 1
            try:
                line = lines.readline()
            except (OSError, EOFError, zlib.error) as error:
                yield BadLine(at_ns, venue, f"the file is damaged from here on: {error}", path.name, number)
                return
            if not line:
                return
            record = _record(line, venue, path.name, number, at_ns)
            at_ns = record.at_ns
            yield record
            if source.tell() != seen:
                on_bytes(source.tell() - seen)
                seen = source.tell()


def _read_header(path: Path, lines: gzip.GzipFile) -> str:
    try:
        header = _header.decode(lines.readline())
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError, UnicodeError) as error:
        raise CaptureRefused(f"{path}: not a capture: {error}; its first line should be a header") from None
    if header.capture != VERSION:
        raise CaptureRefused(f"{path}: capture format {header.capture}; this version reads format {VERSION}")
    return header.venue


def _record(line: bytes, venue: str, file: str, number: int, at_ns: int) -> Record | BadLine:
    try:
        record = _line.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return BadLine(at_ns, venue, f"not a record: {error}", file, number)
    payload = record.text if record.text is not None else record.base64
    if payload is None and record.kind in (Kind.RECEIVED, Kind.FETCHED):
        return BadLine(at_ns, venue, f"a {record.kind} record without text or base64", file, number)
    if not (record.venue or venue):
        return BadLine(at_ns, venue, "neither the record nor the header names a venue", file, number)
    return Record(record.at, record.venue or venue, record.kind, record.url, payload or "", file, number)


class CaptureWriter:
    """Writes a capture, a record at a time. Not for the event loop's own thread: compressing takes time."""

    FLUSH_EVERY = 1000
    """Records between flushes: what a crash may cost."""

    def __init__(self, path: Path, origin: str, venue: str = "") -> None:
        self._file = gzip.open(path, "wb", compresslevel=6)  # noqa: SIM115 - closed by close()
        self._encoder = msgspec.json.Encoder()
        self._written = 0
        header = {"capture": VERSION, "venue": venue, "origin": origin}
        self._file.write(self._encoder.encode(header) + b"\n")

    def write(self, at_ns: int, venue: str, kind: Kind, url: str, payload: str | bytes | None = None) -> None:
        line = _Line(
            at_ns,
            kind,
            url,
            text=payload if isinstance(payload, str) else None,
            base64=payload if isinstance(payload, bytes) else None,
            venue=venue,
        )
        self._file.write(self._encoder.encode(line) + b"\n")
        self._written += 1
        if self._written % self.FLUSH_EVERY == 0:
            self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
