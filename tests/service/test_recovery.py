"""An engine that is made from the journal is the engine that wrote it; whatever does not fit stops the start."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from aggregator.domain.errors import BrokenInvariant, JournalRefused
from aggregator.domain.instrument import Instruments
from aggregator.engine.digest import orders_sha256
from aggregator.engine.engine import Engine
from aggregator.service.journal import Journal
from aggregator.service.journal_file import JournalReader
from aggregator.service.recovery import recover
from tests.engine.plain_venues import ALL, Entry, World, replayed


def busy_world(seed: int = 5) -> World:
    """Orders among venues that lose, delay, double and refuse."""
    world = World(seed, ALL)
    world.start()
    world.run(1)
    for number in range(8):
        world.order(f"c{number}", "4")
        world.run(2)
    world.run(20)
    return world


async def written(path: Path, entries: Iterable[Entry], snapshots: Iterable[int] = ()) -> None:
    """The journal of a run, with snapshots after some of its entries."""
    journal, entries = Journal(path), list(entries)
    journal.start(lambda failure: None)
    for seq, entry in enumerate(entries, 1):
        journal.append(entry.event, entry.seen, entry.effects, lambda failure: None)
        if seq in snapshots:
            document = replayed(entries[:seq], 0).orders.document()
            journal.snapshot(seq, document, orders_sha256(document))
    await journal.flush()
    journal.close()


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()


def recovered(path: Path) -> Engine:
    engine = Engine()
    with JournalReader(path) as reader:
        assert recover(reader, engine, Instruments()) == reader.last_seq()
    return engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.mark.parametrize("seed", range(5))
async def test_the_state_that_is_recovered_is_the_state_that_was(path: Path, seed: int) -> None:
    world = busy_world(seed)
    await written(path, world.journal)
    document = recovered(path).orders.document()
    assert document == world.engine.orders.document()
    assert orders_sha256(document) == orders_sha256(world.engine.orders.document())


async def test_from_a_snapshot_on_it_is_the_same_and_what_came_before_is_not_needed(path: Path) -> None:
    world = busy_world()
    await written(path, world.journal, snapshots=[20, 50])
    change(path, "UPDATE entries SET body = 'unreadable' WHERE seq = 50")
    assert recovered(path).orders.document() == world.engine.orders.document()


def test_a_new_journal_recovers_to_nothing(path: Path) -> None:
    Journal(path).close()
    assert recovered(path).orders.document() == Engine().orders.document()


class TestWhatDoesNotFit:
    async def test_other_effects_than_then(self, path: Path) -> None:
        await written(path, busy_world().journal)
        change(path, "UPDATE entries SET effects = zeroblob(32) WHERE seq = 7")
        with pytest.raises(BrokenInvariant, match=r"journal\.sqlite: entry 7, \w+: replayed, it has other effects"):
            recovered(path)

    async def test_another_event_than_then(self, path: Path) -> None:
        world = busy_world()
        first = next(
            seq for seq, entry in enumerate(world.journal, 1) if type(entry.event).__name__ == "OrderRequested"
        )
        await written(path, world.journal)
        change(
            path, f'UPDATE entries SET body = replace(body, \'"quantity":"4"\', \'"quantity":"5"\') WHERE seq = {first}'
        )
        with pytest.raises(BrokenInvariant, match=rf"entry {first}, OrderRequested: "):
            recovered(path)

    async def test_a_missing_entry(self, path: Path) -> None:
        await written(path, busy_world().journal)
        change(path, "DELETE FROM entries WHERE seq = 9")
        with pytest.raises(BrokenInvariant, match=r"entry 10, \w+: follows entry 8, so some are missing"):
            recovered(path)

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ("{", r"entry 9, \w+: its body cannot be read"),
            ('{"seen":[]}', r"entry 9, \w+: its body cannot be read"),
            ('{"event":{"x":1},"seen":[]}', r"entry 9, \w+: \w+ has no field x"),
            ('{"event":{},"seen":[{}]}', r"entry 9, \w+: what was seen cannot be read"),
        ],
    )
    async def test_an_entry_that_cannot_be_read(self, path: Path, body: str, fault: str) -> None:
        await written(path, busy_world().journal)
        change(path, f"UPDATE entries SET body = '{body}' WHERE seq = 9")
        with pytest.raises(JournalRefused, match=fault):
            recovered(path)

    async def test_a_snapshot_that_is_not_what_was_stored(self, path: Path) -> None:
        await written(path, busy_world().journal, snapshots=[20])
        change(
            path, "UPDATE snapshots SET document = replace(document, '\"is_gate_open\":true', '\"is_gate_open\":false')"
        )
        with pytest.raises(
            BrokenInvariant, match="the snapshot after entry 20: what is restored is not what was stored"
        ):
            recovered(path)

    async def test_a_snapshot_that_cannot_be_read(self, path: Path) -> None:
        await written(path, busy_world().journal, snapshots=[20])
        change(path, "UPDATE snapshots SET document = '{\"moon\": 1}'")
        with pytest.raises(
            JournalRefused, match="the snapshot after entry 20: a state has orders, local, ledger; this one has moon"
        ):
            recovered(path)
