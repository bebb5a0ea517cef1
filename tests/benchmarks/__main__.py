"""`make bench`: every benchmark, or those named, as one table. Exit code 1 if a target is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    api_contest,
    books_contest,
    churn,
    consolidated_contest,
    declarative_contest,
    journal_contest,
    live_contest,
    local_contest,
    memory,
    planner_contest,
    stream_contest,
    sustained,
)
from tests.benchmarks.contest import Figure

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "books": books_contest.run,
    "consolidated": consolidated_contest.run,
    "declarative": declarative_contest.run,
    "live": live_contest.run,
    "sustained": sustained.run,
    "planner": planner_contest.run,
    "journal": journal_contest.run,
    "local": local_contest.run,
    "api": api_contest.run,
    "stream": stream_contest.run,
    "memory": memory.run,
    "churn": churn.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    unknown = set(options.names) - BENCHMARKS.keys()
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    figures: list[Figure] = []
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        figures += BENCHMARKS[name]()
    Console(width=140).print(_table(figures))
    if options.json:
        report = {"machine": _machine(), "figures": [{**asdict(figure), "times": figure.times} for figure in figures]}
        options.json.write_text(json.dumps(report, indent=2))
    return 0 if all(figure.is_met for figure in figures) else 1


def _machine() -> str:
    versions = f"Python {platform.python_version()}, ccxt {metadata.version('ccxt')}"
    return f"{versions}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _table(figures: list[Figure]) -> Table:
    title = f"{_machine()}; medians of interleaved rounds"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("case")
    for head in ("ours", "theirs", "times better", "target"):
        table.add_column(head, justify="right")
    table.add_column("")
    for figure in figures:
        table.add_row(figure.case, *_numbers(figure), _verdict(figure))
    return table


def _numbers(figure: Figure) -> tuple[str, str, str, str]:
    ours, theirs = (f"{cost:,.1f} {figure.unit}" if cost is not None else "" for cost in (figure.ours, figure.theirs))
    times = f"{figure.times:.1f}" if figure.times is not None else ""
    target = f"at least {figure.times_at_least:g}" if figure.times_at_least else ""
    return (
        ours,
        theirs,
        times,
        target or (f"at most {figure.ours_at_most:g} {figure.unit}" if figure.ours_at_most else ""),
    )


def _verdict(figure: Figure) -> str:
    if figure.skipped or figure.faulty:
        return f"skipped: {figure.skipped}" if figure.skipped else f"FAULTY: {figure.faulty}"
    return "" if figure.is_met else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
