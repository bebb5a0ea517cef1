"""Commands on what was recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from aggregator.cli.console import GOOD, REFUSED
from aggregator.domain.errors import JournalRefused
from aggregator.domain.instrument import Instruments


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


def _tables(folder: Path | None, archive: Any) -> int:
    days: dict[str, list[str]] = {}
    for table, day in archive.days_of(folder) if folder is not None else ():
        days.setdefault(table, []).append(day)
    for table, columns in archive.TABLES.items():
        span = f"{days[table][0]} to {days[table][-1]}" if table in days else "nothing"
        print(f"{table}: {span}\n    {', '.join(columns)}")
    return GOOD
