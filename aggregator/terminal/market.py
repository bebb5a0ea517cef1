"""Books and route plans, as traders know them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import accumulate, zip_longest
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from aggregator.terminal.tables import BAD, GOOD, plain, short, table

FAULTS_SHOWN = 20


def book_table(book: dict[str, Any]) -> RenderableType:
    """A book as the API answers it: bids on the left, asks on the right, best on top; the totals count from the best
    level down."""
    shown = table(_headline(book))
    shown.add_column("venues")
    for head, style in (("total", ""), ("quantity", ""), ("bid", GOOD), ("ask", BAD), ("quantity", ""), ("total", "")):
        shown.add_column(head, justify="right", style=style, no_wrap=True)
    shown.add_column("venues")
    blank = ("", "", "", "")
    for bid, ask in zip_longest(_rows(book["bids"]), _rows(book["asks"]), fillvalue=blank):
        shown.add_row(*reversed(bid), *ask)
    excluded = [Text(f"out: {venue}: {why}", style="yellow") for venue, why in book["excluded"].items()]
    return Group(shown, *excluded)


def converted_table(beside: dict[str, Any]) -> RenderableType:
    """Partners' depth as a listing's own quote has it, with the rates it was turned by and the local premium."""
    premium = beside["premium_bps"]
    title = f"{beside['source']} of the partners, in the quote of {beside['symbol']}"
    shown = table(f"{title}  local premium {short(premium)} bps" if premium is not None else title)
    for head, style in (
        ("venues", ""),
        ("quantity", ""),
        ("bid", GOOD),
        ("ask", BAD),
        ("quantity", ""),
        ("venues", ""),
    ):
        shown.add_column(head, justify="right", style=style)
    blank = ("", "", "", "")
    for bid, ask in zip_longest(_rows(beside["bids"]), _rows(beside["asks"]), fillvalue=blank):
        shown.add_row(bid[3], bid[1], bid[0], ask[0], ask[1], ask[3])
    lines = [Text(_rate_line(rate)) for rate in beside["rates"]]
    if beside["reason"]:
        lines.append(Text(beside["reason"], style=BAD))
    return Group(shown, *lines)


def _rate_line(rate: dict[str, Any]) -> str:
    unused = f", not used: {rate['reason']}" if rate["reason"] else ""
    return f"{rate['source']}: 1 {rate['base']} is {rate['bid']} {rate['quote']}{unused}"


def _headline(book: dict[str, Any]) -> str:
    headline = f"{book['symbol']}  {book['view']}"
    if not (book["bids"] and book["asks"]):
        return f"{headline}  a side is empty"
    bid, ask = Decimal(book["bids"][0][0]), Decimal(book["asks"][0][0])
    state = "  CROSSED" if ask < bid else "  LOCKED" if ask == bid else ""
    age_ms = (book["as_of_ns"] - book["oldest_ns"]) // 1_000_000
    return f"{headline}  mid {plain((bid + ask) / 2)}  spread {plain(ask - bid)}{state}  oldest {age_ms} ms"


def _rows(levels: list[Any]) -> list[tuple[str, str, str, str]]:
    """Per level: price, quantity, total down to it, venues; each number with as many decimals as its column needs."""
    prices = _aligned([level[0] for level in levels])
    quantities = _aligned([level[1] for level in levels])
    totals = _aligned([plain(total) for total in accumulate(Decimal(level[1]) for level in levels)])
    venues = [_venues(level[2]) for level in levels]
    return list(zip(prices, quantities, totals, venues, strict=True))


def _aligned(numbers: list[str]) -> list[str]:
    decimals = max((len(number.partition(".")[2]) for number in numbers), default=0)
    return [_with_decimals(number, decimals) for number in numbers]


def _with_decimals(number: str, decimals: int) -> str:
    whole, _, fraction = number.partition(".")
    return f"{whole}.{fraction:0<{decimals}}" if decimals else whole


def _venues(shares: dict[str, str]) -> str:
    if len(shares) == 1:
        return next(iter(shares))
    return ", ".join(f"{venue} {share}" for venue, share in shares.items())


def quote_table(plan: dict[str, Any]) -> RenderableType:
    """A route plan: what goes where and at what price, what that saves, and why the other venues get nothing."""
    asked = plan.get("quantity") or f"{plan.get('notional')} net"
    shown = table(f"{plan['side']} {asked} {plan['symbol']}")
    shown.add_column("venue")
    for head in ("quantity", "limit price", "fee", "net price"):
        shown.add_column(head, justify="right", no_wrap=True)
    for child in plan["children"]:
        shown.add_row(
            child["venue"],
            child["quantity"],
            in_own_quote(child, child["limit_price"]),
            in_own_quote(child, child["expected_fee"]),
            short(child["net_price"]),
        )
    return Group(shown, *(Text(line, style=style) for line, style in _plan_lines(plan)))


def in_own_quote(child: dict[str, Any], money: str) -> str:
    """A price or a fee at the venue, with its asset where that is another than the order's."""
    return f"{money} {child['quote']}" if child["rate"] and money else money


