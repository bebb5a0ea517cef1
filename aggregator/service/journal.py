"""The journal: every order-side event is on disk before anything that it caused leaves.

Entries are encoded and numbered on the loop, written by one thread, and synced in groups: while one group is being
synced the next one gathers. `done` is then called on the loop, once for each entry and in their order.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec

from aggregator.domain.effects import Effect
from aggregator.domain.errors import JournalFailed
from aggregator.domain.order_events import OrderEvent
from aggregator.routing.record import Seen
from aggregator.service.journal_entries import Entry, Row, row_of
from aggregator.service.journal_file import JournalReader, Lock, Snapshot, open_to_write, told

Done = Callable[[JournalFailed | None], None]
"""Told None once the entry is durable, or why it is not. It must not raise."""

WAITING_AT_MOST = 10_000
"""Entries that are not durable yet. `append` takes more all the same, as an event that was applied cannot be given
back; whoever feeds the engine waits for room first, so that it stays at this and one batch of events."""

GROUP_AT_MOST = 2_048
"""Entries per sync: the first of them wait for the last."""

SNAPSHOTS_KEPT = 2

# One statement for many rows is run in one go without the interpreter's lock, which a busy loop gives back late.
ROWS_AT_ONCE = (256, 16, 1)
INSERTS = {rows: f"INSERT INTO entries VALUES {', '.join(['(?, ?, ?, ?, ?)'] * rows)}" for rows in ROWS_AT_ONCE}


class Journal:
    """Make one, `recover` from it, `start` it on the loop; `close` ends it."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or make one. Raises JournalRefused when it must not be used."""
        self.path = path.resolve()
        self._lock = Lock(self.path)
        with ExitStack() as opened:
            opened.callback(self._lock.release)
            self._connection = open_to_write(self.path)
            opened.callback(self._connection.close)
            self._reader = JournalReader(self.path)
            opened.pop_all()
        snapshot = self._reader.latest_snapshot()
        self.instance = self._reader.instance
        """6 characters of [a-z0-9], made with the file."""
        self.last_seq = self.durable_seq = self._reader.last_seq()
        self.snapshot_seq = snapshot.seq if snapshot is not None else 0
        """The entry after which the newest snapshot was taken."""
        self.failure: JournalFailed | None = JournalFailed(f"{self.path}: not being written yet")
        """Why nothing more will be durable; None between `start` and `close` while all is well."""
        self._on_failure: Callable[[JournalFailed], None] = lambda failure: None
        self._waiting: deque[tuple[int, Done]] = deque()
        self._told = asyncio.Event()
        self._rows: queue.SimpleQueue[Row | Snapshot | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waiting(self) -> int:
        """Entries that are not durable yet."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= WAITING_AT_MOST

    def read(self, after_seq: int = 0) -> Iterator[Entry]:
        """The durable entries after that one, in order."""
        return self._reader.read(after_seq)

    def latest_snapshot(self) -> Snapshot | None:
        return self._reader.latest_snapshot()

    def start(self, on_failure: Callable[[JournalFailed], None]) -> None:
        """Begin to write, for the running loop. `on_failure` is called there, once, if writing fails, after everything
        that waited has been told."""
        self._loop = asyncio.get_running_loop()
        self._on_failure = on_failure
        self.failure = None
        self._thread.start()

    def append(self, event: OrderEvent, seen: Sequence[Seen], effects: Sequence[Effect], done: Done) -> int:
        """Number and enqueue an event that was applied, with what was seen and what came of it; returns its number.
        Raises JournalFailed when there is a `failure`."""
        if self.failure is not None:
            raise JournalFailed(str(self.failure))
        seq = self.last_seq + 1
        self._rows.put(row_of(seq, event, seen, effects))
        self.last_seq = seq
        self._waiting.append((seq, done))
        return seq

    def snapshot(self, seq: int, document: Mapping[str, Any], digest: str) -> None:
        """Keep the state that the entry `seq`, the last one appended, led to; it is never on disk before that entry."""
        self._rows.put(Snapshot(seq, digest, dict(document)))
        self.snapshot_seq = seq

    async def wait_for_room(self) -> None:
        """Until fewer than WAITING_AT_MOST entries wait, or the journal has failed."""
        while self.is_full and self.failure is None:
            await self._next_word()

    async def flush(self) -> None:
        """Until nothing waits any more: it is durable, or the journal has failed."""
        while self._waiting:
            await self._next_word()

    def close(self) -> None:
        """Write what waits, and let go of the file. Only `flush` makes sure that all have been told."""
        self.failure = self.failure or JournalFailed(f"{self.path}: closed")
        self._reader.close()  # first: the last one to close empties the WAL, and a reader may not
        if self._loop is not None:
            self._rows.put(None)
            self._thread.join()
        self._end()
        self._lock.release()

    async def _next_word(self) -> None:
        self._told.clear()
        await self._told.wait()

    # On the loop, called by the thread

    def _durable(self, seq: int) -> None:
        self.durable_seq = seq
        waiting = self._waiting
        while waiting and waiting[0][0] <= seq:
            waiting.popleft()[1](None)
        self._told.set()

    def _fail(self, failure: JournalFailed) -> None:
        self.failure = failure
        while self._waiting:
            self._waiting.popleft()[1](failure)
        self._told.set()
        self._on_failure(failure)

    # On the thread

    def _write(self) -> None:
        try:
            is_open = True
            while is_open:
                group = self._take()
                if group[-1] is None:
                    is_open = False
                    group.pop()
                if group:
                    self._commit(group)
        except sqlite3.Error as error:
            self._tell(self._fail, JournalFailed(told(self.path, error)))
        except BaseException as error:
            # A defect of ours. It ends the thread, and nobody may go on waiting for it.
            self._tell(self._fail, JournalFailed(f"{self.path}: cannot be written: {error!r}"))
            raise
        finally:
            self._end()

    def _take(self) -> list[Row | Snapshot | None]:
        """Wait for one, and take what else is there. None is the last one ever."""
        first = self._rows.get()
        return [first, *(self._rows.get_nowait() for _ in range(min(self._rows.qsize(), GROUP_AT_MOST - 1)))]

    def _commit(self, group: Sequence[Row | Snapshot | None]) -> None:
        rows = [row for row in group if isinstance(row, Row)]
        snapshots = [snapshot for snapshot in group if isinstance(snapshot, Snapshot)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._insert(rows)
        for seq, digest, document in snapshots:
            text = msgspec.json.encode(document).decode()
            self._connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (seq, digest, text))
            kept = "SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?"
            self._connection.execute(f"DELETE FROM snapshots WHERE seq NOT IN ({kept})", (SNAPSHOTS_KEPT,))
        self._connection.execute("COMMIT")
        if rows:
            self._tell(self._durable, rows[-1].seq)

    def _insert(self, rows: Sequence[Row]) -> None:
        begin = 0
        for count, insert in INSERTS.items():
            while len(rows) - begin >= count:
                values = [value for row in rows[begin : begin + count] for value in row]
                self._connection.execute(insert, values)
                begin += count

    def _tell(self, tell: Callable[[Any], None], word: Any) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(tell, word)

    def _end(self) -> None:
        with suppress(sqlite3.Error):  # what is durable is so already
            self._connection.close()
