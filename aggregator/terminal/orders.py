"""Orders: what became of them, and why they went where they went."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from aggregator.terminal.market import in_own_quote, quote_table
from aggregator.terminal.tables import BAD, GOOD, NOTE, plain, short, table

BPS_ONE = Decimal(10_000)
SETTLED = {"filled", "partly_filled", "unfilled", "rejected", "not_sent", "missing"}
STYLES = {"filled": GOOD, "rejected": BAD, "unknown": BAD, "missing": BAD, "not_sent": BAD, "partly_filled": NOTE}

Planned = dict[str, str] | None


def order_table(order: dict[str, Any]) -> RenderableType:
    """A parent order as the API answers it: a line a child, then what it came to."""
    shown = table(headline(order))
    for head in ("child", "venue", "state"):
        shown.add_column(head)
    for head in ("quantity", "limit price", "filled", "average", "fees"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_column("the venue's word, or why")
    for child in order["children"]:
        shown.add_row(
            child["child_id"].rpartition("-")[2],
            child["venue"],
            Text(child["state"], style=STYLES.get(child["state"], "")),
            child["quantity"],
            in_own_quote(child, child["limit_price"]),
            child["filled"],
            in_own_quote(child, _average_of(child)),
            _fees_of(child),
            Text(child["reason"] or child["venue_word"]),
        )
    return Group(shown, *(Text(line, style=style) for line, style in _totals(order)))


def headline(order: dict[str, Any]) -> str:
    price = f" at {order['limit_price']}" if order["limit_price"] else ""
    post_only = " post-only" if order["post_only"] else ""
    asked = f"{order['side']} {order['quantity']} {order['symbol']}{price} {order['time_in_force']}{post_only}"
    return f"{asked}  {order['state']}  {order['order_id']}  ({order['client_order_id']})"


def child_line(child: dict[str, Any]) -> RenderableType:
    """A child that has just ended."""
    why = child["reason"] or child["venue_word"]
    line = (
        f"{child['venue']}: {child['state']}, {child['filled']} of {child['quantity']} at {_average_of(child) or '-'}"
    )
    return Text(f"{line}  {why}".rstrip(), style=STYLES.get(child["state"], ""))


def orders_table(orders: list[dict[str, Any]]) -> RenderableType:
    """A line an order, in the order given."""
    shown = table(f"{len(orders)} order{'s' if len(orders) != 1 else ''}")
    for head in ("order", "client's id", "instrument", "side"):
        shown.add_column(head)
    for head in ("quantity", "limit price", "filled", "average"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_column("state")
    for order in orders:
        shown.add_row(
            order["order_id"],
            order["client_order_id"],
            order["symbol"],
            order["side"],
            order["quantity"],
            order["limit_price"] or "market",
            order["filled"],
            short(order["average_price"]) if order["average_price"] else "-",
            Text(order["state"], style=STYLES.get(order["state"], "")),
        )
    return shown


def balances_table(document: dict[str, Any], *, with_nothing: bool) -> RenderableType:
    """What each venue says, beside what our fills come to; a difference stands out. Assets of which there is nothing,
    and should be nothing, only if they are asked for."""
    shown = table("balances")
    for head in ("venue", "asset"):
        shown.add_column(head)
    for head in ("total", "free", "expected", "difference"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_column("reconciled")
    for venue, assets in document["balances"].items():
        is_reconciled = venue not in document["reconciling"]
        for asset, held in assets.items():
            if not with_nothing and not any(Decimal(number) for number in held.values()):
                continue
            difference = Text("", style=GOOD)
            if Decimal(held["difference"]):
                difference = Text(held["difference"], style=BAD)
            numbers = (short(held[name]) for name in ("total", "free", "expected"))
            shown.add_row(venue, asset, *numbers, difference, "yes" if is_reconciled else Text("no", style=NOTE))
    waiting = (Text(f"{venue}: {reason}", style=NOTE) for venue, reason in document["reconciling"].items())
    return Group(shown, *waiting)


def explanation(order: dict[str, Any]) -> RenderableType:
    """Why an order went where it went: each plan with its exclusions, then what each child did against its plan."""
    parts: list[RenderableType] = [order_table(order)]
    for number, planned in enumerate(order["plans"], 1):
        parts += [Text(f"\nPlan {number} of {len(order['plans'])}", style="bold"), quote_table(planned)]
    if order["children"]:
        parts.append(_against_plan(order))
    parts += [Text(line, style=style) for line, style in (*_slippage(order), *_doubts(order))]
    return Group(*parts)


def paired(order: dict[str, Any]) -> list[tuple[dict[str, Any], Planned]]:
    """Each child with what its plan expected of it. Children follow their plans in turn; one that was put to rest in a
    book stands in no plan."""
    planned = [child for document in order["plans"] for child in document["children"]]
    pairs: list[tuple[dict[str, Any], Planned]] = []
    for child in order["children"]:
        terms = ("venue", "quantity", "limit_price")
        is_next = bool(planned) and all(planned[0][term] == child[term] for term in terms)
        pairs.append((child, planned.pop(0) if is_next else None))
    return pairs


def slippage_bps(side: str, expected: Decimal, got: Decimal) -> Decimal:
    """How much worse than expected, in bps; less than 0 is better."""
    worse = got - expected if side == "buy" else expected - got
    return round(worse / expected * BPS_ONE, 2) + 0  # a decimal can be minus zero, which nobody wants to read


def _against_plan(order: dict[str, Any]) -> RenderableType:
    shown = table("What the children did")
    for head in ("child", "venue", "state"):
        shown.add_column(head)
    for head in ("filled", "expected", "got", "worse by"):
        shown.add_column(head, justify="right", no_wrap=True)
    for child, planned in paired(order):
        expected, got = _expected(planned), _average_of(child)
        worse = f"{slippage_bps(order['side'], Decimal(expected), Decimal(got))} bps" if expected and got else ""
        shown.add_row(
            child["child_id"].rpartition("-")[2],
            child["venue"],
            child["state"],
            f"{child['filled']} of {child['quantity']}",
            short(expected) if expected else "rests",
            got,
            worse,
        )
    return shown


def _expected(planned: Planned) -> str:
    """The average price that a plan expects of its child, before fees."""
    if planned is None:
        return ""
    return plain(Decimal(planned["expected_notional"]) / Decimal(planned["quantity"]))


def _slippage(order: dict[str, Any]) -> Iterator[tuple[str, str]]:
    average, plan = order["average_price"], order["plan"]
    if not average:
        return
    if plan and plan["average_price"]:
        worse = slippage_bps(order["side"], Decimal(plan["average_price"]), Decimal(average))
        yield f"slippage against the first plan's average, {short(plan['average_price'])}: {worse} bps", "bold"
    if order["arrival_mid"]:
        worse = slippage_bps(order["side"], Decimal(order["arrival_mid"]), Decimal(average))
        yield f"slippage against the mid price on arrival, {short(order['arrival_mid'])}: {worse} bps", ""


def _doubts(order: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is not known yet of its children."""
    for child in order["children"]:
        if child["state"] in SETTLED:
            continue
        left = plain(Decimal(child["quantity"]) - Decimal(child["filled"]))
        why = f": {child['reason']}" if child["reason"] else ""
        style = BAD if child["state"] == "unknown" else NOTE
        yield f"{child['venue']} {child['child_id']} is {child['state']}{why}; {left} stays reserved", style


def _totals(order: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if order["average_price"]:
        yield f"filled {order['filled']} of {order['quantity']} at {short(order['average_price'])}", "bold"
        fees = ", ".join(f"{short(fee)} {asset}" for asset, fee in order["fees"].items())
        yield f"received {short(order['received'])} {order['received_asset']}; fees {fees or 'none'}", ""
    if order["reason"]:
        yield f"{order['code']}: {order['reason']}" if order["code"] else order["reason"], NOTE


def _average_of(child: dict[str, Any]) -> str:
    filled = sum(Decimal(fill["quantity"]) for fill in child["fills"])
    return plain(round(sum(Decimal(fill["notional"]) for fill in child["fills"]) / filled, 8)) if filled else ""


def _fees_of(child: dict[str, Any]) -> str:
    fees: dict[str, Decimal] = {}
    for fill in child["fills"]:
        fees[fill["fee_asset"]] = fees.get(fill["fee_asset"], Decimal()) + Decimal(fill["fee"])
    return ", ".join(f"{plain(round(fee, 8))} {asset}" for asset, fee in fees.items())
