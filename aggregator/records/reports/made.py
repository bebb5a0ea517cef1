"""A report from what is on disk: the tables that it needs, of the days that it is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from aggregator.domain.instrument import Instruments
from aggregator.records import archive, exports
from aggregator.records.reports import execution, liquidity, venues
from aggregator.records.reports.figures import Span
from aggregator.records.reports.report import Report
from aggregator.service.parquet import frame_of

Frames = dict[str, pd.DataFrame]

NEEDED: dict[str, tuple[str, ...]] = {
    "liquidity": ("liquidity", "health", "premium", "runs"),
    "execution": ("orders", "children", "fills", "plans", "runs"),
    "venue": ("health", "runs", "children", "fills"),
}


def report(name: str, span: Span, records: Path | None, journal: Path | None, only: str | None = None) -> Report:
    """`only`: of this instrument, account or venue. What orders did comes from the journal, or, without one, from what
    was exported to the folder of records. Raises JournalRefused."""
    frames = frames_of(NEEDED[name], records, journal)
    makers: dict[str, Callable[[Span, Frames, str | None], Report]] = {
        "liquidity": liquidity.report,
        "execution": execution.report,
        "venue": venues.report,
    }
    return makers[name](span, frames, only)


def frames_of(tables: tuple[str, ...], records: Path | None, journal: Path | None) -> Frames:
    """A table of which there is nothing is empty."""
    from_journal = exports.replayed(journal, Instruments()) if journal and set(tables) & set(exports.TABLES) else None
    frames = {}
    for table in tables:
        if from_journal is not None and table in exports.TABLES:
            frames[table] = from_journal.frame(table)
        else:
            frames[table] = _read(records, table)
    return frames


def _read(records: Path | None, table: str) -> pd.DataFrame:
    if records is not None:
        try:
            return archive.read(records, table)
        except FileNotFoundError:
            pass  # nothing of it was recorded, which the report says
    return frame_of(archive.TABLES[table], [])
