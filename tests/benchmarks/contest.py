"""Contests: two contestants take turns on the same work, and must come out with the same result."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import process_time

ROUNDS = 7
"""The middle one counts. Odd, so that it is one that was run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant, freshly prepared: `work` is timed; `outcome` is what all must agree on."""

    work: Callable[[], object]
    outcome: Callable[[], object]


class OutcomesDiffer(Exception):
    """The contestants did not do the same work, so their times cannot be compared."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. A case was measured, or is `skipped` or `faulty` for the reason given.

    `ours` and `theirs` are costs in `unit`: less is better. `times_at_least` says by which factor ours is to
    be better, `ours_at_most` what it may cost; without either the figure is for information.
    """

    case: str
    unit: str = ""
    ours: float | None = None
    theirs: float | None = None
    times_at_least: float | None = None
    ours_at_most: float | None = None
    skipped: str = ""
    faulty: str = ""

    @property
    def times(self) -> float | None:
        """How many times less ours costs than theirs."""
        return self.theirs / self.ours if self.ours and self.theirs is not None else None

    @property
    def is_met(self) -> bool:
        """Whether nothing speaks against it: neither a fault nor a target that was missed."""
        if self.skipped or self.faulty:
            return not self.faulty
        too_slow = self.times_at_least is not None and (self.times or 0) < self.times_at_least
        too_dear = self.ours_at_most is not None and (self.ours or 0) > self.ours_at_most
        return not too_slow and not too_dear


def race(contestants: Mapping[str, Callable[[], Run]], rounds: int = ROUNDS) -> dict[str, float]:
    """Each contestant's median time in seconds, of the processor: what else runs on the machine does not count.
    They take turns, so that a slow moment of it falls on all. The collector runs as in production, but finds only
    what the work itself left.

    Raises OutcomesDiffer when two contestants end a round with different outcomes.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        outcomes = {}
        for name, prepare in contestants.items():
            run = prepare()
            gc.collect()
            gc.freeze()
            begin = process_time()
            run.work()
            seconds[name].append(process_time() - begin)
            gc.unfreeze()
            outcomes[name] = run.outcome()
        _require_same(outcomes)
    return {name: median(times) for name, times in seconds.items()}


def duel(
    case: str,
    unit: str,
    per_second: float,
    ours: Callable[[], Run],
    theirs: Callable[[], Run],
    times_at_least: float | None = None,
    rounds: int = ROUNDS,
) -> Figure:
    """A race of two as a figure; `per_second` turns a run's seconds into `unit`."""
    try:
        seconds = race({"ours": ours, "theirs": theirs}, rounds)
    except OutcomesDiffer as error:
        return Figure(case, faulty=str(error))
    return Figure(case, unit, seconds["ours"] * per_second, seconds["theirs"] * per_second, times_at_least)


def _require_same(outcomes: Mapping[str, object]) -> None:
    (first, expected), *others = outcomes.items()
    for name, outcome in others:
        if outcome != expected:
            raise OutcomesDiffer(f"{first} and {name} did not end in the same result")
