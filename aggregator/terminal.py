"""What commands show to people: tables of books as traders know them."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

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
    table = Table(title=_headline(merged), title_justify="left", pad_edge=False)
    for side in ("bids", "asks"):
        colour = BID if side == "bids" else ASK
        heads = ("venues", "total", "quantity", "bid") if side == "bids" else ("ask", "quantity", "total", "venues")
        for head in heads:
            table.add_column(
                head, justify="left" if head == "venues" else "right", style=colour if head in ("bid", "ask") else ""
            )
    blank = ("", "", "", "")
    for bid, ask in zip_longest(_rows(merged, merged.bids), _rows(merged, merged.asks), fillvalue=blank):
        table.add_row(*reversed(bid), *ask)
    excluded = [Text(f"out: {venue}: {why}", style="yellow") for venue, why in merged.excluded.items()]
    return Group(table, *excluded)


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
    """Per level: price, quantity, total down to it, venues."""
    show = merged.instrument.show_quantity
    totals = cumulative(side.levels)
    return [
        (
            format_decimal(price, merged.price_decimals),
            show(quantity),
            show(total),
            _venues(merged, side, index),
        )
        for index, (price, quantity, total) in enumerate(zip(side.prices, side.quantities, totals, strict=True))
    ]


def _venues(merged: ConsolidatedDepth, side: MergedSide, index: int) -> str:
    shares = side.venues_at(index)
    if len(shares) == 1:
        return next(iter(shares))
    show = merged.instrument.show_quantity
    return ", ".join(f"{venue} {show(share)}" for venue, share in shares.items())


def replay_summary(report: dict[str, Any], files: int) -> RenderableType:
    plural = "s" if files > 1 else ""
    title = f"{report['frames']} frames and {report['fetched']} replies of {files} file{plural}"
    table = Table(title=title, title_justify="left", pad_edge=False)
    table.add_column("venue")
    table.add_column("instrument")
    table.add_column("health")
    for head in ("updates", "gaps", "resyncs", "crossed", "rejected", "bids", "asks", "best bid", "best ask"):
        table.add_column(head, justify="right")
    for venue, books in report["books"].items():
        for name, book in books.items():
            table.add_row(venue, name, _health(book), *_counts(book))
    return Group(table, *_faults(report))


def _health(book: dict[str, Any]) -> Text:
    if book["health"] == "live":
        return Text("live", style=BID)
    return Text(f"{book['health']}: {book['reason']}", style=ASK)


def _counts(book: dict[str, Any]) -> list[str]:
    keys = ("updates", "gaps", "resyncs", "crossed", "rejected_frames", "bid_levels", "ask_levels")
    bests = [book[side][0][0] if book[side] else "-" for side in ("bids", "asks")]
    return [*(str(book[key]) for key in keys), *bests]


def _faults(report: dict[str, Any]) -> list[Text]:
    shown = [
        Text(f"{fault['file']}:{fault['line']}: {fault['venue']}: {fault['error']}", style="yellow")
        for fault in report["errors"][:FAULTS_SHOWN]
    ]
    more = report["error_count"] - len(shown)
    return [*shown, Text(f"... and {more} more", style="yellow")] if more > 0 else shown
