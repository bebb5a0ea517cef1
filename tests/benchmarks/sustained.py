"""How much one process carries: venues x instruments x frames a second, raised until its books fall behind.

The whole service, on sockets; the venues' side is a process of its own. For information: it depends on the machine, and
on what else runs there.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

from aggregator.assembly import Service
from aggregator.books.venue_book import VenueBook
from tests.benchmarks.contest import Figure
from tests.benchmarks.live_players import Game, following, play, service_on
from tests.benchmarks.processes import python

VENUES = ("one", "two", "three", "four")
COINS = ("BTC", "ETH", "XRP", "SOL", "ADA", "DOGE", "TRX", "LTC", "LINK", "AVAX")
BOOKS = len(VENUES) * len(COINS)
CHANGES = 40

RATES = (10, 20, 30, 40, 50, 60, 75, 90, 110, 135, 165)
"""Frames a second for each book."""

TRIES = 2
"""A moment in which the machine was busy with something else is no limit of ours."""

STEP_S = 2
LAG_AT_MOST_S = 0.25
"""Further behind than this at a step's end, lag is growing."""


class Step(NamedTuple):
    rate: int
    lag_s: float
    """At its end: for how long the frames that had been due were not in the books yet."""
    waiting: int
    """In the inbox, at most."""


def run() -> Iterator[Figure]:
    frames = sum(RATES) * STEP_S * TRIES
    symbols = [f"{coin}USDT" for coin in COINS]
    with (
        python("tests.benchmarks.live_server", str(CHANGES), str(frames), *symbols) as server,
        python("tests.benchmarks.sustained", server.line()) as carrier,
    ):
        steps = [Step(*step) for step in json.loads(carrier.line())]
    carried = [step for step in steps if step.lag_s <= LAG_AT_MOST_S]
    if not carried:
        yield Figure("sustained", faulty=f"lag grows from the first step on: {steps}")
        return
    best = carried[-1]
    each = f"{len(VENUES)} venues x {len(COINS)} instruments x {best.rate} frames/s"
    yield Figure(f"sustained, {CHANGES} changes: {each}", "frames/s", best.rate * BOOKS)
    yield Figure("sustained: lag at the end of that step", "ms", best.lag_s * 1000)
    yield Figure("sustained: inbox in that step, at most", "batches", best.waiting)


async def climb(host: str) -> list[Step]:
    """Step by step until the books fall behind."""
    steps: list[Step] = []
    service = service_on(host, VENUES, [f"{coin}/USDT" for coin in COINS])
    async with following(service, BOOKS) as books:
        for rate in RATES:
            for _ in range(TRIES):
                steps.append(await _step(service, books, host, rate))
                if steps[-1].lag_s <= LAG_AT_MOST_S:
                    break
            else:
                break
    return steps


async def _step(service: Service, books: list[VenueBook], host: str, rate: int) -> Step:
    frames = rate * STEP_S * len(COINS)
    goal = sum(book.counters.updates for book in books) + frames * len(VENUES)
    await play(Game(host, rate * len(COINS), frames, 0))
    begin, waiting = perf_counter(), 0
    while sum(book.counters.updates for book in books) < goal:
        await asyncio.sleep(0.01)
        waiting = max(waiting, service.runner.waiting)
    return Step(rate, max(perf_counter() - begin - STEP_S, 0), waiting)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(climb(sys.argv[1]))), flush=True)
