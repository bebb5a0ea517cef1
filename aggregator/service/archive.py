"""What is recorded of the market while it runs, as Parquet by day: written by a thread of its own, so that nothing here
can hold up the loop.

A table's rows of a day are in `folder/table/day/`, one file for each minute or so, and from the next day on in
`folder/table/day.parquet`. A crash costs the rows of the last minute. What is dropped, and when nothing can be written,
is told in the log, in the metrics and in the table `runs`.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb

from aggregator.service.clock import NS, day_of
from aggregator.service.parquet import quoted, write_rows
from aggregator.service.sampling import LIVE_TABLES, Row, Rows

log = logging.getLogger("aggregator.records")

FIRST_TO_GO = ("depth", "liquidity", "premium")
"""What is dropped while more than half of the queue is taken. The rest is dropped only when it is full."""

WAITING_AT_MOST = 20_000
"""Samples between the loop and the disk."""

PART_EVERY_S = 60
PART_ROWS = 200_000
KEEPING_EVERY_S = 3600
TELL_EVERY_S = 60
"""Between two words about what was dropped."""


class _Sample(NamedTuple):
    table: str
    at_ns: int
    rows: Rows


class Archive:
    """A context: on leaving, what waits is written. `recorded` and `dropped` count samples by table, `failure` says why
    nothing can be written now, None while it can. Days older than `kept_ns` are deleted."""

    def __init__(
        self,
        folder: Path,
        kept_ns: int,
        clock_ns: Callable[[], int],
        part_every_s: float = PART_EVERY_S,
        waiting_at_most: int = WAITING_AT_MOST,
    ) -> None:
        self.folder = folder
        self.recorded: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failure: str | None = None
        self._kept_ns = kept_ns
        self._clock_ns = clock_ns
        self._part_every_s = part_every_s
        self._half = waiting_at_most // 2
        self._waiting: queue.Queue[_Sample | None] = queue.Queue(waiting_at_most)
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._row_count = 0
        self._number = 0
        self._told_dropped = 0
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    @property
    def waiting(self) -> int:
        """Samples that are not written yet."""
        return self._waiting.qsize()

    def put(self, table: str, at_ns: int, rows: Rows) -> None:
        """Never waits. What `rows` reads must not change any more."""
        if table in FIRST_TO_GO and self._waiting.qsize() > self._half:
            self.dropped[table] += 1
            return
        try:
            self._waiting.put_nowait(_Sample(table, at_ns, rows))
        except queue.Full:
            self.dropped[table] += 1

    def __enter__(self) -> Archive:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        part_at = time.monotonic() + self._part_every_s
        keep_at = told_at = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= keep_at:
                self._keep_house()
                keep_at = now + KEEPING_EVERY_S
            if now >= told_at:
                self._tell_dropped()
                told_at = now + TELL_EVERY_S
            try:
                sample = self._waiting.get(timeout=max(part_at - now, 0.001))
            except queue.Empty:
                sample = _NOTHING
            if sample is None:
                self._tell_dropped()
                self._write_parts()
                return
            self._take(sample)
            if self._row_count >= PART_ROWS or time.monotonic() >= part_at:
                self._write_parts()
                part_at = time.monotonic() + self._part_every_s

    def _take(self, sample: _Sample) -> None:
        if sample is _NOTHING:
            return
        rows = self._rows.setdefault((sample.table, day_of(sample.at_ns)), [])
        before = len(rows)
        rows.extend(sample.rows())
        self._row_count += len(rows) - before
        self.recorded[sample.table] += 1

    def _write_parts(self) -> None:
        """What cannot be written is dropped: memory is bounded, and the market goes on."""
        rows, self._rows, self._row_count = self._rows, {}, 0
        failure = None
        for (table, day), part in rows.items():
            self._number += 1
            path = self.folder / table / day / f"{part[0][0]}-{self._number}.parquet"
            try:
                write_rows(path, LIVE_TABLES[table], part)
            except (OSError, duckdb.Error) as error:
                failure = f"{path}: {error}"
                self.dropped[table] += len(part)
        self._turn(failure)

    def _turn(self, failure: str | None) -> None:
        if failure is not None and self.failure is None:
            log.error("records cannot be written and are dropped, trading goes on: %s", failure)
        elif failure is None and self.failure is not None:
            log.warning("records are written again; what was to be written meanwhile is lost")
        self.failure = failure

    def _tell_dropped(self) -> None:
        dropped = self.dropped.total()
        if dropped > self._told_dropped:
            detail = ", ".join(f"{count} of {table}" for table, count in sorted(self.dropped.items()))
            log.warning("records were dropped since the start: %s", detail)
            now_ns = self._clock_ns()
            self._take(_Sample("runs", now_ns, lambda: [(now_ns, "dropped", detail)]))
            self._told_dropped = dropped

    def _keep_house(self) -> None:
        """Make one file of each day that is over, and delete what is too old."""
        now_ns = self._clock_ns()
        today, oldest = day_of(now_ns - KEEPING_EVERY_S * NS), day_of(max(now_ns - self._kept_ns, 0))
        for table in LIVE_TABLES:
            for parts in sorted((self.folder / table).glob("????-??-??")):
                try:
                    if parts.name < today:
                        _join(parts)
                except (OSError, duckdb.Error) as error:
                    log.warning("the parts of %s stay as they are: %s", parts, error)
            for path in (self.folder / table).glob("????-??-??.parquet"):
                if path.stem < oldest:
                    path.unlink(missing_ok=True)


_NOTHING = _Sample("", 0, tuple)


def _join(parts: Path) -> None:
    """From when the whole is there, `day.parquet`, readers take it and not the parts."""
    whole = parts.with_name(f"{parts.name}.parquet")
    if not whole.exists() and any(parts.glob("*.parquet")):
        waiting = whole.with_suffix(".new")
        with duckdb.connect() as database:
            source = f"read_parquet('{quoted(parts)}/*.parquet', union_by_name = true)"
            ordered = f"SELECT * FROM {source} ORDER BY at_ns"
            database.execute(f"COPY ({ordered}) TO '{quoted(waiting)}' (FORMAT PARQUET, COMPRESSION ZSTD)")
        waiting.replace(whole)
    for path in parts.iterdir():
        path.unlink()
    parts.rmdir()
