"""Rows to Parquet files, and tables of such files by day: for the records of the order side and of the market alike.

Days are those of UTC. Decimals are strings, exactly as they were; times are ns since the Unix epoch, named `..._ns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

WHOLE_NUMBERS = {"sequence", "level", "plan_index"}
"""Columns of integers that are no times."""

SWITCHES = {"post_only", "proven"}


def frame_of(columns: Sequence[str], rows: Sequence[Any]) -> pd.DataFrame:
    """Rows are mappings, or in the columns' order. Every column has one type, whatever the rows have in it."""
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in columns:
        frame[name] = frame[name].astype(kind_of(name))
    return frame


def kind_of(column: str) -> str:
    """The pandas type of a column, by its name."""
    if column.endswith("_ns") or column in WHOLE_NUMBERS:
        return "Int64"
    return "boolean" if column in SWITCHES else "string"


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Any]) -> None:
    """One compressed file, there whole or not at all; one that is there is replaced. Raises OSError or duckdb.Error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_suffix(".new")
    with duckdb.connect() as database:
        database.register("rows", frame_of(columns, rows))
        database.execute(f"COPY rows TO '{quoted(waiting)}' (FORMAT PARQUET, COMPRESSION ZSTD)")
    waiting.replace(path)


def quoted(path: Path) -> str:
    """For a string in SQL."""
    return str(path).replace("'", "''")
