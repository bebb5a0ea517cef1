"""What commands show to people: tables of books as traders know them."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aggregator.books.consolidated import ConsolidatedDepth, MergedSide
from aggregator.books.depth import cumulative, spread, twice_mid
from aggregator.domain.numbers import format_decimal
from aggregator.records.replay import show_consolidated

BID, ASK = "green", "red"
FAULTS_SHOWN = 20


def book_document(merged: ConsolidatedDepth) -> dict[str, Any]:
    return {
        "symbol": merged.instrument.name,
        "view": merged.view.value,
        "oldest_ns": merged.oldest_ns,
        **show_consolidated(merged),
    }


def book_table(merged: ConsolidatedDepth) -> RenderableType:
    """Bids on the left, asks on the right, best on top; the totals count from the best level down."""
    table = _table(_headline(merged))
    table.add_column("venues")
    for head, style in (("total", ""), ("quantity", ""), ("bid", BID), ("ask", ASK), ("quantity", ""), ("total", "")):
        table.add_column(head, justify="right", style=style, no_wrap=True)
    table.add_column("venues")
    blank = ("", "", "", "")
    for bid, ask in zip_longest(_rows(merged, merged.bids), _rows(merged, merged.asks), fillvalue=blank):
        table.add_row(*reversed(bid), *ask)
    excluded = [Text(f"out: {venue}: {why}", style="yellow") for venue, why in merged.excluded.items()]
    return Group(table, *excluded)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)


def _headline(merged: ConsolidatedDepth) -> str:
    decimals = merged.price_decimals
    gap, middle = spread(merged.bids.levels, merged.asks.levels), twice_mid(merged.bids.levels, merged.asks.levels)
    headline = f"{merged.instrument.name}  {merged.view}"
    if gap is None or middle is None:
        return f"{headline}  a side is empty"
    state = "  CROSSED" if gap < 0 else "  LOCKED" if gap == 0 else ""
    mid = format_decimal(middle * 5, decimals + 1)
    return f"{headline}  mid {mid}  spread {format_decimal(gap, decimals)}{state}"


def _rows(merged: ConsolidatedDepth, side: MergedSide) -> list[tuple[str, str, str, str]]:
    """Per level: price, quantity, total down to it, venues; each number with as many decimals as its column needs."""
    show = merged.instrument.show_quantity
    prices = _aligned([format_decimal(price, merged.price_decimals) for price in side.prices])
    quantities = _aligned([show(quantity) for quantity in side.quantities])
    totals = _aligned([show(total) for total in cumulative(side.levels)])
    venues = [_venues(merged, side, index) for index in range(len(prices))]
    return list(zip(prices, quantities, totals, venues, strict=True))


def _aligned(numbers: list[str]) -> list[str]:
    decimals = max((len(number.partition(".")[2]) for number in numbers), default=0)
    return [_with_decimals(number, decimals) for number in numbers]


def _with_decimals(number: str, decimals: int) -> str:
    whole, _, fraction = number.partition(".")
    return f"{whole}.{fraction:0<{decimals}}" if decimals else whole


def _venues(merged: ConsolidatedDepth, side: MergedSide, index: int) -> str:
    shares = side.venues_at(index)
    if len(shares) == 1:
        return next(iter(shares))
    show = merged.instrument.show_quantity
    return ", ".join(f"{venue} {show(share)}" for venue, share in shares.items())


TROUBLES = {"gaps": "gaps", "resyncs": "resyncs", "crossed": "crossed", "rejected_frames": "rejected"}


def replay_summary(report: dict[str, Any], files: int) -> RenderableType:
    """A line a book; the columns of what went wrong are shown only where something did."""
    plural = "s" if files > 1 else ""
    table = _table(f"{report['frames']} frames and {report['fetched']} replies of {files} file{plural}")
    books = [(venue, name, book) for venue, its in report["books"].items() for name, book in its.items()]
    troubles = [key for key in TROUBLES if any(book[key] for _, _, book in books)]
    for head in ("venue", "instrument", "health"):
        table.add_column(head)
    for head in ("updates", *(TROUBLES[key] for key in troubles), "bids", "asks", "best bid", "best ask"):
        table.add_column(head, justify="right", no_wrap=True)
    for venue, name, book in books:
        counts = [str(book[key]) for key in ("updates", *troubles, "bid_levels", "ask_levels")]
        bests = [book[side][0][0] if book[side] else "-" for side in ("bids", "asks")]
        table.add_row(venue, name, _health(book), *counts, *bests)
    return Group(table, *_faults(report))


def _health(book: dict[str, Any]) -> Text:
    if book["health"] == "live":
        return Text("live", style=BID)
    return Text(f"{book['health']}: {book['reason']}", style=ASK)


def _faults(report: dict[str, Any]) -> list[Text]:
    shown = [
        Text(f"{fault['file']}:{fault['line']}: {fault['venue']}: {fault['error']}", style="yellow")
        for fault in report["errors"][:FAULTS_SHOWN]
    ]
    more = report["error_count"] - len(shown)
    return [*shown, Text(f"... and {more} more", style="yellow")] if more > 0 else shown
