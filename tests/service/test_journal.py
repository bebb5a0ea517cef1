"""What was told to be durable is in the file, whatever happens; what fails is told; what is no journal is refused."""

from __future__ import annotations

import asyncio
import re
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from aggregator.domain.errors import JournalFailed, JournalRefused
from aggregator.domain.instrument import Instruments
from aggregator.service import journal as journal_module
from aggregator.service.journal import Journal
from aggregator.service.journal_entries import effects_sha256
from aggregator.service.journal_file import READ_AT_ONCE, JournalReader
from tests.paths import REPOSITORY
from tests.service.order_events import CHANGED, event

Told = list[tuple[int, JournalFailed | None]]


class Written:
    """A journal that is being written, and all that it told."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)
        self.told: Told = []
        self.failures: list[JournalFailed] = []
        self.journal.start(self.failures.append)

    def append(self, count: int) -> None:
        for _ in range(count):
            seq = self.journal.last_seq + 1
            assert self.journal.append(event(seq), (), CHANGED, partial(self._hear, seq)) == seq

    async def flushed(self, count: int) -> Written:
        self.append(count)
        await self.journal.flush()
        return self

    def _hear(self, seq: int, failure: JournalFailed | None) -> None:
        assert threading.current_thread() is threading.main_thread(), "told on the loop"
        self.told.append((seq, failure))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def read_back(path: Path, after_seq: int = 0) -> list[int]:
    """The numbers that the file holds; each entry is what was appended under its number."""
    with JournalReader(path) as reader:
        entries = list(reader.read(after_seq))
    for entry in entries:
        assert entry.restored(Instruments()) == (event(entry.seq), [])
        assert (entry.at_ns, entry.kind) == (entry.seq, type(event(entry.seq)).__name__)
        assert entry.effects == effects_sha256(CHANGED)
    return [entry.seq for entry in entries]


async def test_every_entry_is_told_once_and_in_order(path: Path) -> None:
    written = await Written(path).flushed(500)
    assert written.told == [(seq, None) for seq in range(1, 501)]
    written.journal.close()
    assert read_back(path) == list(range(1, 501))


async def test_an_entry_is_not_told_before_another_process_can_read_it(path: Path) -> None:
    written, seen = Written(path), list[int]()
    with JournalReader(path) as reader:
        for seq in range(1, 30):
            written.journal.append(event(seq), (), CHANGED, lambda failure: seen.append(reader.last_seq()))
            await asyncio.sleep(0)
        await written.journal.flush()
    written.journal.close()
    assert all(in_file >= seq for seq, in_file in enumerate(seen, 1))


async def test_a_journal_goes_on_where_it_ended(path: Path) -> None:
    first = await Written(path).flushed(3)
    first.journal.close()
    second = await Written(path).flushed(2)
    assert second.told == [(4, None), (5, None)]
    assert second.journal.instance == first.journal.instance
    second.journal.close()
    assert read_back(path) == [1, 2, 3, 4, 5]
    assert read_back(path, after_seq=3) == [4, 5]


async def test_reading_spans_many_reads(path: Path) -> None:
    written = await Written(path).flushed(2 * READ_AT_ONCE + 3)
    assert [entry.seq for entry in written.journal.read(5)] == list(range(6, 2 * READ_AT_ONCE + 4))
    written.journal.close()


async def test_closing_writes_what_waits(path: Path) -> None:
    written = Written(path)
    written.append(300)
    written.journal.close()
    assert read_back(path) == list(range(1, 301))


async def test_a_full_journal_takes_what_was_applied_and_tells_when_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "WAITING_AT_MOST", 10)
    written = Written(path)
    written.append(25)
    assert (written.journal.is_full, written.journal.waiting) == (True, 25)
    await written.journal.wait_for_room()
    assert written.journal.waiting < 10
    await written.journal.flush()
    assert [seq for seq, _ in written.told] == list(range(1, 26))
    written.journal.close()


async def test_snapshots_come_after_their_entry_and_two_are_kept(path: Path) -> None:
    written = Written(path)
    for number in range(1, 5):
        written.append(1)
        written.journal.snapshot(number, {"orders": number, "b": [1], "a": None}, f"digest {number}")
    await written.flushed(1)
    latest = written.journal.latest_snapshot()
    assert latest is not None
    assert (latest.seq, latest.digest, list(latest.document.items())) == (
        4,
        "digest 4",
        [("orders", 4), ("b", [1]), ("a", None)],
    )
    written.journal.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT seq FROM snapshots ORDER BY seq").fetchall() == [(3,), (4,)]
    connection.close()
    again = Journal(path)
    assert again.snapshot_seq == 4
    again.close()


def test_each_journal_has_an_instance_of_its_own(tmp_path: Path) -> None:
    instances = []
    for number in range(4):
        journal = Journal(tmp_path / f"{number}" / "journal.sqlite")
        instances.append(journal.instance)
        journal.close()
    assert len(set(instances)) == 4
    assert all(re.fullmatch("[a-z0-9]{6}", instance) for instance in instances)


class TestWhenWritingFails:
    async def test_all_that_waits_is_told_so_and_nothing_is_durable_after(self, path: Path) -> None:
        written = await Written(path).flushed(3)
        with sqlite3.connect(path) as meddler:
            meddler.execute("CREATE TRIGGER shut BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'shut'); END")
        meddler.close()
        await written.flushed(5)
        journal = written.journal
        assert written.told[:3] == [(1, None), (2, None), (3, None)]
        assert [seq for seq, failure in written.told if failure is not None] == [4, 5, 6, 7, 8]
        assert written.failures == [journal.failure]
        assert "journal.sqlite: shut (SQLITE_CONSTRAINT_TRIGGER)" in str(journal.failure)
        assert journal.durable_seq == 3
        with pytest.raises(JournalFailed, match="shut"):
            journal.append(event(9), (), (), lambda failure: None)
        await journal.wait_for_room()
        journal.close()

    async def test_a_full_disk_costs_nothing_that_was_told(self, path: Path) -> None:
        written = await Written(path).flushed(10)
        with files_at_most(400_000):
            while written.journal.failure is None:
                await written.flushed(100)
        assert "free space" in str(written.journal.failure)
        durable = [seq for seq, failure in written.told if failure is None]
        failed = [seq for seq, failure in written.told if failure is not None]
        assert durable + failed == list(range(1, written.journal.last_seq + 1))
        assert failed
        written.journal.close()
        assert read_back(path)[: len(durable)] == durable
        again = await Written(path).flushed(1)
        assert again.journal.failure is None
        again.journal.close()


@contextmanager
def files_at_most(length: int) -> Iterator[None]:
    """No file may grow past this: to whoever writes it is as good as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_nothing_can_be_appended_before_the_start_or_after_the_end(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(JournalFailed, match="not being written yet"):
        journal.append(event(1), (), (), lambda failure: None)
    journal.start(lambda failure: None)
    journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        journal.append(event(1), (), (), lambda failure: None)


class TestWhatIsRefused:
    def test_a_file_that_is_not_sqlite(self, path: Path) -> None:
        content = b"client orders, by hand\n" * 99
        path.write_bytes(content)
        with pytest.raises(JournalRefused, match=r"journal\.sqlite: file is not a database .* it is no journal"):
            Journal(path)
        assert path.read_bytes() == content

    def test_a_database_of_something_else(self, path: Path) -> None:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE meta (key, value)")
        other.close()
        content = path.read_bytes()
        for opened in (Journal, JournalReader):
            with pytest.raises(JournalRefused, match="an SQLite file, but no journal"):
                opened(path)
        assert path.read_bytes() == content

    def test_another_format(self, path: Path) -> None:
        Journal(path).close()
        with sqlite3.connect(path) as other:
            other.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
        other.close()
        for opened in (Journal, JournalReader):
            with pytest.raises(JournalRefused, match="of format 2, and this version reads format 1"):
                opened(path)

    def test_one_that_another_service_has_open(self, path: Path) -> None:
        first = Journal(path)
        alias = path.with_name("alias.sqlite")
        alias.symlink_to(path)
        for name in (path, alias):
            with pytest.raises(JournalRefused, match=r"in use by another service \(process \d+\)"):
                Journal(name)
        first.close()
        Journal(path).close()

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(JournalRefused, match="unable to open database file"):
            Journal(tmp_path)

    def test_a_path_through_a_file(self, path: Path) -> None:
        path.write_text("")
        with pytest.raises(JournalRefused, match="be able to write there"):
            Journal(path / "inside.sqlite")

    def test_to_read_what_is_not_there(self, path: Path) -> None:
        with pytest.raises(JournalRefused, match="unable to open"):
            JournalReader(path)
        assert not path.exists()


def test_a_writer_that_died_before_its_first_entry_leaves_no_harm(path: Path) -> None:
    path.touch()
    journal = Journal(path)
    assert journal.last_seq == 0
    journal.close()


def test_killed_while_writing_all_that_it_had_told_is_there(path: Path) -> None:
    """Three lives of one journal, each ended by a kill in the middle."""
    last = 0
    for _ in range(3):
        command = [sys.executable, "-m", "tests.service.journal_writer", str(path)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [int(writer.stdout.readline()) for _ in range(400)]
            writer.kill()
            told += [int(line) for line in writer.stdout if line.endswith("\n")]
        assert told == list(range(last + 1, last + 1 + len(told)))
        seqs = read_back(path)
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= told[-1]
        last = len(seqs)
