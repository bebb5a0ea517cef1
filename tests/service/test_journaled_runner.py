"""What an order-side event causes leaves only once the event is on disk; where that fails, nothing leaves at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from aggregator.domain.effects import AskAccount, Effect, RequestAnswered
from aggregator.domain.errors import JournalFailed
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Instruments, Listing
from aggregator.domain.order_events import HaltSwitched, OrderRequested, Started
from aggregator.engine.digest import orders_sha256
from aggregator.engine.engine import Engine
from aggregator.service.journal import Journal
from aggregator.service.journal_file import JournalReader
from aggregator.service.recovery import recover
from aggregator.service.runner import Runner
from tests.engine.plain_venues import BTC, SECOND, START_NS, VENUES, engine_with_books, order_terms
from tests.twins.listings import levels

STARTED = Started(START_NS, "abc123", VENUES)


class Desk:
    """A runner with a journal. `left` are the effects that left, each with the last number that was on disk then."""

    def __init__(self, path: Path, snapshot_every: int = 20_000) -> None:
        self.path = path
        self.journal = Journal(path)
        self.reader = JournalReader(path)
        self.engine = engine_with_books(START_NS)
        self.now_ns = START_NS
        self.left: list[tuple[Effect, int]] = []
        self.runner = Runner(self.engine, lambda: self.now_ns, self.leave, self.journal, snapshot_every)

    def leave(self, effects: Sequence[Effect]) -> None:
        self.left += [(effect, self.reader.last_seq()) for effect in effects]

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.reader.read()]

    def break_journal(self) -> None:
        with sqlite3.connect(self.path) as meddler:
            meddler.execute("CREATE TRIGGER shut BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'shut'); END")
        meddler.close()


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Desk]:
    """Until the end of the block, then stopped in order."""
    desk.journal.start(lambda failure: None)
    task = asyncio.create_task(desk.runner.run())
    try:
        yield desk
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        desk.runner.drain()
        await desk.runner.settle()
        desk.journal.close()
        desk.reader.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.002)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def test_effects_leave_in_order_and_after_their_event_is_on_disk(path: Path) -> None:
    desk = Desk(path)
    async with running(desk):
        await desk.runner.post([STARTED])
        for number in range(50):
            await desk.runner.post([HaltSwitched(START_NS + number, number % 2 == 0, "ops", f"turn {number}")])
        await until(lambda: desk.journal.durable_seq == 51)
    asked = [(effect, on_disk) for effect, on_disk in desk.left if isinstance(effect, AskAccount)]
    assert [effect.venue for effect, _ in asked] == list(VENUES)
    assert all(on_disk >= 1 for _, on_disk in asked)
    answers = [on_disk for effect, on_disk in desk.left if isinstance(effect, RequestAnswered)]
    assert len(answers) == 50
    assert all(on_disk >= seq for seq, on_disk in enumerate(answers, 2))


async def test_whoever_asks_gets_the_effects_once_they_are_durable_and_have_left(path: Path) -> None:
    desk = Desk(path)
    async with running(desk):
        effects = await desk.runner.ask(STARTED)
        assert effects[: len(VENUES)] == [AskAccount(venue) for venue in VENUES]
        assert [effect for effect, _ in desk.left] == list(effects)
        assert desk.reader.last_seq() == 1


async def test_whoever_asked_may_be_gone(path: Path) -> None:
    desk = Desk(path)
    async with running(desk):
        asking = asyncio.create_task(desk.runner.ask(HaltSwitched(START_NS, True, "ops")))
        await asyncio.sleep(0)
        asking.cancel()
        await desk.runner.ask(HaltSwitched(START_NS, True, "ops"))
        assert desk.engine.orders.is_halted
        assert desk.kinds() == ["HaltSwitched", "HaltSwitched"]


async def test_what_is_due_comes_as_a_journaled_timer_after_a_tick(path: Path) -> None:
    desk = Desk(path)
    async with running(desk):
        await desk.runner.ask(STARTED)
        desk.now_ns = START_NS + 6 * SECOND
        await until(lambda: "Timer" in desk.kinds())
    timer = next(entry for entry in JournalReader(path).read() if entry.kind == "Timer")
    assert timer.at_ns == START_NS + 6 * SECOND


async def test_snapshots_are_taken_on_the_way_and_a_recovery_starts_there(path: Path) -> None:
    desk = Desk(path, snapshot_every=10)
    async with running(desk):
        for number in range(25):
            await desk.runner.ask(HaltSwitched(START_NS + number, number % 2 == 0, "ops", f"turn {number}"))
        snapshot = desk.journal.latest_snapshot()
        assert snapshot is not None
        assert snapshot.seq == 20
    again = Engine()
    with JournalReader(path) as reader:
        assert recover(reader, again, Instruments()) == 25
    assert again.orders.document() == desk.engine.orders.document()
    assert again.orders.halt_reason == "turn 24"


async def test_an_orderly_stop_leaves_a_snapshot_of_the_last_state(path: Path) -> None:
    desk = Desk(path)
    async with running(desk):
        await desk.runner.ask(HaltSwitched(START_NS, True, "ops", "the end"))
    with JournalReader(path) as reader:
        snapshot = reader.latest_snapshot()
        assert snapshot is not None
        assert (snapshot.seq, snapshot.digest) == (reader.last_seq(), orders_sha256(desk.engine.orders.document()))


async def test_without_a_journal_effects_leave_at_once() -> None:
    engine, left = engine_with_books(START_NS), list[Effect]()
    runner = Runner(engine, lambda: START_NS, left.extend)
    await runner.post([STARTED])
    runner.drain()
    assert left[: len(VENUES)] == [AskAccount(venue) for venue in VENUES]


class TestWhenTheJournalFails:
    async def test_no_effect_leaves_and_whoever_asked_is_told(self, path: Path) -> None:
        desk = Desk(path)
        async with running(desk):
            await desk.runner.ask(HaltSwitched(START_NS, False, "ops"))
            left = list(desk.left)
            desk.break_journal()
            with pytest.raises(JournalFailed, match="shut"):
                await desk.runner.ask(STARTED)
            with pytest.raises(JournalFailed, match="shut"):
                await desk.runner.ask(HaltSwitched(START_NS, True, "ops"))
            assert desk.left == left
            assert not desk.engine.orders.is_halted

    async def test_the_market_goes_on(self, path: Path) -> None:
        desk = Desk(path)
        async with running(desk):
            desk.break_journal()
            with pytest.raises(JournalFailed):
                await desk.runner.ask(STARTED)
            snapshot = BookSnapshot("delta", BTC.name, START_NS, START_NS, levels({1: 10}), levels({2: 10}))
            await desk.runner.post([ListingsRead("delta", START_NS, [Listing("delta", "BTCUSDT", BTC)]), snapshot])
            await until(lambda: "delta" in desk.engine.market.books(BTC.name))
            assert desk.engine.market.books(BTC.name)["delta"].is_live


async def test_an_effect_that_cannot_be_carried_out_ends_the_run(path: Path) -> None:
    journal = Journal(path)
    journal.start(lambda failure: None)

    def fails(effects: Sequence[Effect]) -> None:
        raise ZeroDivisionError

    runner = Runner(engine_with_books(START_NS), lambda: START_NS, fails, journal)
    await runner.post([STARTED])
    with pytest.raises(ExceptionGroup) as group:
        async with asyncio.timeout(20):
            await runner.run()
    assert group.group_contains(ZeroDivisionError)
    journal.close()


async def test_an_order_is_planned_again_from_what_was_seen_then(path: Path) -> None:
    """The books that a recovery has are empty: what it decides from is in the journal."""
    desk = Desk(path)
    async with running(desk):
        await desk.runner.ask(Started(START_NS, "abc123"))
        await desk.runner.ask(OrderRequested(START_NS, order_terms("c1")))
        again = Engine()
        with JournalReader(path) as reader:
            (seen,) = [entry.seen for entry in reader.read() if entry.kind == "OrderRequested"]
            assert [look["mid"] for look in seen] == ["60000.5"]
            assert reader.latest_snapshot() is None
            recover(reader, again, Instruments())
    assert again.orders.document() == desk.engine.orders.document()
