"""What every report reckons with: exact decimals with a stated rounding, and the time that was on record.

Averages and ratios are rounded half to even, bps to BPS, quantities to QUANTITY and percentages to PERCENT.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

import pandas as pd

from aggregator.service.clock import NS

BPS = Decimal("0.01")
QUANTITY = Decimal("0.00000001")
PERCENT = Decimal("0.001")
SECONDS = Decimal("0.1")

DAY_NS = 86_400 * NS
HOUR_NS = 3600 * NS

KST = timezone(timedelta(hours=9), "KST")

# Wide enough that no sum of a year's samples is rounded before the figure is.
EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)


def decimals(texts: Iterable[Any]) -> list[Decimal | None]:
    return [None if pd.isna(text) else Decimal(text) for text in texts]


def ratio(part: Decimal | int, whole: Decimal | int, step: Decimal) -> Decimal | None:
    """None of nothing."""
    return EXACT.divide(Decimal(part), Decimal(whole)).quantize(step, context=EXACT) if whole else None


def percent(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    return ratio(EXACT.multiply(Decimal(part), Decimal(100)), whole, PERCENT)


def bps(part: Decimal, whole: Decimal) -> Decimal | None:
    return ratio(EXACT.multiply(part, Decimal(10_000)), whole, BPS)


def total(numbers: Iterable[Decimal]) -> Decimal:
    summed = Decimal(0)
    for number in numbers:
        summed = EXACT.add(summed, number)
    return summed


def mean(numbers: Sequence[Decimal], step: Decimal) -> Decimal | None:
    return ratio(total(numbers), len(numbers), step)


def middle(numbers: Sequence[int]) -> int | None:
    """The median; of an even count, the lower of the two in the middle."""
    return sorted(numbers)[(len(numbers) - 1) // 2] if numbers else None


def plain(number: Decimal | None) -> str | None:
    """Without an exponent, and without zeros at its end."""
    if number is None:
        return None
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def hour_of(at_ns: int) -> str:
    """Such as 2026-11-23T08, of UTC."""
    return datetime.fromtimestamp(at_ns // NS, UTC).strftime("%Y-%m-%dT%H")


def moment(at_ns: int) -> str:
    """In UTC, and in Seoul's time."""
    at = datetime.fromtimestamp(at_ns // NS, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({at.astimezone(KST):%H:%M:%S} KST)"


class Span(NamedTuple):
    """From one day of UTC to another, both in it."""

    first: date
    last: date

    @property
    def start_ns(self) -> int:
        return int(datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC).timestamp()) * NS

    @property
    def end_ns(self) -> int:
        return self.start_ns + ((self.last - self.first).days + 1) * DAY_NS

    def of(self, frame: pd.DataFrame, column: str = "at_ns") -> pd.DataFrame:
        """The rows whose time is in it."""
        return frame[(frame[column] >= self.start_ns) & (frame[column] < self.end_ns)]


@dataclass(frozen=True, slots=True)
class Run:
    """A time on record: from the start of a service to its end. `is_whole`: it said itself that it ended; otherwise it
    is taken to have ended with the last thing that it recorded."""

    start_ns: int
    end_ns: int
    is_whole: bool


def runs_of(span: Span, runs: pd.DataFrame, last_seen: Sequence[int]) -> list[Run]:
    """The times on record within the span. `last_seen` are the times of everything else that was recorded."""
    seen = sorted(int(at) for at in last_seen)
    marks = [(int(row.at_ns), row.event) for row in runs.sort_values("at_ns").itertuples()]
    starts = [at for at, event in marks if event == "started"]
    found = []
    for start, limit in zip(starts, [*starts[1:], span.end_ns], strict=False):
        stopped = [at for at, event in marks if event == "stopped" and start <= at < limit]
        within = [at for at in seen if start <= at < limit]
        end = stopped[-1] if stopped else (within[-1] if within else start)
        run = Run(max(start, span.start_ns), min(end, span.end_ns), bool(stopped))
        if run.end_ns > run.start_ns:
            found.append(run)
    return found
