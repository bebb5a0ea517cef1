"""Frame to book, against ccxt.pro."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.benchmarks.contest import Figure, Run, duel
from tests.benchmarks.contestants import Ours, Theirs
from tests.benchmarks.frames import RECORDING, Feed, recorded, recording, synthetic

Targets = tuple[float | None, float | None, float | None]
"""By which factor to be faster on applying, on reading the best as well, and on reading the top levels."""


def run() -> Iterator[Figure]:
    if recording().is_file():
        yield from _readings("recorded BTCUSDT", recorded(), (None, None, None))
    else:
        yield Figure("recorded BTCUSDT", skipped=f"../shared/captures/{RECORDING} is absent")
    yield from _readings("40 changes", synthetic(changes=40, messages=1500, seed=40), (2.5, 2.5, 1.7))
    yield from _readings("4 changes", synthetic(changes=4, messages=5000, seed=4), (5, None, None))


def _readings(name: str, feed: Feed, targets: Targets) -> Iterator[Figure]:
    unit, per_second = "µs/frame", 1e6 / len(feed.frames)

    def ours(read: str) -> Run:
        contestant = Ours(feed)
        reading = getattr(contestant, read) if read else None
        return Run(lambda: contestant.play(reading), contestant.outcome)

    def theirs(read: str) -> Run:
        contestant = Theirs(feed)
        reading = getattr(contestant, read) if read else None
        return Run(lambda: contestant.play(reading), contestant.outcome)

    readings = (("apply", ""), ("apply, best", "read_best"), ("apply, top 20", "read_top"))
    for (title, read), target in zip(readings, targets, strict=True):
        yield duel(
            f"{name}: {title}",
            unit,
            per_second,
            partial(ours, read),
            partial(theirs, read),
            target,
        )
