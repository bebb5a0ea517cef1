"""What the market offered: spread, depth, who had it, how steady it was, and how far Busan's books were above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from aggregator.books.depth import REACHES_BPS
from aggregator.records.reports.figures import (
    BPS,
    QUANTITY,
    SECONDS,
    Run,
    Span,
    bps,
    decimals,
    hour_of,
    mean,
    middle,
    moment,
    percent,
    plain,
    ratio,
    runs_of,
    total,
)
from aggregator.records.reports.market_time import BookTime, book_times
from aggregator.records.reports.report import Picture, Report, Series, Table
from aggregator.service.clock import NS

ALL = "all"
"""How the venues together are called."""

FELL_TO = Decimal("0.5")
CAME_BACK_TO = Decimal("0.9")
"""Resilience: depth within 10 bps that falls below the first of these parts between two samples, and how long it takes
until it is at the second part of what it was."""

POINTS = 120
"""Of a line in a picture, at most."""

DEPTHS = tuple(f"depth_{reach}" for reach in REACHES_BPS)
KEYS = ("instrument", "venue")
COLUMNS = ("samples", "spread_mean", "spread_worst", *DEPTHS, "share", "uptime", "lost")
HOURLY = ("samples", "spread_mean", "spread_worst", *DEPTHS, "share")

Frames = Mapping[str, pd.DataFrame]


class Sample(NamedTuple):
    """Of one book, or of all together, at one moment. `depths` are bids and asks within each reach together."""

    at_ns: int
    spread_bps: Decimal | None
    depths: tuple[Decimal, ...]


class Figures(NamedTuple):
    samples: int
    spread_mean: Decimal | None
    spread_worst: Decimal | None
    depths: tuple[Decimal | None, ...]


def report(span: Span, frames: Frames, instrument: str | None = None) -> Report:
    """From the tables liquidity, health, premium and runs."""
    made = Report("liquidity", span)
    own = {name: _chosen(span.of(frames[name]), instrument) for name in ("liquidity", "health", "premium", "runs")}
    runs = runs_of(span, own["runs"], [*own["liquidity"].at_ns, *own["health"].at_ns])
    _tell_runs(made, runs)
    samples = samples_of(own["liquidity"])
    times = book_times(own["health"], runs)
    made.tables.append(_summary(samples, times))
    made.tables.append(_resilience(samples))
    made.tables.append(_premiums(own["premium"]))
    made.tables.append(_hours(samples))
    made.tables.append(_states(times))
    made.tables.append(_rules(own["runs"]))
    _headline(made, samples, times, runs)
    made.pictures += _pictures(samples)
    return made


def samples_of(liquidity: pd.DataFrame) -> dict[tuple[str, str], list[Sample]]:
    """By instrument and venue, in the order of time."""
    found: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    ordered = liquidity.sort_values("at_ns", kind="stable")
    columns = [decimals(ordered[name]) for name in ("bid", "ask")]
    sides = [[decimals(ordered[f"{side}_{reach}_bps"]) for side in ("bids", "asks")] for reach in REACHES_BPS]
    keys = zip(ordered.instrument, ordered.venue, ordered.at_ns, strict=True)
    for number, (instrument, venue, at_ns) in enumerate(keys):
        depths = tuple(total([bids[number] or Decimal(0), asks[number] or Decimal(0)]) for bids, asks in sides)
        sample = Sample(int(at_ns), spread_bps(columns[0][number], columns[1][number]), depths)
        found[str(instrument), str(venue) or ALL].append(sample)
    return dict(sorted(found.items()))


def spread_bps(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Of the middle; less than 0 when crossed."""
    return None if bid is None or ask is None else bps(2 * (ask - bid), ask + bid)


def figures_of(samples: Sequence[Sample]) -> Figures:
    spreads = [sample.spread_bps for sample in samples if sample.spread_bps is not None]
    depths = tuple(mean(column, QUANTITY) for column in zip(*(sample.depths for sample in samples), strict=True))
    return Figures(len(samples), mean(spreads, BPS), max(spreads, default=None), depths)


def share_of(samples: Mapping[tuple[str, str], Sequence[Sample]], instrument: str, venue: str) -> Decimal | None:
    """Of all depth within 50 bps that any venue had, in percent."""
    reach = REACHES_BPS.index(50)
    by_venue = {
        other: total(sample.depths[reach] for sample in rows)
        for (name, other), rows in samples.items()
        if name == instrument and other != ALL
    }
    own = total(by_venue.values()) if venue == ALL else by_venue.get(venue, Decimal(0))
    return percent(own, total(by_venue.values()))


def recoveries(samples: Sequence[Sample]) -> tuple[list[int], int]:
    """How long each recovery took, in ns, and how many falls were not recovered from."""
    took, open_falls = [], 0
    fallen: tuple[int, Decimal] | None = None
    for before, now in pairwise(samples):
        if fallen is not None and now.depths[0] >= fallen[1] * CAME_BACK_TO:
            took.append(now.at_ns - fallen[0])
            fallen = None
        elif fallen is None and now.depths[0] < before.depths[0] * FELL_TO:
            fallen = now.at_ns, before.depths[0]
    open_falls += fallen is not None
    return took, open_falls


def _chosen(frame: pd.DataFrame, instrument: str | None) -> pd.DataFrame:
    return frame if instrument is None or "instrument" not in frame else frame[frame.instrument == instrument]


