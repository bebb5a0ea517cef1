"""A report, before it is written in a language and a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

import pandas as pd

from aggregator.records.reports.figures import Span, plain

Cell = str | int | None

NONE = "-"
"""Shown where there is no figure."""


class Table(NamedTuple):
    """`name` is its key among the texts, as are its columns."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=list(self.columns), dtype="object")


Kind = Literal["lines", "dots", "bars"]
"""Of bars each series is one, a percentage: its only point."""


class Series(NamedTuple):
    """A line of a picture: times in ns and values, None where there is none."""

    label: str
    points: list[tuple[int, Decimal | None]]


class Picture(NamedTuple):
    """`name` is a key among the titles, `about` the instrument that it is of, if it is of one."""

    name: str
    about: str
    series: list[Series]
    kind: Kind = "lines"


@dataclass
class Report:
    """`headline` are the figures to be read first, `notes` what one must know to read the others: a key among the texts
    and what is to be put in."""

    name: str
    span: Span
    headline: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def say(self, key: str, value: Decimal | int | str | None) -> None:
        shown = plain(value) if isinstance(value, Decimal) else value
        self.headline.append((key, NONE if shown is None else str(shown)))

    def note(self, key: str, **values: str) -> None:
        self.notes.append((key, values))