def _plan_lines(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if plan["net_price"] is not None:
        average, net = short(plan["average_price"]), short(plan["net_price"])
        yield f"filled {plan['filled_by_plan']} at {average}, with fees {net}", "bold"
    for reason, part in plan["unfilled_reasons"].items():
        yield f"unfilled {part}: {reason}", "yellow"
    if plan["best_single_venue"] and plan["saving_bps"] is not None:
        yield (
            f"best single venue {plan['best_single_venue']} fills {plan['best_single_filled']} at "
            f"{short(plan['best_single_net_price'])}; saved against it: {plan['saving_bps']} bps",
            "",
        )
    proof = "proven best" if plan["proven"] else "search cut short"
    yield f"at most {plan['optimality_gap_bps']} bps from the optimum ({proof})", ""
    for venue, why in plan["excluded"].items():
        yield f"out: {venue}: {why}", "yellow"
    for venue, why in plan["unused"].items():
        yield f"not used: {venue}: {why}", ""


TROUBLES = {"gaps": "gaps", "resyncs": "resyncs", "crossed": "crossed", "rejected_frames": "rejected"}


def replay_summary(report: dict[str, Any], files: int) -> RenderableType:
    """A line a book; the columns of what went wrong are shown only where something did."""
    plural = "s" if files > 1 else ""
    shown = table(f"{report['frames']} frames and {report['fetched']} replies of {files} file{plural}")
    books = [(venue, name, book) for venue, its in report["books"].items() for name, book in its.items()]
    troubles = [key for key in TROUBLES if any(book[key] for _, _, book in books)]
    for head in ("venue", "instrument", "health"):
        shown.add_column(head)
    for head in ("updates", *(TROUBLES[key] for key in troubles), "bids", "asks", "best bid", "best ask"):
        shown.add_column(head, justify="right", no_wrap=True)
    for venue, name, book in books:
        counts = [str(book[key]) for key in ("updates", *troubles, "bid_levels", "ask_levels")]
        bests = [book[side][0][0] if book[side] else "-" for side in ("bids", "asks")]
        shown.add_row(venue, name, _health(book), *counts, *bests)
    return Group(shown, *_faults(report))


def _health(book: dict[str, Any]) -> Text:
    if book["health"] == "live":
        return Text("live", style=GOOD)
    return Text(f"{book['health']}: {book['reason']}", style=BAD)


def _faults(report: dict[str, Any]) -> list[Text]:
    shown = [
        Text(f"{fault['file']}:{fault['line']}: {fault['venue']}: {fault['error']}", style="yellow")
        for fault in report["errors"][:FAULTS_SHOWN]
    ]
    more = report["error_count"] - len(shown)
    return [*shown, Text(f"... and {more} more", style="yellow")] if more > 0 else shown
