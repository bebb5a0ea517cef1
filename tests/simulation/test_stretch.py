"""A recorded stretch that is run again is what it was: the same books, plans, child orders and digest; and where it is
not, that is told. The long run has a day of the demo, in simulated time (SIMULATED_HOURS=24)."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aggregator.assembly import recorded_conversations
from aggregator.cli import main
from aggregator.domain.instrument import Instruments, Side
from aggregator.domain.order_events import OrderRequested
from aggregator.engine.digest import book_sha256, orders_sha256
from aggregator.records.replay import Replay
from aggregator.records.stretch import FOREVER_NS, Stretch, Traffic
from aggregator.records.what_if import WhatIf, without
from aggregator.service.captures import CaptureWriter, Kind, Record
from aggregator.service.journal_file import JournalReader
from connectors.sockets import Hangup
from tests.engine.plain_venues import Entry
from tests.service.test_recovery import written
from tests.simulation.broken_feeds import ANYTHING, NEED_A_SYMBOL
from tests.simulation.one_venue import MINUTE, MS, SECOND
from tests.simulation.trading_floor import VENUES, TradingFloor

CONFIG = Path(__file__).parents[2] / "config"
HOURS = int(os.environ.get("SIMULATED_HOURS", "0"))
LENGTH_NS = HOURS * 60 * MINUTE or 2 * MINUTE


class Heard:
    """A machine that is listened in on, as the tap of a real connector does it."""

    def __init__(self, machine: Any, records: list[Record], now_ns: Callable[[], int]) -> None:
        self._machine = machine
        self._now_ns = now_ns
        self._records = records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def take_actions(self) -> Any:
        actions = self._machine.take_actions()
        for action in actions:
            if isinstance(action, Hangup):
                self._note(self._now_ns(), Kind.CLOSED, "", "")
        return actions

    def opened(self, socket: int, now_ns: int) -> Any:
        self._note(now_ns, Kind.OPENED, f"ws://{self._machine.venue}", "")
        return self._machine.opened(socket, now_ns)

    def received(self, socket: int, frame: str | bytes, now_ns: int) -> Any:
        self._note(now_ns, Kind.RECEIVED, "", frame)
        return self._machine.received(socket, frame, now_ns)

    def closed(self, socket: int, reason: str, now_ns: int) -> Any:
        self._note(now_ns, Kind.CLOSED, f"ws://{self._machine.venue}", "")
        return self._machine.closed(socket, reason, now_ns)

    def fetched(self, get: Any, reply: Any, now_ns: int) -> Any:
        if reply.status == 200:
            self._note(now_ns, Kind.FETCHED, reply.url, reply.body)
        return self._machine.fetched(get, reply, now_ns)

    def _note(self, at_ns: int, kind: Kind, url: str, payload: str | bytes) -> None:
        self._records.append(Record(at_ns, self._machine.venue, kind, url, payload, "memory", len(self._records)))


class RecordedFloor(TradingFloor):
    def __init__(self, seed: int = 1) -> None:
        self.records: list[Record] = []
        super().__init__(seed)

    def follow(self, machine: Any) -> Any:
        return Heard(machine, self.records, lambda: self.now_ns)

    async def write_journal(self, path: Path) -> None:
        """With a snapshot after the last entry, as an orderly stop leaves it."""
        await written(path, [Entry(*entry) for entry in self.journal], snapshots=[len(self.journal)])

    def write_traffic(self, path: Path) -> None:
        with CaptureWriter(path, "a simulated stretch") as writer:
            for record in self.records:
                writer.write(record.at_ns, record.venue, record.kind, record.url, record.payload)

    def misbehave(self) -> None:
        """A fault of feeds at a random venue, for a while."""
        name, options = self.random.choice(ANYTHING)
        venue = self.random.choice(VENUES)
        if name in NEED_A_SYMBOL:
            options = options | {"symbol": next(iter(self.exchanges[venue].symbols))}
        until_ns = self.now_ns + self.random.randrange(SECOND, 10 * SECOND)
        self.loopback.lanes[venue].switch_on(name, **options, until_ns=until_ns)  # type: ignore[arg-type]


def a_day(seed: int, length_ns: int = LENGTH_NS, kills: bool = True) -> RecordedFloor:
    """Orders, faults of feeds and of order entry, and kills."""
    floor = RecordedFloor(seed)
    floor.until_ready()
    end_ns, number = floor.now_ns + length_ns, 0
    while floor.now_ns < end_ns:
        floor.misbehave()
        side = floor.random.choice((Side.BUY, Side.SELL))
        floor.order(f"c{number}", floor.random.choice(("0.05", "0.7", "3")), side)
        floor.run(floor.random.randrange(1, 5000) * MS)
        number += 1
        if kills and number % 9 == 0:
            floor.kill_service()
            floor.run(floor.random.randrange(3000) * MS)
            floor.start_service()
            floor.run(floor.random.randrange(3000) * MS)
    floor.finish()
    return floor


async def run_again(floor: RecordedFloor, folder: Path, records: list[Record] | None = None, **options: Any) -> Stretch:
    journal = folder / "journal.db"
    if not journal.exists():
        await floor.write_journal(journal)
    instruments = Instruments()
    converse = recorded_conversations(CONFIG, instruments)
    traffic = Traffic(floor.records if records is None else records, partial(Replay, converse, repairs=True))
    again = Stretch(traffic, instruments)
    with JournalReader(journal) as reader:
        again.run(reader, **options)
    return again


@pytest.mark.parametrize("seed", range(4))
async def test_a_stretch_with_faults_and_kills_is_run_again_to_the_same_digest(seed: int, tmp_path: Path) -> None:
    floor = a_day(seed)
    again = await run_again(floor, tmp_path)
    report = again.report()
    assert report["differences"] == []
    assert report["is_equal"] and report["looks"] > 20 and report["looks_without_traffic"] == 0
    assert report["digest"] == orders_sha256(floor.engine.orders.document()) == report["digest_then"]
    assert list(again.engine.orders.parents) == list(floor.engine.orders.parents)
    for book in floor.engine.market:
        if book.is_live:
            assert report["books"][book.venue][book.listing.instrument.name] == book_sha256(book)


@pytest.fixture(scope="module")
def floor() -> RecordedFloor:
    return a_day(7, kills=False)


def looks(floor: RecordedFloor) -> list[tuple[int, Any]]:
    """When the market was looked at, and what was seen."""
    return [(event.received_ns, seen) for event, its, _ in floor.journal for seen in its]


async def test_a_frame_that_the_recording_lacks_is_told_with_its_venue(floor: RecordedFloor, tmp_path: Path) -> None:
    at_ns, _ = looks(floor)[-1]
    frames = [
        number
        for number, record in enumerate(floor.records)
        if record.venue == "binance" and record.kind is Kind.RECEIVED and "depthUpdate" in str(record.payload)
        if record.at_ns < at_ns
    ]
    lacking = [record for number, record in enumerate(floor.records) if number != frames[len(frames) // 2]]
    again = await run_again(floor, tmp_path, lacking)
    assert again.differences and {difference.venue for difference in again.differences} == {"binance"}
    assert again.digest == orders_sha256(floor.engine.orders.document())  # what was planned on is in the journal


async def test_a_frame_that_was_changed_is_told(floor: RecordedFloor, tmp_path: Path) -> None:
    """Every quantity of one venue's book after the start is another: no plan on it can be made again."""
    changed = [
        record._replace(payload=record.payload.replace('"0.', '"1.'))
        if isinstance(record.payload, str) and "depthUpdate" in record.payload
        else record
        for record in floor.records
    ]
    again = await run_again(floor, tmp_path, changed)
    assert [difference for difference in again.differences if "other levels than the plan saw" in difference.what]


