"""A recorded stretch that was run again: whether it is what it was, and what it would have cost otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from aggregator.terminal.tables import BAD, GOOD, NOTE, short, table


def summary(report: dict[str, Any]) -> RenderableType:
    return Group(*(Text(line, style=style) for line, style in _lines(report)))


def _lines(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    seen = report["looks"] - report["looks_without_traffic"]
    yield f"{report['entries']} journal entries up to {report['until_seq']}, {report['orders']} orders", ""
    yield f"{seen} of {report['looks']} looks at the market made again from {report['frames']} frames", ""
    if report["looks_without_traffic"]:
        yield f"{report['looks_without_traffic']} looks are older than the traffic: taken from the journal", NOTE
    yield f"digest of orders, ledger and local books: {report['digest']}", ""
    if report["digest_then"] is not None:
        yield f"the journal's own, after the same entry:     {report['digest_then']}", ""
    for difference in report["differences"]:
        where = f"entry {difference['seq']}" + (f", {difference['venue']}" if difference["venue"] else "")
        yield f"{where}: {difference['what']}", BAD
    more = report["difference_count"] - len(report["differences"])
    if more:
        yield f"and {more} more differences", BAD
    if report["is_equal"]:
        yield "the same books, plans, child orders and effects as then", GOOD


def what_if_table(compared: dict[str, Any]) -> RenderableType:
    """A line an order, and what the change had cost in all."""
    shown = table("What if")
    for head in ("order", "instrument", "side"):
        shown.add_column(head)
    for head in ("quantity", "filled by plan", "then", "net total", "then", "costs more", "bps"):
        shown.add_column(head, justify="right", no_wrap=True)
    for order in compared["orders"]:
        shown.add_row(
            order["client_order_id"],
            order["symbol"],
            order["side"],
            *(short(order[name]) for name in ("quantity", "filled", "filled_then", "net_total", "net_total_then")),
            Text(short(order["costs_more"]), style=BAD if not order["costs_more"].startswith(("-", "0")) else ""),
            order["costs_more_bps"],
        )
    return Group(shown, *(Text(line) for line in _totals(compared["totals"])))


def _totals(totals: dict[str, dict[str, Any]]) -> Iterator[str]:
    for quote, total in totals.items():
        bps = f" ({total['costs_more_bps']} bps)" if total["costs_more_bps"] is not None else ""
        yield (
            f"{quote}: {total['orders']} orders would have cost {short(total['costs_more'])} {quote} more{bps}; "
            f"{total['less_filled']} would have filled less, {total['more_filled']} more"
        )
