"""What a book of 1000 x 1000 levels takes, built from frames as a live one is."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from tests.benchmarks.contest import Figure
from tests.benchmarks.contestants import Ours, Theirs
from tests.benchmarks.frames import Feed, synthetic

BOOKS = 8


def run() -> Iterator[Figure]:
    feed = synthetic(changes=40, messages=50, seed=1)
    ours, theirs = _kilobytes(Ours, feed), _kilobytes(Theirs, feed)
    yield Figure("memory of a 1000 x 1000 book", "KB", ours, theirs, ours_at_most=230)


def _kilobytes(contestant: Callable[[Feed], Ours | Theirs], feed: Feed) -> float:
    """Per book, over several of them: what only the first one makes is not the book's. The frames are not counted, as
    they exist before."""
    contestant(feed).play()
    kept = []
    gc.collect()
    tracemalloc.start()
    for _ in range(BOOKS):
        player = contestant(feed)
        player.play()
        kept.append(player.book)
        del player
        gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == BOOKS
    return used / BOOKS / 1000
