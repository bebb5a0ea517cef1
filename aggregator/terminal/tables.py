"""What all that is drawn has in common."""

from __future__ import annotations

from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.table import Table

GOOD, BAD, NOTE = "green", "red", "yellow"


def table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)


def plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def short(price: str) -> str:
    """Averages have more decimals than anyone reads."""
    return plain(round(Decimal(price), 8))
