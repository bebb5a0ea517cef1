"""The order side as the journal has it: the newest snapshot, and what was journaled after it applied again."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.domain.errors import BrokenInvariant, DocumentRefused, JournalRefused, NumberRefused
from aggregator.domain.instrument import Instruments
from aggregator.engine.digest import orders_sha256
from aggregator.engine.engine import Engine
from aggregator.service.journal import Journal
from aggregator.service.journal_entries import Entry, effects_sha256
from aggregator.service.journal_file import JournalReader, Snapshot

OTHER_VERSION = "go on with the version that wrote it; take another file only when no order of this one is open"


def recover(journal: Journal | JournalReader, engine: Engine, instruments: Instruments) -> int:
    """Bring a fresh engine to where the journal ends; returns its last seq. What the events caused then is not done
    again, but what they cause now is held against it.

    Raises BrokenInvariant, naming the entry, when the replay comes to anything else or an entry is missing, and
    JournalRefused when one cannot be read."""
    seq = 0
    snapshot = journal.latest_snapshot()
    if snapshot is not None:
        _restore(f"{journal.path}: the snapshot after entry {snapshot.seq}", engine, snapshot, instruments)
        seq = snapshot.seq
    for entry in _readable(journal, seq):
        where = f"{journal.path}: entry {entry.seq}, {entry.kind}"
        if entry.seq != seq + 1:
            raise BrokenInvariant(f"{where}: follows entry {seq}, so some are missing; put back a whole copy")
        _replay(where, engine, entry, instruments)
        seq = entry.seq
    return seq


def _readable(journal: Journal | JournalReader, after_seq: int) -> Iterator[Entry]:
    try:
        yield from journal.read(after_seq)
    except DocumentRefused as error:
        raise JournalRefused(f"{journal.path}: {error}; {OTHER_VERSION}") from error


def _restore(where: str, engine: Engine, snapshot: Snapshot, instruments: Instruments) -> None:
    try:
        engine.orders.restore(snapshot.document, instruments)
    except (DocumentRefused, NumberRefused) as error:
        raise JournalRefused(f"{where}: {error}; {OTHER_VERSION}") from error
    if orders_sha256(engine.orders.document()) != snapshot.digest:
        raise BrokenInvariant(f"{where}: what is restored is not what was stored; {OTHER_VERSION}")


def _replay(where: str, engine: Engine, entry: Entry, instruments: Instruments) -> None:
    try:
        event, seen = entry.restored(instruments)
    except (DocumentRefused, NumberRefused) as error:
        raise JournalRefused(f"{where}: {error}; {OTHER_VERSION}") from error
    try:
        effects = engine.replay(event, seen)
    except BrokenInvariant as error:
        raise BrokenInvariant(f"{where}: {error}; {OTHER_VERSION}") from error
    if effects_sha256(effects) != entry.effects:
        raise BrokenInvariant(f"{where}: replayed, it has other effects than it had then; {OTHER_VERSION}")
