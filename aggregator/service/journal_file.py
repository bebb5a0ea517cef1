"""The journal's file: SQLite in WAL mode, its schema, who may open it, and reading it beside the one who writes."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import string
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from aggregator.domain.errors import JournalFailed, JournalRefused
from aggregator.service.journal_entries import Entry, Row, entry_of

FORMAT = 1
APPLICATION_ID = 0x62_6C_61_6A
"""In the file's header: it tells a journal from every other SQLite file."""

INSTANCE_LENGTH = 6
INSTANCE_LETTERS = string.ascii_lowercase + string.digits

READ_AT_ONCE = 1_000
"""Rows per read. No reader keeps a transaction open for longer, since the WAL cannot be emptied meanwhile."""

CHECKPOINT_PAGES = 4_000
"""The WAL is emptied into the file about every 16 MB: each time costs two more syncs."""

SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, effects BLOB NOT NULL
);
CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, digest TEXT NOT NULL, document TEXT NOT NULL);
INSERT INTO meta VALUES ('format', '{FORMAT}'), ('instance', '%s');
COMMIT;
"""

REMEDIES = {
    "SQLITE_FULL": "free space on its disk, then start again",
    "SQLITE_READONLY": "let this user write to the file and to its folder",
    "SQLITE_PERM": "let this user read and write the file",
    "SQLITE_CANTOPEN": "its folder is to exist, and this user to be able to read and write there",
    "SQLITE_IOERR": "check the disk, its free space and the limits on file length",
    "SQLITE_NOTADB": "it is no journal: name another file",
    "SQLITE_CORRUPT": "put back a copy of the file from before the damage",
    "SQLITE_BUSY": "another program holds it locked: let it end first",
}


class Snapshot(NamedTuple):
    """The order side's state right after the entry `seq`. `digest` is `orders_sha256` of the document."""

    seq: int
    digest: str
    document: dict[str, Any]


def told(path: Path, error: sqlite3.Error) -> str:
    """What went wrong, where, and what would help."""
    name = getattr(error, "sqlite_errorname", "")
    remedy = next((remedy for code, remedy in REMEDIES.items() if name.startswith(code)), "see the SQLite error code")
    return f"{path}: {error} ({name or type(error).__name__}); {remedy}"


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """SQLite's errors inside become JournalRefused."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalRefused(told(path, error)) from error


class Lock:
    """Keeps every other service of this machine off the journal. It lies in a file beside it, `.lock`, and ends with
    the process however that ends; SQLite's own exclusive lock would shut out readers too."""

    def __init__(self, path: Path) -> None:
        """Raises JournalRefused when another process has it."""
        lock = Path(f"{path}.lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            self._file = lock.open("a+")
        except OSError as error:
            raise JournalRefused(f"{lock}: {error.strerror}; this user is to be able to write there") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise JournalRefused(
                f"{path} is in use by another service (process {holder}), and two on one journal would send orders "
                "twice: end that one, or give this one a journal of its own"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()


def open_to_write(path: Path) -> sqlite3.Connection:
    """The connection of the one writer; the file is made when there is none. The caller has the lock.

    Raises JournalRefused for a file that is no journal, or one of another format; such a file is not changed."""
    with refusing(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.executescript(SCHEMA % _new_instance())
            require_journal(path, connection)
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise JournalRefused(f"{path}: its file system has no shared memory, so no WAL; use a local disk")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # on macOS a plain fsync stops at the disk's cache
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        except (sqlite3.Error, JournalRefused):
            connection.close()
            raise
    return connection


def require_journal(path: Path, connection: sqlite3.Connection) -> None:
    """Raises JournalRefused unless it is a journal of this format."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise JournalRefused(f"{path}: an SQLite file, but no journal; name another file")
    found = meta(connection).get("format")
    if found != str(FORMAT):
        raise JournalRefused(
            f"{path}: a journal of format {found}, and this version reads format {FORMAT}: run the version that wrote "
            "it, or name another file"
        )


def meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta"))


def _new_instance() -> str:
    return "".join(secrets.choice(INSTANCE_LETTERS) for _ in range(INSTANCE_LENGTH))


class JournalReader:
    """Reads a journal, whether or not a service is writing it. Its errors are JournalFailed; DocumentRefused for what
    this version cannot read."""

    def __init__(self, path: Path) -> None:
        """Raises JournalRefused when there is none at that path."""
        self.path = path
        with refusing(path):
            uri = f"{path.resolve().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            try:
                require_journal(path, self._connection)
                self.instance = meta(self._connection)["instance"]
            except (sqlite3.Error, JournalRefused):
                self._connection.close()
                raise

    def read(self, after_seq: int = 0) -> Iterator[Entry]:
        """The entries after that one, in order, up to the newest that is durable when the last is asked for."""
        while rows := self._fetched(
            "SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", after_seq, READ_AT_ONCE
        ):
            for row in map(Row._make, rows):
                yield entry_of(row)
            after_seq = rows[-1][0]

    def starts_ns(self) -> list[int]:
        """When each of the processes that wrote it began."""
        return [at_ns for (at_ns,) in self._fetched("SELECT at_ns FROM entries WHERE kind = 'Started' ORDER BY seq")]

    def last_seq(self) -> int:
        """0 when there is no entry."""
        return int(self._fetched("SELECT coalesce(max(seq), 0) FROM entries")[0][0])

    def latest_snapshot(self) -> Snapshot | None:
        rows = self._fetched("SELECT seq, digest, document FROM snapshots ORDER BY seq DESC LIMIT 1")
        if not rows:
            return None
        seq, digest, document = rows[0]
        return Snapshot(seq, digest, msgspec.json.decode(document))

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fetched(self, statement: str, *values: int) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise JournalFailed(told(self.path, error)) from error
