"""Pictures of a report, as SVG that stands in the page itself: no script, and nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from aggregator.records.reports.figures import plain
from aggregator.records.reports.report import NONE, Kind, Picture, Series
from aggregator.service.clock import NS

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 12, 28
COLORS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#be185d")
BAR = 26
TICKS = 4


def drawn(picture: Picture, title: str) -> str:
    """An <svg>; `title` is what a screen reader says of it."""
    if picture.kind == "bars":
        body, height = _bars(picture.series)
    else:
        body, height = _plotted(picture.series, picture.kind), HEIGHT
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return f"{head}<title>{escape(title)}</title>{body}</svg>"


def _plotted(series: Sequence[Series], kind: Kind) -> str:
    known = [(at, value) for line in series for at, value in line.points if value is not None]
    if not known:
        return ""
    first, last = min(at for at, _ in known), max(at for at, _ in known)
    low, high = min(Decimal(0), *(value for _, value in known)), max(Decimal(0), *(value for _, value in known))
    if high == low:
        high = low + 1

    def x(at: int) -> int:
        return LEFT + (at - first) * (WIDTH - LEFT - RIGHT) // max(last - first, 1)

    def y(value: Decimal) -> int:
        return TOP + int((high - value) * (HEIGHT - TOP - BOTTOM) / (high - low))

    parts = [
        _axis(y(low + (high - low) * tick / TICKS), low + (high - low) * tick / TICKS) for tick in range(TICKS + 1)
    ]
    parts += [_time(x(at), at, anchor) for at, anchor in ((first, "start"), (last, "end"))]
    for number, line in enumerate(series):
        color = COLORS[number % len(COLORS)]
        for run in _unbroken(line):
            places = [(x(at), y(value)) for at, value in run]
            if kind == "dots" or len(run) == 1:
                parts += [f'<circle cx="{left}" cy="{top}" r="2.5" fill="{color}"/>' for left, top in places]
            else:
                points = " ".join(f"{left},{top}" for left, top in places)
                parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    return "".join(parts)


def _unbroken(line: Series) -> list[list[tuple[int, Decimal]]]:
    """The stretches without a hole."""
    runs: list[list[tuple[int, Decimal]]] = [[]]
    for at, value in line.points:
        if value is not None:
            runs[-1].append((at, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _axis(y: int, value: Decimal) -> str:
    shown = plain(value.quantize(Decimal("0.01"))) if abs(value) < 100 else f"{value:.0f}"
    grid = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
    return f'{grid}<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{shown}</text>'


def _time(x: int, at: int, anchor: str) -> str:
    text = datetime.fromtimestamp(at // NS, UTC).strftime("%m-%d %H:%M")
    return f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'


def _bars(series: Sequence[Series]) -> tuple[str, int]:
    """Of percentages."""
    parts = []
    for number, bar in enumerate(series):
        y, value = TOP + number * BAR, bar.points[0][1]
        width = int((value or Decimal(0)) * (WIDTH - LEFT - 90) / 100)
        shown = NONE if value is None else f"{plain(value)} %"
        parts.append(f'<text x="{LEFT - 6}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{width}" height="{BAR - 10}" fill="{COLORS[0]}"/>')
        parts.append(f'<text x="{LEFT + width + 6}" y="{y + 15}">{shown}</text>')
    return "".join(parts), TOP + max(len(series), 1) * BAR + 4


def legend(picture: Picture) -> str:
    """What the colours mean; nothing for a line alone, and for bars, which have their names beside them."""
    series = picture.series
    if len(series) < 2 or picture.kind == "bars":
        return ""
    marks = (
        f'<span><i style="background:{COLORS[number % len(COLORS)]}"></i>{escape(line.label)}</span>'
        for number, line in enumerate(series)
    )
    return f'<p class="legend">{"".join(marks)}</p>'