def _tell_runs(made: Report, runs: Sequence[Run]) -> None:
    if not runs:
        made.note("nothing_recorded")
    for run in runs:
        key = "run_whole" if run.is_whole else "run_broken"
        made.note(key, start=moment(run.start_ns), end=moment(run.end_ns))


def _headline(
    made: Report,
    samples: Mapping[tuple[str, str], Sequence[Sample]],
    times: Mapping[tuple[str, str], BookTime],
    runs: Sequence[Run],
) -> None:
    made.say("instruments", len({name for name, _ in samples}))
    made.say("venues", len({venue for _, venue in samples if venue != ALL}))
    recorded_ns = sum(run.end_ns - run.start_ns for run in runs)
    made.say("recorded_hours", ratio(recorded_ns, 3600 * NS, BPS))
    spreads = [
        sample.spread_bps
        for (_, venue), rows in samples.items()
        if venue == ALL
        for sample in rows
        if sample.spread_bps is not None
    ]
    made.say("spread_mean", mean(spreads, BPS))
    made.say("uptime", percent(sum(time.live_ns for time in times.values()), sum(t.all_ns for t in times.values())))


def _summary(samples: Mapping[tuple[str, str], Sequence[Sample]], times: Mapping[tuple[str, str], BookTime]) -> Table:
    rows = []
    for instrument, venue in sorted({*samples, *times}):
        figures = figures_of(samples.get((instrument, venue), ()))
        time = times.get((instrument, venue))
        uptime = percent(time.live_ns, time.all_ns) if time is not None else None
        share = share_of(samples, instrument, venue)
        lost = time.lost if time is not None else None
        rows.append((instrument, venue, *_cells(figures), plain(share), plain(uptime), lost))
    return Table("by_venue", (*KEYS, *COLUMNS), rows)


def _hours(samples: Mapping[tuple[str, str], Sequence[Sample]]) -> Table:
    hours: defaultdict[str, dict[tuple[str, str], list[Sample]]] = defaultdict(dict)
    for key, own in samples.items():
        for sample in own:
            hours[hour_of(sample.at_ns)].setdefault(key, []).append(sample)
    rows = [
        (hour, *key, *_cells(figures_of(own)), plain(share_of(of_hour, *key)))
        for hour, of_hour in sorted(hours.items())
        for key, own in of_hour.items()
    ]
    return Table("by_hour", ("hour", *KEYS, *HOURLY), rows)


def _cells(figures: Figures) -> tuple[str | int | None, ...]:
    depths = figures.depths or (None,) * len(REACHES_BPS)
    return (figures.samples, plain(figures.spread_mean), plain(figures.spread_worst), *map(plain, depths))


def _resilience(samples: Mapping[tuple[str, str], Sequence[Sample]]) -> Table:
    rows = []
    for key, own in samples.items():
        took, open_falls = recoveries(own)
        half = middle(took)
        shown = plain(ratio(half, NS, SECONDS)) if half is not None else None
        longest = plain(ratio(max(took), NS, SECONDS)) if took else None
        rows.append((*key, len(took) + open_falls, shown, longest, open_falls))
    return Table("resilience", (*KEYS, "falls", "recovery_median", "recovery_longest", "not_recovered"), rows)


def _premiums(premium: pd.DataFrame) -> Table:
    rows = []
    for (instrument, source), own in premium.groupby(["instrument", "source"], sort=True):
        values = [value for value in decimals(own.premium_bps) if value is not None]
        rates = [value for value in decimals(own.rate) if value is not None]
        reasons = "; ".join(sorted({str(reason) for reason in own.reason.dropna()}))
        lowest, highest = (plain(pick(values, default=None)) for pick in (min, max))
        rows.append(
            (
                str(instrument), str(source), len(own), plain(mean(rates, QUANTITY)), plain(mean(values, BPS)), lowest,
                highest, len(own) - len(values), reasons or None,
            )
        )  # fmt: skip
    columns = ("samples", "rate_mean", "premium_mean", "premium_lowest", "premium_highest", "without", "reasons")
    return Table("premiums", ("instrument", "source", *columns), rows)


def _states(times: Mapping[tuple[str, str], BookTime]) -> Table:
    rows = [
        (*key, state, plain(ratio(ns, NS, SECONDS)), plain(percent(ns, time.all_ns)))
        for key, time in times.items()
        for state, ns in sorted(time.by_state.items())
    ]
    return Table("states", (*KEYS, "state", "seconds", "part"), rows)


def _rules(runs: pd.DataFrame) -> Table:
    rows = [(moment(int(row.at_ns)), str(row.detail)) for row in runs[runs.event == "rules"].itertuples()]
    return Table("rules", ("at", "change"), rows)


def _pictures(samples: Mapping[tuple[str, str], Sequence[Sample]]) -> list[Picture]:
    pictures = []
    reach = REACHES_BPS.index(50)
    for instrument in dict.fromkeys(name for name, _ in samples):
        together = samples.get((instrument, ALL), ())
        spread = Series(ALL, [(sample.at_ns, sample.spread_bps) for sample in thinned(together)])
        pictures.append(Picture("spread_over_time", instrument, [spread]))
        depths = [
            Series(venue, [(sample.at_ns, sample.depths[reach]) for sample in thinned(own)])
            for (name, venue), own in samples.items()
            if name == instrument and venue != ALL
        ]
        pictures.append(Picture("depth_over_time", instrument, depths))
    return pictures


def thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Every so many, so that a line has no more than POINTS."""
    step = -(-len(samples) // POINTS) or 1
    return samples[::step]
