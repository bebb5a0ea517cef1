"""How far each venue can be relied on: its books, and what became of the orders that were sent there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd

from aggregator.records.reports.execution import shown_fees
from aggregator.records.reports.figures import (
    EXACT,
    SECONDS,
    Span,
    middle,
    moment,
    percent,
    plain,
    ratio,
    runs_of,
)
from aggregator.records.reports.market_time import BookTime, book_times
from aggregator.records.reports.report import Picture, Report, Series, Table

Frames = Mapping[str, pd.DataFrame]

REFUSED = ("rejected", "not_sent", "missing")
MS = 1_000_000


class Conduct(NamedTuple):
    """What became of a venue's children. `first_fill_ns` is from when a child left to its first fill here."""

    children: int
    refused: Counter[str]
    unsettled: int
    wanted: Decimal
    filled: Decimal
    first_fill_ns: list[int]
    fees: dict[str, Decimal]


def report(span: Span, frames: Frames, venue: str | None = None) -> Report:
    """From the tables health, runs, children and fills."""
    made = Report("venue", span)
    health = span.of(frames["health"])
    runs = runs_of(span, frames["runs"], list(health.at_ns))
    if not runs:
        made.note("nothing_recorded")
    for run in runs:
        made.note("run_whole" if run.is_whole else "run_broken", start=moment(run.start_ns), end=moment(run.end_ns))
    times = book_times(health, runs)
    conducts = conducts_of(span, frames)
    names = sorted({name for _, name in times} | conducts.keys())
    if venue is not None:
        names = [name for name in names if name == venue]
    made.tables.append(_cards(names, times, conducts))
    made.tables.append(_losses(names, times))
    made.tables.append(_refusals(names, conducts))
    made.say("venues", len(names))
    made.say("uptime", _uptime(names, times))
    made.say("children", sum(conduct.children for name, conduct in conducts.items() if name in names))
    bars = [Series(name, [(0, _uptime([name], times))]) for name in names]
    made.pictures.append(Picture("uptime_by_venue", "", bars, "bars"))
    return made


def conducts_of(span: Span, frames: Frames) -> dict[str, Conduct]:
    """By venue, of the children that left in the span."""
    fills: dict[str, list[Any]] = {}
    for fill in frames["fills"].sort_values("received_ns", kind="stable").itertuples():
        fills.setdefault(str(fill.child_id), []).append(fill)
    found: dict[str, Conduct] = {}
    for child in span.of(frames["children"], "sent_ns").itertuples():
        name = str(child.venue)
        known = found.setdefault(name, Conduct(0, Counter(), 0, Decimal(0), Decimal(0), [], {}))
        own = fills.get(str(child.child_id), [])
        for fill in own:
            known.fees[str(fill.fee_asset)] = known.fees.get(str(fill.fee_asset), Decimal(0)) + Decimal(fill.fee)
        if own:
            known.first_fill_ns.append(int(own[0].received_ns) - int(child.sent_ns))
        if child.state in REFUSED:
            known.refused[f"{child.state}: {child.reason or child.venue_word}"] += 1
        is_immediate = child.time_in_force != "GTC"
        found[name] = known._replace(
            children=known.children + 1,
            unsettled=known.unsettled + (child.state in ("unknown", "settling")),
            wanted=known.wanted + (Decimal(child.quantity) if is_immediate else 0),
            filled=known.filled + (Decimal(child.filled) if is_immediate else 0),
        )
    return found


def score(uptime: Decimal | None, accepted: Decimal | None, kept: Decimal | None) -> Decimal | None:
    """The product of those parts that are known, in percent; None when nothing is."""
    known = [part for part in (uptime, accepted, kept) if part is not None]
    if not known:
        return None
    product = Decimal(100)
    for part in known:
        product = EXACT.divide(EXACT.multiply(product, part), Decimal(100))
    return ratio(product, 1, SECONDS)


def _uptime(names: Sequence[str], times: Mapping[tuple[str, str], BookTime]) -> Decimal | None:
    own = [time for (_, venue), time in times.items() if venue in names]
    return percent(sum(time.live_ns for time in own), sum(time.all_ns for time in own))


COLUMNS = (
    "venue", "books", "uptime", "lost", "children", "accepted", "filled_to_plan", "first_fill_ms", "unsettled", "fees",
    "score",
)  # fmt: skip


def _cards(names: Sequence[str], times: Mapping[tuple[str, str], BookTime], conducts: Mapping[str, Conduct]) -> Table:
    rows: list[tuple[str | int | None, ...]] = []
    for name in names:
        books = [time for (_, venue), time in times.items() if venue == name]
        uptime = _uptime([name], times)
        conduct = conducts.get(name)
        accepted = kept = None
        cells: tuple[str | int | None, ...] = (0, None, None, None, 0, None)
        if conduct is not None:
            accepted = percent(conduct.children - conduct.refused.total(), conduct.children)
            kept = percent(conduct.filled, conduct.wanted)
            half = middle(conduct.first_fill_ns)
            first = plain(ratio(half, MS, SECONDS)) if half is not None else None
            fees = shown_fees(conduct.fees)
            cells = (conduct.children, plain(accepted), plain(kept), first, conduct.unsettled, fees)
        lost = sum(time.lost for time in books)
        rows.append((name, len(books), plain(uptime), lost, *cells, plain(score(uptime, accepted, kept))))
    return Table("cards", COLUMNS, rows)


def _losses(names: Sequence[str], times: Mapping[tuple[str, str], BookTime]) -> Table:
    reasons: Counter[tuple[str, str]] = Counter()
    for (_, venue), time in times.items():
        for reason, count in time.reasons.items():
            reasons[venue, reason] += count
    rows: list[tuple[str | int | None, ...]] = [
        (venue, reason, count)
        for (venue, reason), count in sorted(reasons.items(), key=lambda item: (item[0][0], -item[1]))
        if venue in names
    ]
    return Table("losses", ("venue", "reason", "times"), rows)


def _refusals(names: Sequence[str], conducts: Mapping[str, Conduct]) -> Table:
    rows: list[tuple[str | int | None, ...]] = [
        (name, reason, count)
        for name in names
        if name in conducts
        for reason, count in conducts[name].refused.most_common()
    ]
    return Table("refusals", ("venue", "reason", "times"), rows)
