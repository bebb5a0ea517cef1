"""Raw traffic to a capture file, off the loop."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from aggregator.service.captures import CaptureWriter, Kind

WAITING_AT_MOST = 100_000
"""Records between the loop and the disk. Past that the newest are dropped, and counted: a recording may have
holes, the service must not wait for it."""

_Seen = tuple[int, str, Kind, str, str | bytes | None]


class Recorder:
    """Call it with each thing that a client saw. A context: on leaving, what waits is written and the file closed.

    `failure` says why nothing is recorded any more, once that is so.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self._writer = CaptureWriter(path, origin)
        self._waiting: queue.Queue[_Seen | None] = queue.Queue(WAITING_AT_MOST)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self.recorded = 0
        self.dropped = 0
        self.failure: str | None = None

    def __call__(self, at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None:
        try:
            self._waiting.put_nowait((at_ns, venue, Kind(kind), url, payload))
        except queue.Full:
            self.dropped += 1

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        try:
            with self._writer as writer:
                while (seen := self._waiting.get()) is not None:
                    at_ns, venue, kind, url, payload = seen
                    writer.write(at_ns, venue, kind, url, payload)
                    self.recorded += 1
        except OSError as error:
            self.failure = f"recording has stopped: {error}"
            while self._waiting.get() is not None:
                self.dropped += 1
