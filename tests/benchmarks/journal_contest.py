"""Order-side events made durable: encoded, numbered, written and synced in groups, against appending the same bytes to
a bare file and syncing it after the same groups. Timed by the clock, since a sync is waited for and not computed."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from aggregator.domain.effects import Effect, ParentChanged
from aggregator.domain.errors import JournalFailed
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import POWERS
from aggregator.domain.order import Fill, Liquidity, quote_money
from aggregator.domain.order_events import About, ExecutionReport, FillReported, OrderEvent
from aggregator.service.journal import Journal
from aggregator.service.journal_entries import row_of
from tests.benchmarks.contest import Figure

BTC = Instrument.of("BTC", "USDT")
CHILDREN = 15_000
LONE = 200
BREATHE_EVERY = 64
"""Events that a loop applies before it looks at anything else."""

ROUNDS = 5
MICROSECONDS_AT_MOST = 20
"""50,000 a second."""

Happened = Sequence[tuple[OrderEvent, Sequence[Effect]]]


def run() -> Iterator[Figure]:
    happened = [pair for number in range(CHILDREN) for pair in _life(number)]
    chunks = [_bytes(seq, event, effects) for seq, (event, effects) in enumerate(happened, 1)]
    with tempfile.TemporaryDirectory(prefix="journal-") as folder:
        rounds = [_round(Path(folder) / str(number), happened, chunks) for number in range(ROUNDS)]
        lone = [_lone_round(Path(folder) / f"lone-{number}", happened, chunks) for number in range(ROUNDS)]
    each = 1e6 / len(happened)
    ours, theirs = (median(seconds) * each for seconds in zip(*rounds, strict=True))
    yield Figure(f"{len(happened):,} durable order events", "µs/event", ours, theirs, ours_at_most=MICROSECONDS_AT_MOST)
    ours, theirs = (median(seconds) * 1e6 / LONE for seconds in zip(*lone, strict=True))
    yield Figure("an order event by itself, until it is durable", "µs/event", ours, theirs)


def _life(number: int) -> Iterator[tuple[OrderEvent, Sequence[Effect]]]:
    """A child is acknowledged, filled, and over."""
    order_id = f"bench1{number:010d}"
    child_id, venue_order_id, at_ns = f"{order_id}-0", str(9_000_000 + number), 1_767_225_600_000_000_000 + number
    price, quantity = (
        BTC.price(f"61{number % 1000:03d}.{number % 100:02d}"),
        BTC.quantity(f"0.{number % 90_000 + 1:05d}"),
    )
    fee = quote_money(BTC, price * quantity) // POWERS[3]
    changed = (ParentChanged(order_id),)

    def report(word: Word, raw: str, executed: int) -> ExecutionReport:
        return ExecutionReport(
            "binance", child_id, BTC, at_ns, word, About.STREAM, raw, executed, venue_order_id, "", at_ns - 1_000_000
        )

    fill = Fill(
        "binance", child_id, BTC, str(number), Side.BUY, price, quantity, fee, "USDT", Liquidity.TAKER, at_ns, at_ns
    )
    yield report(Word.WORKING, "NEW", 0), changed
    yield FillReported(at_ns, fill, venue_order_id), changed
    yield report(Word.ENDED, "FILLED", quantity), changed


def _bytes(seq: int, event: OrderEvent, effects: Sequence[Effect]) -> bytes:
    row = row_of(seq, event, (), effects)
    return f"{row.seq} {row.at_ns} {row.kind} {row.body} ".encode() + row.effects


def _round(folder: Path, happened: Happened, chunks: Sequence[bytes]) -> tuple[float, float]:
    """Seconds of ours and of the bare file, one after the other."""
    folder.mkdir()
    gc.collect()
    gc.freeze()
    ours, ends = asyncio.run(_journaled(folder, happened))
    gc.unfreeze()
    return ours, _appended(folder, chunks, ends)


def _lone_round(folder: Path, happened: Happened, chunks: Sequence[bytes]) -> tuple[float, float]:
    folder.mkdir()
    ours = asyncio.run(_journaled_one_by_one(folder, happened[:LONE]))
    return ours, _appended(folder, chunks, range(1, LONE + 1))


async def _journaled(folder: Path, happened: Happened) -> tuple[float, list[int]]:
    """Seconds, and after which entries there was a sync."""
    journal, ends = Journal(folder / "journal.sqlite"), [0]

    def done(failure: JournalFailed | None) -> None:
        if ends[-1] != journal.durable_seq:
            ends.append(journal.durable_seq)

    journal.start(_refuse)
    begin = perf_counter()
    for number, (event, effects) in enumerate(happened):
        journal.append(event, (), effects, done)
        if number % BREATHE_EVERY == 0:
            await asyncio.sleep(0)
            await journal.wait_for_room()
    await journal.flush()
    seconds = perf_counter() - begin
    journal.close()
    return seconds, ends[1:]


async def _journaled_one_by_one(folder: Path, happened: Happened) -> float:
    journal = Journal(folder / "journal.sqlite")
    journal.start(_refuse)
    begin = perf_counter()
    for event, effects in happened:
        journal.append(event, (), effects, lambda failure: None)
        await journal.flush()
    seconds = perf_counter() - begin
    journal.close()
    return seconds


def _appended(folder: Path, chunks: Sequence[bytes], ends: Iterable[int]) -> float:
    """Seconds for the bytes alone, synced after each of `ends`."""
    begin_of_group = 0
    with (folder / "bare").open("ab", buffering=0) as bare:
        begin = perf_counter()
        for end in ends:
            bare.write(b"".join(chunks[begin_of_group:end]))
            os.fdatasync(bare.fileno())
            begin_of_group = end
        return perf_counter() - begin


def _refuse(failure: JournalFailed) -> None:
    raise failure
