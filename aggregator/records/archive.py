"""Every table of records as pandas has it, in one call: what was written while the service ran, and what was exported
from its journal.

A table lies in `folder/table`: a file `day.parquet` for a whole day of UTC, or, while a day is under way, a folder of
parts, `day`. Decimals are strings, exactly as they were; times are ns since the Unix epoch, named `..._ns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
import pandas as pd

from aggregator.records.exports import TABLES as ORDER_TABLES
from aggregator.service.parquet import frame_of, kind_of, quoted
from aggregator.service.sampling import LIVE_TABLES

TABLES: dict[str, tuple[str, ...]] = ORDER_TABLES | LIVE_TABLES

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class QueryRefused(Exception):
    """What DuckDB says of a query, for whoever wrote it."""


def read(folder: Path, table: str, days: str = "*") -> pd.DataFrame:
    """A table of all days, or of those that a pattern such as `2022-11-*` names. A column that an older file has not is
    null there. Raises ValueError for a table that there is not, FileNotFoundError when there is nothing of it."""
    if table not in TABLES:
        raise ValueError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    files = list(_files(folder, table, days))
    if not files:
        made = "`aggregator export`" if table in ORDER_TABLES else "`records` in the process file"
        raise FileNotFoundError(f"{folder / table} has no day {days}; it is made with {made}")
    with duckdb.connect() as database:
        found = database.execute(f"SELECT * FROM {_source(files)} ORDER BY ALL").df()
    known = [name for name in TABLES[table] if name in found]
    return found.astype({name: kind_of(name) for name in known})


def query(folder: Path | None, sql: str, frames: Mapping[str, pd.DataFrame] | None = None) -> pd.DataFrame:
    """The answer to a query over all tables, each under its name; one of which nothing was recorded is empty. `frames`
    go before what lies in the folder. Raises QueryRefused."""
    given = frames or {}
    with duckdb.connect() as database:
        for table, columns in TABLES.items():
            files = list(_files(folder, table, "*")) if folder is not None else []
            if table in given:
                database.register(table, given[table])
            elif files:
                database.execute(f"CREATE VIEW {table} AS SELECT * FROM {_source(files)}")
            else:
                database.register(table, frame_of(columns, []))
        try:
            return database.execute(sql).df()
        except duckdb.Error as error:
            raise QueryRefused(str(error)) from None


def days_of(folder: Path) -> Iterator[tuple[str, str]]:
    """What there is: table and day."""
    for table in TABLES:
        days = {path.name[:10] for path in (folder / table).glob("*") if _DAY.match(path.name)}
        yield from ((table, day) for day in sorted(days))


def _files(folder: Path, table: str, days: str) -> Iterator[Path]:
    """A day's whole is made of its parts, which may be there still."""
    whole = sorted((folder / table).glob(f"{days}.parquet"))
    yield from whole
    done = {path.stem for path in whole}
    for parts in sorted((folder / table).glob(days)):
        if parts.is_dir() and parts.name not in done:
            yield from sorted(parts.glob("*.parquet"))


def _source(files: Iterable[Path]) -> str:
    listed = ", ".join(f"'{quoted(path)}'" for path in files)
    return f"read_parquet([{listed}], union_by_name = true)"
