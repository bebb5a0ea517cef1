"""Commands that place, amend, cancel, show and explain orders, the house's balances, and the kill switch."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from rich.text import Text

from aggregator.api.client import Api, Unreachable
from aggregator.cli.books import quote_of_recordings
from aggregator.cli.console import (
    FAULTS,
    GOOD,
    REFUSED,
    add_json,
    add_url,
    listed,
    natural,
    out,
    print_json,
    seconds,
    service,
)
from aggregator.domain.instrument import Side
from aggregator.domain.order import OrderType, TimeInForce
from aggregator.terminal import market, orders
from aggregator.terminal.tables import NOTE

LOOK_EVERY_S = 0.1
WAIT_S = 5
OPEN_STATES = {"working", "canceling"}


def add_commands(commands: Any) -> None:
    order = commands.add_parser("order", help="place, amend, cancel and show orders")
    kinds = order.add_subparsers(metavar="COMMAND", required=True)
    _add_place(kinds.add_parser("place", help="route an order over the venues, and follow it"))
    _add_amend(kinds.add_parser("amend", help="another quantity or limit price for an order that rests"))
    _add_cancel(kinds.add_parser("cancel", help="cancel an order, or all of them"))
    show = kinds.add_parser("show", help="an order, its children and what they came to")
    _add_id(show)
    _finish(show, _show)
    shown = kinds.add_parser("list", help="the account's orders, newest first")
    shown.add_argument("--open", action="store_true", help="only those that have not ended")
    shown.add_argument("--limit", type=natural, default=20, metavar="N", help="at most so many (20)")
    _finish(shown, _list)

    explain = commands.add_parser("explain", help="why an order went where it went, or would go on recorded books")
    explain.add_argument("words", nargs="+", metavar="ORDER", help="an order's id; with --replay: SYMBOL SIDE QUANTITY")
    explain.add_argument("--replay", type=Path, action="append", metavar="CAPTURE", help="from recorded traffic")
    explain.add_argument(
        "--config", type=Path, metavar="DIR", help="for --replay: folder of the configuration (config)"
    )
    _finish(explain, _explain)

    balances = commands.add_parser("balances", help="what the venues say we have, held against our own fills")
    balances.add_argument("--all", action="store_true", help="assets of which there is nothing, too")
    _finish(balances, _balances)

    halt = commands.add_parser("halt", help="the kill switch: nothing new leaves, cancels still do")
    halt.add_argument("switch", choices=("on", "off", "show"))
    halt.add_argument("reason", nargs="?", metavar="REASON", help="for on: why, for everyone to see")
    _finish(halt, _halt)


def _add_place(place: argparse.ArgumentParser) -> None:
    place.add_argument("symbol", metavar="SYMBOL", help="such as BTC/USDT")
    place.add_argument("side", choices=list(Side), type=Side)
    place.add_argument("quantity", metavar="QUANTITY", help="in base, such as 0.5")
    place.add_argument(
        "--limit", metavar="PRICE", help="no worse than this (a market order, within the policy's bound)"
    )
    place.add_argument("--tif", choices=list(TimeInForce), type=TimeInForce, help="time in force (IOC)")
    place.add_argument("--post-only", action="store_true", help="only rest, never take: GTC with a limit")
    place.add_argument("--venues", metavar="A,B", help="only these")
    place.add_argument("--id", metavar="CLIENT_ID", help="the same id never makes a second order (a new one)")
    place.add_argument(
        "--wait", type=seconds, default=WAIT_S, metavar="SECONDS", help=f"follow it this long, 0 not at all ({WAIT_S})"
    )
    _finish(place, _place)


def _add_amend(amend: argparse.ArgumentParser) -> None:
    _add_id(amend)
    amend.add_argument("--quantity", metavar="QUANTITY", help="in all, what is filled already included")
    amend.add_argument("--limit", metavar="PRICE")
    _finish(amend, _amend)


def _add_cancel(cancel: argparse.ArgumentParser) -> None:
    what = cancel.add_mutually_exclusive_group(required=True)
    what.add_argument("order", nargs="?", metavar="ID", help="its id, or client: and the client's")
    what.add_argument("--all", action="store_true", help="every open order of the account")
    cancel.add_argument("--symbol", metavar="SYMBOL", help="with --all: only this instrument's")
    _finish(cancel, _cancel)


def _add_id(command: argparse.ArgumentParser) -> None:
    command.add_argument("order", metavar="ID", help="its id, or client: and the client's")


def _finish(command: argparse.ArgumentParser, run: Any) -> None:
    add_url(command)
    add_json(command)
    command.set_defaults(run=run)


def _place(options: argparse.Namespace) -> int:
    api, client_order_id = service(options), options.id or f"cli-{secrets.token_hex(8)}"
    rests = TimeInForce.GTC if options.post_only else TimeInForce.IOC
    request = {
        "client_order_id": client_order_id,
        "symbol": options.symbol,
        "side": options.side.value,
        "type": OrderType.LIMIT if options.limit else OrderType.MARKET,
        "quantity": options.quantity,
        "limit_price": options.limit,
        "time_in_force": options.tif or rests,
        "post_only": options.post_only,
        "venues": listed(options.venues),
    }
    try:
        order = api.place(request)
        order = _followed(api, order, options.wait, is_told=not options.json)
    except Unreachable as error:
        advice = f"whether it was placed is not known; ask with `aggregator order show client:{client_order_id}`"
        raise Unreachable(f"{error}\n{advice}, or repeat it with --id {client_order_id}") from None
    _print_order(order, options)
    return GOOD


def _followed(api: Api, order: dict[str, Any], wait_s: int, *, is_told: bool) -> dict[str, Any]:
    """The order when it has ended, or when the wait is over; its children are told as they end."""
    told: set[str] = set()
    until = time.monotonic() + wait_s
    while True:
        for child in order["children"]:
            if is_told and child["state"] in orders.SETTLED and child["child_id"] not in told:
                told.add(child["child_id"])
                out.print(orders.child_line(child))
        if order["state"] not in OPEN_STATES or time.monotonic() >= until:
            return order
        time.sleep(LOOK_EVERY_S)
        order = api.order(order["order_id"])


def _amend(options: argparse.Namespace) -> int:
    changes = {"quantity": options.quantity, "limit_price": options.limit}
    given = {name: value for name, value in changes.items() if value is not None}
    _print_order(service(options).amend(options.order, given), options)
    return GOOD


def _cancel(options: argparse.Namespace) -> int:
    if not options.all:
        _print_order(service(options).cancel(options.order), options)
        return GOOD
    answer = service(options).cancel_all(options.symbol)
    if options.json:
        print_json(answer)
    else:
        out.print(orders.orders_table(answer["orders"]))
        if answer["still_open"]:
            out.print(f"{answer['still_open']} have not ended yet: their venues have not answered", style=NOTE)
    return FAULTS if answer["still_open"] else GOOD


def _show(options: argparse.Namespace) -> int:
    _print_order(service(options).order(options.order), options)
    return GOOD


def _list(options: argparse.Namespace) -> int:
    answer = service(options).orders("open" if options.open else None, options.limit)
    if options.json:
        print_json(answer)
    else:
        out.print(orders.orders_table(answer["orders"]))
    return GOOD


def _explain(options: argparse.Namespace) -> int:
    if options.replay:
        return _explain_recordings(options)
    if len(options.words) != 1:
        print("explain takes one order's id; with --replay it takes SYMBOL SIDE QUANTITY", file=sys.stderr)
        return REFUSED
    order = service(options).order(options.words[0])
    if options.json:
        print_json(order)
    else:
        out.print(orders.explanation(order))
    return GOOD


def _explain_recordings(options: argparse.Namespace) -> int:
    if len(options.words) != 3 or options.words[1] not in list(Side):
        print("explain --replay takes SYMBOL SIDE QUANTITY, such as BTC/USDT buy 0.5", file=sys.stderr)
        return REFUSED
    symbol, side, quantity = options.words
    request = {"symbol": symbol, "side": side, "quantity": quantity}
    document = quote_of_recordings(options.replay, options.config, request)
    if options.json:
        print_json(document)
    else:
        out.print(market.quote_table(document))
    return GOOD


def _balances(options: argparse.Namespace) -> int:
    answer = service(options).balances()
    if options.json:
        print_json(answer)
    else:
        out.print(orders.balances_table(answer, with_nothing=options.all))
    return GOOD


def _halt(options: argparse.Namespace) -> int:
    if (options.switch == "on") != (options.reason is not None):
        print("halt on takes a reason, such as `halt on 'prices look wrong'`; off and show take none", file=sys.stderr)
        return REFUSED
    api = service(options)
    answer = api.halt() if options.switch == "show" else api.switch_halt(options.reason)
    if options.json:
        print_json(answer)
        return GOOD
    out.print(Text(f"halted: {answer['reason']}" if answer["halted"] else "not halted"))
    for venue, reason in answer["reconciling"].items():
        out.print(Text(f"{venue} takes nothing new yet: {reason}", style=NOTE))
    return GOOD


def _print_order(order: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print_json(order)
    else:
        out.print(orders.order_table(order))