async def test_orders_from_before_the_traffic_begins_are_taken_from_the_journal(
    floor: RecordedFloor, tmp_path: Path
) -> None:
    times = [at_ns for at_ns, _ in looks(floor)]
    again = await run_again(floor, tmp_path, [record for record in floor.records if record.at_ns > max(times)])
    report = again.report()
    assert report["looks_without_traffic"] == report["looks"] == len(times)
    assert report["is_equal"]
    without_any = (await run_again(floor, tmp_path, [])).report()
    assert without_any["is_equal"] and without_any["looks_without_traffic"] == len(times)


async def test_until_a_moment_the_orders_are_as_they_were_then(floor: RecordedFloor, tmp_path: Path) -> None:
    asked = [event for event, _, _ in floor.journal if isinstance(event, OrderRequested)]
    middle = asked[len(asked) // 2]
    again = await run_again(floor, tmp_path, until_ns=middle.received_ns)
    placed = [parent.terms.client_order_id for parent in again.engine.orders.parents.values()]
    assert sorted(placed) == sorted(event.terms.client_order_id for event in asked[: len(asked) // 2])
    assert not again.differences


async def test_what_an_order_had_cost_without_a_venue(floor: RecordedFloor, tmp_path: Path) -> None:
    """Where the other plan fills as much it cannot be cheaper, for the plan that was made is the best one; a venue that
    was not used costs nothing."""
    await floor.write_journal(tmp_path / "journal.db")
    instruments = Instruments()
    again = Stretch(Traffic([], partial(Replay, recorded_conversations(CONFIG, instruments))), instruments)
    what_if = WhatIf(again.engine.orders, without({"binance"}))
    with JournalReader(tmp_path / "journal.db") as journal:
        again.run(journal, FOREVER_NS, what_if)
    planned = [parent for parent in floor.engine.orders.parents.values() if parent.plans]
    assert len(what_if.compared) == len(planned)
    assert any(row.difference > 0 for row in what_if.compared)
    for row in what_if.compared:
        assert "binance" not in {child.venue for child in row.would_be.children}
        assert row.was.to_document() == floor.engine.orders.parents[row.parent.order_id].plans[0]
        if row.was.filled == row.would_be.filled and row.was.is_proven:
            assert row.difference >= 0
        if "binance" not in {child.venue for child in row.was.children} and row.was.filled == row.would_be.filled:
            assert row.difference == 0
    total = what_if.report()["totals"]["USDT"]
    assert total["orders"] == len(planned)


@pytest.fixture(scope="module")
def recorded(floor: RecordedFloor, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("stretch")
    asyncio.run(floor.write_journal(folder / "journal.db"))
    (folder / "traffic").mkdir()
    floor.write_traffic(folder / "traffic" / "2026-05-28T202640.jsonl.gz")
    return folder / "journal.db", folder / "traffic"


class TestCommand:
    def ran(self, recorded: tuple[Path, Path], *options: str) -> list[str]:
        journal, traffic = recorded
        return ["replay", str(traffic), "--journal", str(journal), "--config", str(CONFIG), *options]

    def test_a_stretch_that_is_what_it_was(
        self, recorded: tuple[Path, Path], floor: RecordedFloor, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(self.ran(recorded, "--json")) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["digest"] == report["digest_then"] == orders_sha256(floor.engine.orders.document())
        assert report["looks"] and not report["looks_without_traffic"]
        assert main(self.ran(recorded)) == 0
        assert "the same books, plans, child orders and effects as then" in capsys.readouterr().out

    def test_an_order_explained_as_it_stood(
        self, recorded: tuple[Path, Path], floor: RecordedFloor, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(self.ran(recorded, "--explain", "client:c1", "--json")) == 0
        order = json.loads(capsys.readouterr().out)["order"]
        parent = floor.engine.orders.find("desk", "c1")
        assert parent is not None and order["order_id"] == parent.order_id
        assert order["plans"] == json.loads(json.dumps(parent.plans))
        assert main(self.ran(recorded, "--explain", "nobody")) == 2
        assert "there is no order 'nobody' in this stretch" in capsys.readouterr().err

    def test_what_it_had_cost_otherwise(
        self, recorded: tuple[Path, Path], floor: RecordedFloor, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(self.ran(recorded, "--without", "binance,huobi", "--json")) == 0
        report = json.loads(capsys.readouterr().out)["what_if"]
        assert report["orders"] and all("binance" in order["excluded_then"] for order in report["orders"])
        assert main(self.ran(recorded, "--policy", str(CONFIG / "aggregator.yaml"))) == 0
        assert "orders would have cost" in capsys.readouterr().out

    def test_a_recording_that_was_tampered_with_is_a_fault(
        self, recorded: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        journal, traffic = recorded
        (written,) = traffic.iterdir()
        lines = gzip.decompress(written.read_bytes()).decode().splitlines(keepends=True)
        first = next(number for number, line in enumerate(lines) if '\\"depthUpdate\\"' in line)
        (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("".join(lines[:first] + lines[first + 3 :]).encode()))
        assert main(["replay", str(tmp_path), "--journal", str(journal), "--config", str(CONFIG)]) == 1
        assert "binance" in capsys.readouterr().out

    def test_what_orders_are_asked_about_needs_the_journal(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["replay", "a.gz", "--without", "binance"])
        assert "name the --journal too" in capsys.readouterr().err

    def test_a_file_that_is_no_journal(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "journal.db").write_text("no journal")
        assert main(["replay", "--journal", str(tmp_path / "journal.db"), "--config", str(CONFIG)]) == 2
        assert "it is no journal" in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["yesterday", "2022-13-01"])
    def test_a_moment_that_is_none(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["replay", "--journal", "a.db", "--until", text])
        assert "write it as 2022-11-08T09:00:00 (UTC)" in capsys.readouterr().err
