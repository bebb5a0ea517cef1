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
