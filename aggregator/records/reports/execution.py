"""How orders fared: what was planned, what came of it, what it cost and saved, and what kept venues out."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd

from aggregator.records.reports.figures import (
    EXACT,
    QUANTITY,
    Span,
    bps,
    moment,
    percent,
    plain,
    ratio,
    runs_of,
    total,
)
from aggregator.records.reports.report import Picture, Report, Series, Table
from aggregator.service.clock import day_of

Frames = Mapping[str, pd.DataFrame]


class Order(NamedTuple):
    """A parent order as it stood at the end. Prices are in its own quote, fees by asset, bps are decimals as text."""

    row: Any
    quantity: Decimal
    filled: Decimal
    notional: Decimal
    planned: Decimal | None
    arrival: Decimal | None
    saving_bps: str | None
    exclusions_cost_bps: str | None
    excluded: dict[str, str]
    fees: dict[str, Decimal]

    @property
    def sign(self) -> int:
        return 1 if self.row.side == "buy" else -1

    @property
    def average(self) -> Decimal | None:
        return EXACT.divide(self.notional, self.filled) if self.filled else None

    def worse_than(self, price: Decimal | None) -> Decimal | None:
        """How much more than at this price was paid, or less received, for all that was filled; in quote."""
        if price is None or not self.filled:
            return None
        return (self.notional - price * self.filled) * self.sign


def report(span: Span, frames: Frames, account: str | None = None) -> Report:
    """From the tables orders, children, fills, plans, and runs where there are any."""
    made = Report("execution", span)
    orders = list(orders_of(span, frames, account))
    if not orders:
        made.note("no_orders")
    for run in runs_of(span, frames["runs"], [int(order.row.updated_ns) for order in orders]):
        if not run.is_whole:
            made.note("run_broken", start=moment(run.start_ns), end=moment(run.end_ns))
    made.tables += [_days(orders), _accounts(orders), _exclusions(orders)]
    made.tables += [_policies(orders, frames["plans"]), _rules(span, frames["runs"]), _orders(orders)]
    _headline(made, orders)
    made.pictures += _pictures(orders)
    return made


def orders_of(span: Span, frames: Frames, account: str | None = None) -> Iterator[Order]:
    """In the order of their coming."""
    fees = _fees(frames)
    first = {row.order_id: row for row in frames["plans"].itertuples() if row.plan_index == 0}
    for row in span.of(frames["orders"], "received_ns").sort_values(["received_ns", "order_id"]).itertuples():
        if account is not None and row.account != account:
            continue
        plan = first.get(row.order_id)
        yield Order(
            row,
            Decimal(row.quantity),
            Decimal(row.filled),
            Decimal(row.notional),
            _decimal(plan.average_price) if plan is not None else None,
            _decimal(row.arrival_mid),
            _text(plan.saving_bps) if plan is not None else None,
            _text(plan.exclusions_cost_bps) if plan is not None else None,
            json.loads(plan.document)["excluded"] if plan is not None else {},
            fees.get(row.order_id, {}),
        )


def _fees(frames: Frames) -> dict[str, dict[str, Decimal]]:
    """By order and asset, as the venues took them."""
    found: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    for fill in frames["fills"].itertuples():
        own = found[str(fill.child_id).rpartition("-")[0]]
        own[str(fill.fee_asset)] = own.get(str(fill.fee_asset), Decimal(0)) + Decimal(fill.fee)
    return found


def slippage(orders: Iterable[Order], against: str) -> Decimal | None:
    """Of several orders together, in bps: what they cost more than at the `planned` or `arrival` prices, of what they
    had cost at those."""
    known = [(order, getattr(order, against)) for order in orders if order.filled]
    worse = [order.worse_than(price) for order, price in known if price is not None]
    expected = [price * order.filled for order, price in known if price is not None]
    return bps(total(part for part in worse if part is not None), total(expected)) if expected else None


def _headline(made: Report, orders: Sequence[Order]) -> None:
    sent = [order for order in orders if order.row.state != "rejected"]
    made.say("orders", len(orders))
    made.say("rejected", len(orders) - len(sent))
    made.say("filled_part", percent(sum(1 for order in sent if order.filled == order.quantity), len(sent)))
    made.say("slippage_planned", slippage(orders, "planned"))
    made.say("slippage_arrival", slippage(orders, "arrival"))


def _days(orders: Sequence[Order]) -> Table:
    groups: defaultdict[tuple[str, str], list[Order]] = defaultdict(list)
    for order in orders:
        groups[day_of(int(order.row.received_ns)), str(order.row.instrument)].append(order)
    rows = [(*key, *_group_cells(own)) for key, own in sorted(groups.items())]
    return Table("days", ("day", "instrument", *GROUP_COLUMNS), rows)


def _accounts(orders: Sequence[Order]) -> Table:
    groups: defaultdict[tuple[str, str], list[Order]] = defaultdict(list)
    for order in orders:
        groups[str(order.row.account), str(order.row.instrument)].append(order)
    rows = [(*key, *_group_cells(own)) for key, own in sorted(groups.items())]
    return Table("accounts", ("account", "instrument", *GROUP_COLUMNS), rows)


GROUP_COLUMNS = (
    "orders", "rejected", "quantity", "filled", "unfilled", "notional", "fees", "slippage_planned", "slippage_arrival",
    "exclusions_cost_worst",
)  # fmt: skip


def _group_cells(orders: Sequence[Order]) -> tuple[str | int | None, ...]:
    sent = [order for order in orders if order.row.state != "rejected"]
    wanted, filled = total(order.quantity for order in sent), total(order.filled for order in sent)
    fees: dict[str, Decimal] = {}
    for order in orders:
        for asset, fee in order.fees.items():
            fees[asset] = fees.get(asset, Decimal(0)) + fee
    costs = [Decimal(order.exclusions_cost_bps) for order in sent if order.exclusions_cost_bps]
    return (
        len(orders),
        len(orders) - len(sent),
        plain(wanted),
        plain(filled),
        plain(wanted - filled),
        plain(total(order.notional for order in sent)),
        shown_fees(fees),
        plain(slippage(sent, "planned")),
        plain(slippage(sent, "arrival")),
        plain(max(costs, default=None)),
    )


def shown_fees(fees: Mapping[str, Decimal]) -> str | None:
    return ", ".join(f"{plain(fee)} {asset}" for asset, fee in sorted(fees.items())) or None


def _exclusions(orders: Sequence[Order]) -> Table:
    counts = Counter((venue, reason) for order in orders for venue, reason in order.excluded.items())
    rows: list[tuple[str | int | None, ...]] = [
        (venue, reason, count) for (venue, reason), count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    return Table("exclusions", ("venue", "reason", "orders"), rows)


def _policies(orders: Sequence[Order], plans: pd.DataFrame) -> Table:
    """Which bound held for orders without a limit price, from when to when, by the plans that were made."""
    own = {order.row.order_id for order in orders}
    rows = []
    for (instrument, bound), used in plans[plans.order_id.isin(own)].groupby(["instrument", "market_bound_bps"]):
        at = used.at_ns.astype("int64")
        rows.append((str(instrument), str(bound), moment(int(at.min())), moment(int(at.max())), len(used)))
    return Table("policies", ("instrument", "market_bound_bps", "from", "until", "plans"), rows)


def _rules(span: Span, runs: pd.DataFrame) -> Table:
    own = span.of(runs)
    rows = [(moment(int(row.at_ns)), str(row.detail)) for row in own[own.event == "rules"].itertuples()]
    return Table("rules", ("at", "change"), rows)


ORDER_COLUMNS = (
    "at", "order_id", "account", "instrument", "side", "quantity", "filled", "unfilled", "arrival_mid", "planned_price",
    "average_price", "slippage_planned", "slippage_arrival", "saving", "fees", "exclusions_cost", "excluded", "state",
    "reason",
)  # fmt: skip


def _orders(orders: Sequence[Order]) -> Table:
    return Table("orders", ORDER_COLUMNS, [_order_row(order) for order in orders])


def _order_row(order: Order) -> tuple[str | int | None, ...]:
    row, average = order.row, order.average
    excluded = "; ".join(f"{venue}: {reason}" for venue, reason in order.excluded.items())
    code = f"{row.code}: " if _text(row.code) else ""
    return (
        moment(int(row.received_ns)),
        row.order_id,
        row.account,
        row.instrument,
        row.side,
        plain(order.quantity),
        plain(order.filled),
        plain(order.quantity - order.filled),
        plain(order.arrival),
        plain(order.planned),
        plain(ratio(order.notional, order.filled, QUANTITY)) if average is not None else None,
        plain(slippage([order], "planned")),
        plain(slippage([order], "arrival")),
        order.saving_bps,
        shown_fees(order.fees),
        order.exclusions_cost_bps,
        excluded or None,
        row.state,
        f"{code}{row.reason}" if _text(row.reason) else None,
    )


def _pictures(orders: Sequence[Order]) -> list[Picture]:
    pictures = []
    for instrument in sorted({str(order.row.instrument) for order in orders}):
        own = [order for order in orders if order.row.instrument == instrument]
        points = [(int(order.row.received_ns), slippage([order], "arrival")) for order in own if order.filled]
        if points:
            pictures.append(Picture("slippage_over_time", instrument, [Series(instrument, points)], "dots"))
    return pictures


def _decimal(text: Any) -> Decimal | None:
    return None if pd.isna(text) or text == "" else Decimal(text)


def _text(text: Any) -> str | None:
    return None if pd.isna(text) or text == "" else str(text)
