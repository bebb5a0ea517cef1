"""How long each book was in which state of health, from what was recorded of it: exact, in ns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from aggregator.records.reports.figures import Run

LIVE = "live"


class BookTime(NamedTuple):
    """`by_state` in ns; `lost` counts how often it stopped being live, `reasons` why."""

    by_state: dict[str, int]
    lost: int
    reasons: dict[str, int]

    @property
    def live_ns(self) -> int:
        return self.by_state.get(LIVE, 0)

    @property
    def all_ns(self) -> int:
        return sum(self.by_state.values())


def book_times(health: pd.DataFrame, runs: Sequence[Run]) -> dict[tuple[str, str], BookTime]:
    """By instrument and venue. A state lasts until the next is told, or the run ends; of before its first word in a run
    nothing is known."""
    told: defaultdict[tuple[str, str], list[tuple[int, str, str]]] = defaultdict(list)
    for row in health.sort_values("at_ns", kind="stable").itertuples():
        reason = "" if pd.isna(row.reason) else str(row.reason)
        told[str(row.instrument), str(row.venue)].append((int(row.at_ns), str(row.health), reason))
    return {key: _time_of(words, runs) for key, words in sorted(told.items())}


def _time_of(words: list[tuple[int, str, str]], runs: Sequence[Run]) -> BookTime:
    by_state: defaultdict[str, int] = defaultdict(int)
    reasons: defaultdict[str, int] = defaultdict(int)
    lost = 0
    for run in runs:
        own = [word for word in words if run.start_ns <= word[0] <= run.end_ns]
        before = ""
        for (at_ns, state, reason), until_ns in zip(own, [*(word[0] for word in own[1:]), run.end_ns], strict=False):
            by_state[state] += until_ns - at_ns
            if before == LIVE and state != LIVE:
                lost += 1
                reasons[f"{state}: {reason}" if reason else state] += 1
            before = state
    return BookTime(dict(by_state), lost, dict(reasons))
