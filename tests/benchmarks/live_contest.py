"""End to end against ccxt.pro's `watch_order_book`: from a local server's socket to the book, with everything between.

Server and contestants are processes of their own. The contestants take turns, and must end in the same book.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from statistics import median

from tests.benchmarks.contest import Figure
from tests.benchmarks.frames import FIRST_ID, SYMBOL
from tests.benchmarks.live_players import PLAYERS, Game, Score
from tests.benchmarks.processes import Process, python

CHANGES = 40
"""In each frame; in the recording of BTCUSDT it is 36 on average."""

FRAMES, ROUNDS = 4000, 5
PACED_FRAMES, PACED_ROUNDS, RATE = 3000, 3, 1000


def run() -> Iterator[Figure]:
    if find_spec("ccxt") is None:
        yield Figure("live", skipped="ccxt is absent: it is in the dev extra")
        return
    with _contestants() as contestants:
        flooded = _scores(contestants, FRAMES, rate=0, rounds=ROUNDS)
        yield _figure(f"live, {CHANGES} changes: flood", flooded, "seconds", FRAMES, times_at_least=2)
        yield _figure(f"live, {CHANGES} changes: CPU in the flood", flooded, "cpu_seconds", FRAMES)
        paced = _scores(contestants, PACED_FRAMES, RATE, PACED_ROUNDS)
        case = f"live, {CHANGES} changes: CPU at {RATE} frames/s"
        yield _figure(case, paced, "cpu_seconds", PACED_FRAMES, times_at_least=1 / 0.7)


def _figure(
    case: str, scores: dict[str, list[Score]], field: str, frames: int, times_at_least: float | None = None
) -> Figure:
    if len({score.book for games in scores.values() for score in games}) > 1:
        return Figure(case, faulty="ours and theirs did not end in the same book")
    ours, theirs = (
        median(getattr(score, field) for score in scores[name]) * 1e6 / frames for name in ("ours", "theirs")
    )
    return Figure(case, "µs/frame", ours, theirs, times_at_least and round(times_at_least, 2))


def _scores(contestants: dict[str, Contestant], frames: int, rate: int, rounds: int) -> dict[str, list[Score]]:
    scores: dict[str, list[Score]] = {name: [] for name in contestants}
    with python("tests.benchmarks.live_server", str(CHANGES), str(frames), SYMBOL) as server:
        host = server.line()
        for _ in range(rounds):
            for name, contestant in contestants.items():
                game = Game(host, rate, frames, FIRST_ID + frames * CHANGES)
                scores[name].append(contestant.play(game))
    return scores


class Contestant:
    def __init__(self, process: Process) -> None:
        self._process = process

    def play(self, game: Game) -> Score:
        return Score(*json.loads(self._process.ask(json.dumps(game))))


@contextmanager
def _contestants() -> Iterator[dict[str, Contestant]]:
    with ExitStack() as stack:
        yield {name: Contestant(stack.enter_context(python("tests.benchmarks.live_players", name))) for name in PLAYERS}
