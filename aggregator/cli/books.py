"""Commands that show books and route plans, of a running service or of recordings."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.text import Text

from aggregator.api.client import Answered, Api, Unreachable
from aggregator.api.market import show_book
from aggregator.api.problems import Problem
from aggregator.api.quotes import Quotes
from aggregator.books.consolidated import View
from aggregator.cli.console import (
    GOOD,
    REFUSED,
    add_json,
    add_url,
    listed,
    natural,
    out,
    print_json,
    service,
)
from aggregator.cli.recordings import played
from aggregator.domain.instrument import Side
from aggregator.domain.local import LOCAL_VENUE
from aggregator.engine.engine import Engine
from aggregator.terminal import market

WATCH_EVERY_S = 0.2


def add_commands(commands: Any) -> None:
    book = commands.add_parser("book", help="show an instrument's consolidated book")
    book.add_argument("symbol", metavar="SYMBOL", help="such as BTC/USDT")
    _add_recordings(book)
    add_url(book)
    book.add_argument("--watch", action="store_true", help="redraw until interrupted")
    book.add_argument("--depth", type=natural, default=10, metavar="N", help="levels to show (10)")
    book.add_argument("--view", type=View, choices=list(View), default=View.GROSS, help="net has taker fees in it")
    add_json(book)
    book.set_defaults(run=_book)

    quote = commands.add_parser("quote", help="how an order would be split over the venues now; nothing is sent")
    quote.add_argument("symbol", metavar="SYMBOL", help="such as BTC/USDT")
    quote.add_argument("side", choices=list(Side), type=Side)
    quote.add_argument("quantity", metavar="QUANTITY", help="in base, such as 5; with --notional in quote")
    quote.add_argument("--notional", action="store_true", help="QUANTITY is what to pay, or to get, in quote")
    quote.add_argument("--limit", metavar="PRICE", help="no worse than this (a bound in bps from the best price)")
    quote.add_argument("--venues", metavar="A,B", help="only these")
    _add_recordings(quote)
    add_url(quote)
    add_json(quote)
    quote.set_defaults(run=_quote)


def _add_recordings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--replay", type=Path, nargs="+", metavar="CAPTURE", help="from recorded traffic, no service")
    command.add_argument(
        "--config", type=Path, metavar="DIR", help="for --replay: folder of the configuration (config)"
    )


def _book(options: argparse.Namespace) -> int:
    if options.replay:
        return _book_of_recordings(options)
    if not options.watch:
        api = service(options)
        book = api.book(options.symbol, options.depth, options.view)
        beside = _beside(api, book, options.depth)
        if options.json:
            print_json({**book, "converted": beside} if beside else book)
        else:
            out.print(market.book_table(book))
            if beside:
                out.print(market.converted_table(beside))
        return GOOD
    return _watch_book(options)


def _beside(api: Api, book: dict[str, Any], depth: int) -> dict[str, Any] | None:
    """Partners' depth in the quote of one of Busan's own listings; None for what is not listed, or has none beside."""
    if LOCAL_VENUE not in {*book["venues"], *book["excluded"]}:
        return None
    try:
        beside = api.converted(book["symbol"])
    except Answered:
        return None
    return {**beside, "bids": beside["bids"][:depth], "asks": beside["asks"][:depth]}


def _book_of_recordings(options: argparse.Namespace) -> int:
    replayed = played(options.replay, options.config).market
    name = options.symbol
    if name not in replayed.instruments:
        name = name.upper().replace("-", "/")
    if name not in replayed.instruments:
        print(f"{name} is in none of these recordings; there are {', '.join(replayed.instruments)}", file=sys.stderr)
        return REFUSED
    merged = replayed.consolidated(name, options.depth, options.view)
    _show_book(show_book(merged, merged.oldest_ns), options)
    return GOOD


def _show_book(document: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print_json(document)
    else:
        out.print(market.book_table(document))


def _watch_book(options: argparse.Namespace) -> int:
    """Redraw in place. A service that cannot be reached is waited for, and the screen says so."""
    api = service(options)
    with Live(console=out, auto_refresh=False, screen=False) as live:
        while True:
            try:
                live.update(market.book_table(api.book(options.symbol, options.depth, options.view)), refresh=True)
            except Unreachable as error:
                live.update(Text(str(error), style="yellow"), refresh=True)
            time.sleep(WATCH_EVERY_S)


def _quote(options: argparse.Namespace) -> int:
    request = {
        "symbol": options.symbol,
        "side": options.side.value,
        "notional" if options.notional else "quantity": options.quantity,
        "limit_price": options.limit,
        "venues": listed(options.venues),
    }
    if options.replay:
        document = quote_of_recordings(options.replay, options.config, request)
    else:
        document = service(options).quote(request)
    if options.json:
        print_json(document)
    else:
        out.print(market.quote_table(document))
    return GOOD


def quote_of_recordings(captures: Sequence[Path], config: Path | None, request: dict[str, Any]) -> dict[str, Any]:
    """The plan on the books that the recordings end with. Raises Answered when it is refused."""
    replayed = played(captures, config).market
    venues = {book.venue for book in replayed}
    newest_ns = max((book.received_ns for book in replayed), default=0)
    quotes = Quotes(Engine(market=replayed), venues, lambda: newest_ns)
    try:
        return quotes.answer(json.dumps(request).encode())
    except Problem as problem:
        raise Answered(problem.detail, problem.code) from None
