"""Commands on what was recorded."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from aggregator.cli.console import GOOD, REFUSED
from aggregator.domain.errors import JournalRefused
from aggregator.domain.instrument import Instruments

DEMO = Path("var") / "demo"


def add_commands(commands: Any) -> None:
    export = commands.add_parser("export", help="a journal's orders, fills and local books as Parquet, by day")
    export.add_argument("--journal", type=Path, required=True, metavar="FILE")
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    export.set_defaults(run=_export)

    query = commands.add_parser("query", help="SQL over what was recorded: every table under its name")
    query.add_argument("sql", nargs="?", metavar="SQL", help="left out: the tables, their columns and days")
    query.add_argument("--records", type=Path, metavar="FOLDER", help="what the service wrote, or `export`")
    query.add_argument(
        "--journal", type=Path, metavar="FILE", help="orders, children, fills, plans as they are in it now"
    )
    query.add_argument("--format", choices=("table", "csv", "json"), default="table")
    query.set_defaults(run=_query)

    report = commands.add_parser("report", help="a page, CSV and JSON from records: liquidity, execution, venue")
    kinds = report.add_subparsers(title="reports", metavar="REPORT", required=True)
    for name, text, only in (
        ("liquidity", "spread, depth, share, uptime, resilience and premium", "instrument"),
        ("execution", "orders, plans, slippage, fees, exclusions and what they cost", "account"),
        ("venue", "how far each venue can be relied on", "venue"),
    ):
        kind = kinds.add_parser(name, help=text)
        kind.add_argument(
            "--records", type=Path, metavar="FOLDER", help="what the service wrote (a demo's, if one is here)"
        )
        kind.add_argument("--journal", type=Path, metavar="FILE", help="of the same service (a demo's)")
        kind.add_argument("--from", dest="first", type=_day, metavar="DAY", help="the first day of UTC (today)")
        kind.add_argument("--to", dest="last", type=_day, metavar="DAY", help="the last one (the first)")
        kind.add_argument(f"--{only}", dest="only", metavar=only.upper(), help="nothing else")
        kind.add_argument("--out", type=Path, default=Path("reports"), metavar="FOLDER", help="(reports)")
        kind.add_argument("--lang", choices=("en", "ko"), default="en")
        kind.set_defaults(run=_report, report=name)


def _export(options: argparse.Namespace) -> int:
    from aggregator.records import exports  # with pandas and DuckDB, which no other command needs

    try:
        records = exports.replayed(options.journal, Instruments())
    except JournalRefused as error:
        print(error, file=sys.stderr)
        return REFUSED
    for path in exports.write(records, options.out):
        print(path)
    return GOOD


def _query(options: argparse.Namespace) -> int:
    from aggregator.records import archive, exports

    if options.records is None and options.journal is None:
        print("nothing to ask: give --records FOLDER, --journal FILE, or both", file=sys.stderr)
        return REFUSED
    if options.sql is None:
        return _tables(options.records, archive)
    try:
        frames = {}
        if options.journal is not None:
            records = exports.replayed(options.journal, Instruments())
            frames = {table: records.frame(table) for table in exports.TABLES}
        found = archive.query(options.records, options.sql, frames)
    except (JournalRefused, archive.QueryRefused) as error:
        print(error, file=sys.stderr)
        return REFUSED
    match options.format:
        case "csv":
            found.to_csv(sys.stdout, index=False)
        case "json":
            print(found.to_json(orient="records", indent=1))
        case _:
            print(found.to_string(index=False))
    return GOOD


def _report(options: argparse.Namespace) -> int:
    from aggregator.records.reports import made
    from aggregator.records.reports.figures import Span
    from aggregator.records.reports.writing import write

    records, journal = options.records or _demos("records"), options.journal or _demos("*.db")
    if records is None and journal is None:
        print(
            f"nothing to report on: no demo has run here ({DEMO}); give --records FOLDER, --journal FILE",
            file=sys.stderr,
        )
        return REFUSED
    first = options.first or datetime.now(UTC).date()
    span = Span(first, options.last or first)
    if span.last < span.first:
        print(f"--to {span.last} is before --from {span.first}; turn them round", file=sys.stderr)
        return REFUSED
    try:
        report = made.report(options.report, span, records, journal, options.only)
        written = write(report, options.out, options.lang)
    except JournalRefused as error:
        print(error, file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"{options.out}: {error.strerror}; give another folder with --out", file=sys.stderr)
        return REFUSED
    for path in written:
        print(path)
    return GOOD


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-11-23") from None


def _demos(pattern: str) -> Path | None:
    """What a demo in this folder has recorded."""
    return next(iter(sorted(DEMO.glob(pattern))), None)


def _tables(folder: Path | None, archive: Any) -> int:
    days: dict[str, list[str]] = {}
    for table, day in archive.days_of(folder) if folder is not None else ():
        days.setdefault(table, []).append(day)
    for table, columns in archive.TABLES.items():
        span = f"{days[table][0]} to {days[table][-1]}" if table in days else "nothing"
        print(f"{table}: {span}\n    {', '.join(columns)}")
    return GOOD
