"""Raw traffic to capture files, off the loop."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aggregator.service.captures import CaptureWriter, Kind
from aggregator.service.clock import NS, day_of

log = logging.getLogger("aggregator.records")

WAITING_AT_MOST = 100_000
"""Records between the loop and the disk. Past that the newest are dropped, and counted: a recording may have
holes, the service must not wait for it."""

RETRY_AFTER_NS = 30 * NS
"""When a file could not be written, the next one is tried so much later."""


class _Seen(NamedTuple):
    at_ns: int
    venue: str
    kind: Kind
    url: str
    payload: str | bytes | None


class Rotation:
    """A new capture every so often, in `folder/day/`, and those deleted whose day is older than `kept_ns`. A file by
    itself begins in the middle of its conversations: its books come to life with their next snapshot, or at once when
    the files before it are replayed with it."""

    def __init__(self, folder: Path, every_ns: int, kept_ns: int) -> None:
        self._folder = folder
        self.every_ns = every_ns
        self._kept_ns = kept_ns

    def path(self, at_ns: int) -> Path:
        """Of the capture that begins at this time. Raises OSError when its folder cannot be made."""
        oldest = day_of(max(at_ns - self._kept_ns, 0))
        for day in self._folder.glob("????-??-??"):
            if day.name < oldest:
                for capture in day.glob("*.jsonl.gz"):
                    capture.unlink(missing_ok=True)
                day.rmdir()
        path = self._folder / day_of(at_ns) / f"{at_ns}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class Recorder:
    """Call it with each thing that a client saw. A context: on leaving, what waits is written and the file closed.

    It writes one file, or with a Rotation one after another. `failure` says why nothing is recorded, once that is so;
    of one file it stays, with a rotation another file is tried a while later. Raises OSError when its one file cannot
    be made.
    """

    def __init__(self, to: Path | Rotation, origin: str) -> None:
        self._origin = origin
        self._path_of: Callable[[int], Path] | None = None
        self._every_ns = 0
        self._writer: CaptureWriter | None = None
        self._next_ns = 0
        """When another file is due, or to be tried."""
        if isinstance(to, Rotation):
            self._path_of, self._every_ns = to.path, to.every_ns
        else:
            self._writer = CaptureWriter(to, origin)
        self._waiting: queue.Queue[_Seen | None] = queue.Queue(WAITING_AT_MOST)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self.recorded = 0
        self.dropped = 0
        self.failure: str | None = None

    def __call__(self, at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None:
        try:
            self._waiting.put_nowait(_Seen(at_ns, venue, Kind(kind), url, payload))
        except queue.Full:
            self.dropped += 1

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while (seen := self._waiting.get()) is not None:
            try:
                self._turn(seen.at_ns)
                self._put(seen)
            except OSError as error:
                self._fail(error, seen.at_ns)
        try:
            self._close()
        except OSError as error:
            self._fail(error, self._next_ns)

    def _put(self, seen: _Seen) -> None:
        if self._writer is None:
            self.dropped += 1
        else:
            self._writer.write(*seen)
            self.recorded += 1

    def _turn(self, at_ns: int) -> None:
        """To the next file, when that is due."""
        if self._path_of is None or at_ns < self._next_ns:
            return
        self._close()
        self._writer = CaptureWriter(self._path_of(at_ns), self._origin)
        self._next_ns = at_ns + self._every_ns
        if self.failure is not None:
            log.warning("traffic is recorded again; what came meanwhile is lost")
            self.failure = None

    def _fail(self, error: OSError, at_ns: int) -> None:
        if self.failure is None:
            log.error("traffic is not recorded, trading goes on: %s", error)
        self.dropped += 1
        self.failure = f"recording has stopped: {error}"
        self._writer = None  # what it held back cannot be written either
        self._next_ns = at_ns + RETRY_AFTER_NS

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
